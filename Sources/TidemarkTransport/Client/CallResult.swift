public import NIOCore
public import TidemarkWire

/// How a call ended, seen by the caller.
public enum CallResult: Sendable {
  /// The server answered, with OK or with a failure.
  case reply(CallReply)
  /// The server did not answer.
  case failed(CallFailure)
}

/// Why a call has no answer from the server.
public struct CallFailure: Error, Sendable, Hashable {
  /// What the caller can rely on.
  public enum Fate: Sendable, Hashable {
    /// The server surely did not execute the call: it is safe to send it again, also under a new operation id.
    case notExecuted
    /// The server may have executed it. Send it again only with the same operation id, or ask for the outcome.
    case unknown
  }

  public var code: StatusCode
  public var message: String
  public var fate: Fate
  /// When the server wants to see the client again; `nil` when it did not say.
  public var retryAfter: TimeAmount?

  public init(_ code: StatusCode, _ message: String, fate: Fate, retryAfter: TimeAmount? = nil) {
    self.code = code
    self.message = message
    self.fate = fate
    self.retryAfter = retryAfter
  }

  /// The failure that a CANCEL of the server stands for.
  init(cancel code: FramingErrorCode) {
    switch code {
    case .refused: self.init(.unavailable, "The server has too much to do.", fate: .notExecuted)
    case .timeout: self.init(.deadlineExceeded, "The deadline passed.", fate: .unknown)
    case .cancelled: self.init(.cancelled, "The server cancelled the call.", fate: .unknown)
    case .messageTooLarge: self.init(.resourceExhausted, "A message is larger than the server's limit.", fate: .unknown)
    case .compression: self.init(.invalidArgument, "The server cannot inflate a message.", fate: .unknown)
    case .calm, .frameTooLarge, .flowControl:
      self.init(.resourceExhausted, "The server cancelled the call: too much was sent.", fate: .unknown)
    case .none, .protocolViolation, .version, .streamClosed, .internalFailure:
      self.init(.internal, "The server cancelled the call: \(code).", fate: .unknown)
    }
  }
}

/// The parts of a client connection that a deployment may change.
public struct ClientConfiguration: Sendable {
  /// What the client says in its HELLO. Limits of 0 stand for their defaults.
  public var hello = Hello()
  /// Calls that may wait for a free slot before further ones are refused.
  public var callsQueuedMax = 16_384
  /// How long to wait for the TCP connection.
  public var connectTimeout = TimeAmount.seconds(10)
  /// How long to wait for the server's HELLO.
  public var handshakeTimeout = TimeAmount.seconds(5)
  /// A ping is sent after this silence while calls are in flight; at least 10 s.
  public var keepaliveInterval = TimeAmount.seconds(30)
  /// The connection is given up when nothing arrives for this long after the ping.
  public var keepaliveTimeout = TimeAmount.seconds(20)
  /// Whether requests of 1 KiB and more are compressed, when the server can inflate them.
  public var compressesRequests = false

  public init() {
    hello.compressions = ["deflate"]
  }
}

/// What a client connection tells its owner.
public enum ClientConnectionEvent: Sendable {
  /// The server's HELLO came. Calls need not wait for it.
  case opened(Hello)
  /// No new calls: the server is draining, or found an error. Calls in flight may still be answered.
  case goingAway(GoAway, FramingErrorCode)
  /// The connection is gone, and every call has its result.
  case closed(CallFailure)
}
