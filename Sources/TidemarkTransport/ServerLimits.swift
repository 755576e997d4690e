public import NIOCore
public import TidemarkWire

/// What a server allows a peer, per connection unless said otherwise. Every value has a safe default.
public struct ServerLimits: Sendable {
  // MARK: Sizes, announced in HELLO

  /// The largest frame payload accepted, in bytes; at least 64 KiB, which clients may use before they know.
  public var frameBytesMax = WireLimits.frameBytesDefault
  /// The largest message accepted, in bytes, before and after inflating.
  public var messageBytesMax = WireLimits.messageBytesMax
  /// Calls in flight. A slot is held until the handler really ended.
  public var callsInFlightMax = 128
  /// The credit each stream starts with in the direction to the server, in bytes; at least 64 KiB.
  public var streamCreditBytes = 64 * 1024
  /// The credit the connection starts with in the direction to the server, in bytes; at least 1 MiB.
  public var connectionCreditBytes = 1024 * 1024

  // MARK: Sizes, not announced

  /// The metadata of one call, in bytes.
  public var metadataBytesMax = WireLimits.metadataBytesMax
  /// Requests in flight, or replies not yet taken by the socket, in bytes: at this point the socket is read no further.
  public var bytesQueuedMax = 8 * 1024 * 1024
  /// Replies not yet taken by the socket, in bytes: a reply that would pass this is replaced by RESOURCE_EXHAUSTED.
  public var bytesOutboundMax = 32 * 1024 * 1024
  /// The memory of requests that wait for their end, or for their answer, for all connections of the listener, in bytes: above this only
  /// connections that hold little are read, and above twice this only small calls of those; see `RequestBudget`.
  public var requestBytesMax = 32 * 1024 * 1024
  /// Answers that nobody has read yet, for all connections of the listener, in bytes: above this only connections that hold
  /// little are read for, and above twice this only what is little itself; see `AnswerBudget`.
  public var answerBytesMax = 64 * 1024 * 1024
  /// Answers to one connection that wait for its socket, in bytes: above this nothing further is read for it.
  public var answerBytesPerConnectionMax = 8 * 1024 * 1024
  /// Whether messages of 1 KiB and more are compressed for clients that can inflate them.
  public var compressesReplies = false

  // MARK: Times

  /// The longest time a unary call may take; also used when the client names none.
  public var callTimeoutMax = TimeAmount.seconds(120)
  /// From the accept to the end of the client's HELLO.
  public var handshakeTimeout = TimeAmount.seconds(5)
  /// A started frame must be complete after this time, or arrive at `frameBytesPerSecondMin`.
  public var frameTimeout = TimeAmount.seconds(30)
  /// The slowest rate at which a frame may arrive after `frameTimeout`, in bytes per second.
  public var frameBytesPerSecondMin = 1024
  /// A connection without calls is closed after this time.
  public var idleTimeout = TimeAmount.minutes(10)
  /// Replies wait for the socket at most this long without any progress.
  public var writeStallTimeout = TimeAmount.seconds(30)
  /// The server pings after this silence.
  public var keepaliveInterval = TimeAmount.seconds(60)
  /// The server closes when nothing arrives for this long after its ping.
  public var keepaliveTimeout = TimeAmount.seconds(20)
  /// Between the first and the second GOAWAY of a drain.
  public var drainStepDelay = TimeAmount.milliseconds(250)
  /// How long a closing connection waits for the client to close its side.
  public var lingerTimeout = TimeAmount.seconds(1)

  // MARK: Rates; a peer that passes one is told to calm down and closed

  /// Pings.
  public var pings = Rate(burst: 10, interval: .seconds(5))
  /// CANCEL frames.
  public var cancels = Rate(burst: 1_000, interval: .milliseconds(5))
  /// Frames without effect: ignorable types, empty fragments, frames for closed streams.
  public var idleFrames = Rate(burst: 1_024, interval: .milliseconds(4))
  /// Calls that cannot be parsed.
  public var malformedCalls = Rate(burst: 100, interval: .milliseconds(100))
  /// Calls; `nil` for no limit.
  public var calls: Rate?
  /// CREDIT frames beyond two for each CALL received and each DATA sent.
  public var creditFramesExtraMax = 1_000

  // MARK: Connections, for the whole listener

  /// Connections at once.
  public var connectionsMax = 16_384
  /// Connections at once from one address.
  public var connectionsPerAddressMax = 4_096

  /// How often something may happen: `burst` times at once, then once an `interval`.
  public struct Rate: Sendable, Hashable {
    public var burst: Int
    public var interval: TimeAmount

    public init(burst: Int, interval: TimeAmount) {
      self.burst = burst
      self.interval = interval
    }
  }

  public init() {}

  /// The HELLO that announces these limits.
  ///
  /// - Parameter base: the parts that limits do not know: name, bulk limits, retention, schema hash.
  public func hello(_ base: Hello = Hello()) -> Hello {
    var hello = base
    hello.minorMin = 0
    hello.minorMax = UInt32(Preface.minorMax)
    hello.frameBytesMax = UInt32(clamping: frameBytesMax)
    hello.messageBytesMax = UInt32(clamping: messageBytesMax)
    hello.callsInFlightMax = UInt32(clamping: callsInFlightMax)
    hello.streamCreditBytes = UInt32(clamping: streamCreditBytes)
    hello.connectionCreditBytes = UInt32(clamping: connectionCreditBytes)
    hello.compressions = ["deflate"]
    hello.idleTimeoutMilliseconds = UInt32(clamping: idleTimeout.nanoseconds / 1_000_000)
    return hello
  }
}
