import TidemarkTestTraits
import TidemarkTesting
import Testing

/// The scenarios of the founding documents, against the running daemon. One at a time: they share two cores.
@Suite(.serialized, .timeLimit(.minutes(2)), .ownThreads) struct FoundingTests {}
