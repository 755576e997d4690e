public import NIOCore
public import TidemarkCore

/// How a client calls.
public struct ClientOptions: Sendable {
  /// How long a call waits when it does not say otherwise, over all its attempts; `nil` for the server's maximum.
  public var deadline: Duration? = .seconds(15)
  /// How long opening a connection may take.
  public var connectTimeout: Duration = .seconds(5)
  /// How often a call is tried, the first time included; with several servers, as often for each. At least 1.
  public var attemptsMax = 5
  /// The waits between attempts.
  public var backoff = Backoff()
  /// The software's name in the handshake, for the server's logs. At most 128 bytes.
  public var name = "tidemark-swift"
  /// The clocks and the randomness.
  public var timing = ClientTiming.system
  /// The event loops to use; `nil` for those of the process.
  public var group: (any EventLoopGroup)?

  public init() {}
}

/// The clocks and the randomness of a client, so that a test can set them.
public struct ClientTiming: Sendable {
  /// The time of day, for operation ids.
  public var now: @Sendable () -> Timestamp
  /// A clock that never goes back, from any start.
  public var uptime: @Sendable () -> Duration
  /// Waits. Throws when the task is cancelled.
  public var sleep: @Sendable (Duration) async throws -> Void
  /// 64 random bits.
  public var random: @Sendable () -> UInt64

  public init(
    now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Duration,
    sleep: @escaping @Sendable (Duration) async throws -> Void, random: @escaping @Sendable () -> UInt64
  ) {
    self.now = now
    self.uptime = uptime
    self.sleep = sleep
    self.random = random
  }

  /// Those of the system.
  public static let system: ClientTiming = {
    let start = ContinuousClock.now
    return ClientTiming(
      now: { Timestamp(rawValue: SystemTime.microseconds()) },
      uptime: { ContinuousClock.now - start },
      sleep: { try await Task.sleep(for: $0) },
      random: { UInt64.random(in: .min ... .max) })
  }()

  /// A fresh operation id, a UUID of version 7.
  public func makeOperationID() -> OperationID {
    var source = Source(next64: random)
    return OperationID(rawValue: UUIDText.makeVersion7(now: now(), using: &source))
  }

  private struct Source: RandomNumberGenerator {
    let next64: @Sendable () -> UInt64
    mutating func next() -> UInt64 { next64() }
  }
}
