import NIOCore

/// Counts how often something happens against a `ServerLimits.Rate`: a bucket of tokens that refills with time.
struct RateBucket: Sendable {
  private let burst: Int64
  private let interval: Int64
  /// When the bucket will be full again, in nanoseconds of the clock. Each token taken moves it on by one interval.
  private var fullAt: Int64 = .min

  init(_ rate: ServerLimits.Rate) {
    burst = Int64(max(1, rate.burst))
    interval = max(1, rate.interval.nanoseconds)
  }

  /// Takes a token; `false` when there is none.
  mutating func take(now: NIODeadline) -> Bool {
    let now = Int64(clamping: now.uptimeNanoseconds)
    let start = max(fullAt, now)
    let (capacity, overflow) = burst.multipliedReportingOverflow(by: interval)
    guard overflow || start - now <= capacity - interval else { return false }
    fullAt = start &+ interval
    return true
  }
}
