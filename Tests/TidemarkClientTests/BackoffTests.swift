import Testing

@testable import TidemarkClient

@Suite struct BackoffTests {
  private let backoff = Backoff(first: .milliseconds(100), max: .seconds(10))

  @Test func theCeilingDoublesUpToTheCap() {
    let ceilings = (1...9).map { backoff.ceiling(afterFailures: $0) }
    #expect(ceilings == [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000].map { .milliseconds($0) })
    #expect(backoff.ceiling(afterFailures: .max) == .seconds(10))
  }

  /// Jitter before the cap would give everybody at the cap the same wait.
  @Test func jitterIsAppliedAfterTheCap() {
    #expect(backoff.delay(afterFailures: 50, random: 0) == .zero)
    #expect(backoff.delay(afterFailures: 50, random: 1 << 63) == .seconds(5))
    #expect(backoff.delay(afterFailures: 50, random: .max) < .seconds(10))
    #expect(backoff.delay(afterFailures: 50, random: .max) > .milliseconds(9_999))
  }
}
