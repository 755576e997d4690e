import TidemarkTestTraits
import TidemarkTesting
import Testing

/// The running daemon under bad input, crashes and races. One test at a time: they measure.
@Suite(.serialized, .timeLimit(.minutes(2)), .ownThreads) struct DaemonTests {}
