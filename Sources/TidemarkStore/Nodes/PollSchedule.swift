/// When a node looks for what other nodes committed: a value without a clock of its own. Times are nanoseconds of `StoreClock.uptimeNanoseconds`.
///
/// ```
/// sleeping   somebody is interested, or asks            -> polling
/// polling    a poll each `interval`, or sooner when asked
///            nobody was interested for `idleAfter`      -> sleeping
///            a poll failed                              -> failing
/// failing    waits, longer after each failure; a poll that succeeds -> polling
/// ```
struct PollSchedule {
  /// The shortest time from the begin of a poll to the next. Longer when polls take long, so that they take no more than an eighth of the time.
  static let intervalMin: UInt64 = 25_000_000
  /// The longest, while somebody is interested.
  static let intervalMax: UInt64 = 80_000_000
  /// The shortest time between polls that are asked for.
  static let askedIntervalMin: UInt64 = 5_000_000
  /// Nobody is interested any more after this.
  static let idleAfter: UInt64 = 1_000_000_000
  /// The first wait after a failure, at most; doubled with each further one.
  static let failureWaitFirst: UInt64 = 50_000_000
  static let failureWaitMax: UInt64 = 1_000_000_000

  enum Step: Equatable {
    case poll
    /// Nothing to do for so many nanoseconds, unless somebody asks.
    case wait(UInt64)
    /// Nothing to do until somebody is interested or asks.
    case sleep
  }

  /// When the latest poll that succeeded began.
  private(set) var confirmed: UInt64?
  private var lastBegan: UInt64?
  private var duration: UInt64 = 0
  private var lastInterest: UInt64?
  private var isAsked = false
  private var failures = 0
  private var retryAt: UInt64 = 0

  /// Wants a poll that begins from now on.
  mutating func ask() { isAsked = true }

  /// What to do now.
  ///
  /// - Parameter isWanted: somebody was interested since the last time, or still is.
  mutating func next(now: UInt64, isWanted: Bool) -> Step {
    if isWanted { lastInterest = now }
    let isInterested = lastInterest.map { now &- $0 < PollSchedule.idleAfter } ?? false
    guard isAsked || isInterested else { return .sleep }
    let due = failures > 0 ? retryAt : lastBegan.map { $0 &+ (isAsked ? PollSchedule.askedIntervalMin : interval) } ?? now
    return due <= now ? .poll : .wait(due - now)
  }

  private var interval: UInt64 {
    min(max(duration &* 8, PollSchedule.intervalMin), PollSchedule.intervalMax)
  }

  /// A poll begins: it answers everybody who asked so far.
  mutating func begin(now: UInt64) {
    lastBegan = now
    isAsked = false
  }

  /// The poll that began last has ended.
  ///
  /// - Parameter random: any 64 bits, so that nodes do not come back to a database in one moment.
  mutating func end(now: UInt64, isGood: Bool, random: UInt64) {
    guard let lastBegan else { return }
    duration = now &- lastBegan
    guard !isGood else {
      confirmed = lastBegan
      return failures = 0
    }
    failures = min(failures + 1, 16)
    let ceiling = min(PollSchedule.failureWaitFirst << UInt64(failures - 1), PollSchedule.failureWaitMax)
    retryAt = now &+ ceiling / 2 &+ random % (ceiling / 2)
  }
}
