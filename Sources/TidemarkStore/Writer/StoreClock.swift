public import TidemarkCore

/// The time as a store sees it. Programs pass the machine's; tests pass their own.
public struct StoreClock: Sendable {
  /// The wall clock.
  public var now: @Sendable () -> Timestamp
  /// A clock that never jumps, in nanoseconds from any start; deadlines are measured with it.
  public var uptimeNanoseconds: @Sendable () -> UInt64

  public init(now: @escaping @Sendable () -> Timestamp, uptimeNanoseconds: @escaping @Sendable () -> UInt64) {
    self.now = now
    self.uptimeNanoseconds = uptimeNanoseconds
  }
}
