/// The waits between attempts: exponential, capped, then spread over the whole range ("full jitter").
///
/// The jitter comes after the cap. The other way round, all clients that reached the cap would come back in lock-step.
public struct Backoff: Hashable, Sendable {
  /// The longest wait before the second attempt.
  public var first: Duration
  /// The longest wait before any attempt.
  public var max: Duration

  public init(first: Duration = .milliseconds(100), max: Duration = .seconds(10)) {
    self.first = first
    self.max = max
  }

  /// The wait after a number of failures.
  ///
  /// - Parameters:
  ///   - failures: how many attempts failed so far, from 1.
  ///   - random: 64 random bits; the wait is proportional to them.
  /// - Returns: 0 up to `ceiling(afterFailures:)`.
  public func delay(afterFailures failures: Int, random: UInt64) -> Duration {
    let fraction = Double(random >> 11) / Double(UInt64(1) << 53)
    return ceiling(afterFailures: failures) * fraction
  }

  /// The longest wait after a number of failures: `first`, doubled with each further failure, at most `max`.
  public func ceiling(afterFailures failures: Int) -> Duration {
    var ceiling = Swift.min(first, max)
    for _ in 1..<Swift.max(failures, 1) {
      guard ceiling < max else { break }
      ceiling = Swift.min(ceiling * 2, max)
    }
    return ceiling
  }
}
