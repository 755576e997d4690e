public import TidemarkCore

/// How often `modify` reads again and repeats the change when somebody else was faster. Asked for by the caller, never by default:
/// a person's edit is not repeated against something the person has not seen.
public struct RetryOnConflict: Hashable, Sendable {
  /// How often the change is tried, the first time included. At least 1.
  public var attempts: Int
  /// The longest wait before the second attempt.
  public var delay: Duration
  /// How much longer each further wait may be. At least 1.
  public var factor: Double
  /// The share of each wait that is left to chance, 0 to 1.
  public var jitter: Double

  public init(attempts: Int = 3, delay: Duration = .milliseconds(100), factor: Double = 2, jitter: Double = 1) {
    self.attempts = attempts
    self.delay = delay
    self.factor = factor
    self.jitter = jitter
  }

  /// The wait after a number of conflicts.
  ///
  /// - Parameters:
  ///   - conflicts: how many there were, from 1.
  ///   - random: 64 random bits.
  /// - Returns: at most a minute.
  func wait(afterConflicts conflicts: Int, random: UInt64) -> Duration {
    let steps = Double(max(conflicts, 1) - 1)
    var growth = 1.0
    for _ in 0..<Int(min(steps, 64)) { growth *= max(factor, 1) }
    let longest = min(delay * min(growth, 1e6), .seconds(60))
    let share = min(max(jitter, 0), 1)
    let fraction = Double(random >> 11) / Double(UInt64(1) << 53)
    return longest * (1 - share + share * fraction)
  }
}

/// Says that a write was refused: the outcome tells everything.
public struct RefusedWrite: Error, Hashable, Sendable, CustomStringConvertible {
  /// What became of the last attempt.
  public var outcome: Outcome
  /// How often the change was tried.
  public var attempts: Int

  public init(outcome: Outcome, attempts: Int) {
    self.outcome = outcome
    self.attempts = attempts
  }

  public var description: String {
    "The write of \(outcome.type)/\(outcome.id?.text ?? "?") was refused (\(outcome.code)) at attempt \(attempts): \(outcome.message)"
  }
}
