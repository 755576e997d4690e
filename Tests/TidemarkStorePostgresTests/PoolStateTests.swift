import Testing
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStorePostgres

/// The pool's decisions, without threads and time.
@Suite struct PoolStateTests {
  private static func make(_ size: Int, _ overflow: Int) -> PoolUnderTest {
    var options = PoolState.Options()
    options.size = size
    options.overflow = overflow
    return PoolUnderTest(options, seed: 1)
  }

  @Test func connectionsAreOpenedUpToTheSizeAndItsOverflowAndThenShared() throws {
    var pool = PoolStateTests.make(1, 1)
    let (one, two) = (pool.connected(), pool.connected())
    let third = pool.lease()
    #expect(pool.decision(third) == nil && pool.state.counts.waiting == 1)
    pool.advance(.milliseconds(7))
    pool.giveBack(one)
    #expect(pool.decision(third) == .use(one, isStale: false))
    let counts = pool.state.counts
    #expect(counts.opened == 2 && counts.leases == 3 && counts.waits == 1 && counts.waitedMicroseconds == 7_000)
    // What is above the size is closed when it comes back.
    pool.giveBack(two)
    #expect(pool.closed == [two] && pool.state.counts.closedOverflow == 1)
    pool.giveBack(one)
    #expect(pool.state.counts.idle == 1 && pool.state.counts.inUse == 0)
  }

  @Test func whoCameFirstIsServedFirst() {
    var pool = PoolStateTests.make(1, 0)
    let only = pool.connected()
    let leases = (0..<5).map { _ in pool.lease() }
    for lease in leases {
      #expect(pool.decision(lease) == nil)
      pool.giveBack(only)
      #expect(pool.decision(lease) == .use(only, isStale: false))
    }
  }

  @Test func whoWaitsTooLongIsToldThatThePoolIsUsedUp() {
    var pool = PoolStateTests.make(1, 0)
    let only = pool.connected()
    let lease = pool.lease()
    pool.advance(.milliseconds(4_999))
    #expect(pool.decision(lease) == nil)
    pool.advance(.milliseconds(1))
    #expect(pool.decision(lease) == .usedUp && pool.state.counts.timeouts == 1)
    pool.giveBack(only)
    #expect(pool.state.counts.idle == 1)
  }

  @Test func oldConnectionsAreClosedWhenTheyComeBackAndBeforeTheyAreUsed() {
    var pool = PoolStateTests.make(2, 0)
    let (one, two) = (pool.connected(), pool.connected())
    pool.giveBack(one)
    pool.advance(.seconds(1_800 * 9 / 8))
    pool.giveBack(two)
    #expect(pool.closed == [two])
    let lease = pool.lease()
    guard case .open = pool.decision(lease) else {
      Issue.record("a connection that is too old was lent")
      return
    }
    #expect(pool.closed == [two, one] && pool.state.counts.closedRecycled == 2)
  }

  @Test func aConnectionThatWasIdleForLongHasToAnswerSoon() {
    var pool = PoolStateTests.make(1, 0)
    let one = pool.connected()
    pool.giveBack(one)
    pool.advance(.milliseconds(29_999))
    #expect(pool.ask() == .use(one, isStale: false))
    pool.giveBack(one)
    pool.advance(.seconds(30))
    #expect(pool.ask() == .use(one, isStale: true))
  }

  @Test func whenOneIsFoundLostThoseThatWereUsedBeforeItAreClosedAndItIsReplacedAtOnce() {
    var pool = PoolStateTests.make(3, 0)
    let all = (0..<3).map { _ in pool.connected() }
    for id in all {
      pool.giveBack(id)
      pool.advance(.seconds(1))
    }
    #expect(pool.ask() == .use(all[2], isStale: false))
    let again = pool.replace(all[2])
    guard case .open = pool.decision(again) else {
      Issue.record("the lost connection was not replaced")
      return
    }
    #expect(Set(pool.closed) == Set(all))
    let counts = pool.state.counts
    #expect(counts.checksFailed == 1 && counts.closedBroken == 3 && counts.leases == 4)
  }

  @Test func afterALossTheOthersHaveToAnswerSoon() {
    var pool = PoolStateTests.make(2, 0)
    let (one, two) = (pool.connected(), pool.connected())
    pool.giveBack(one)
    pool.advance(.milliseconds(1))
    pool.giveBack(two, isLost: true)
    #expect(pool.ask() == .use(one, isStale: true))
    pool.advance(.milliseconds(1))
    pool.giveBack(one)
    #expect(pool.ask() == .use(one, isStale: false))
  }

  @Test func aFailedAttemptIsToldToAllInLineAndThenOneAtATimeTriesAgain() throws {
    var pool = PoolStateTests.make(2, 0)
    let opening = (0..<2).map { _ in pool.lease() }
    let waiting = (0..<3).map { _ in pool.lease() }
    for lease in opening { pool.finishOpening(lease, succeeds: false) }
    #expect((opening + waiting).allSatisfy { pool.decision($0) == .unreachable })
    // Right after it nobody waits.
    #expect(pool.ask() == .unreachable)
    pool.advance(PoolState.failureToldFor)
    let next = (0..<3).map { _ in pool.lease() }
    pool.advance(PoolState.backoffMax)
    #expect(next.count { if case .open = pool.decision($0) { true } else { false } } == 1)
    pool.finishOpening(next[0], succeeds: true)
    // It is there again: the second is opened, and the third waits for one of them.
    guard case .open = pool.decision(next[1]) else {
      Issue.record("the second did not try")
      return
    }
    #expect(pool.decision(next[2]) == nil && pool.state.counts.timeouts == 0)
  }

  @Test func attemptsToReachALostDatabaseBecomeRareAndAreSpread() throws {
    var spans: Set<Duration> = []
    for seed in 1...20 as ClosedRange<UInt64> {
      var pool = PoolUnderTest(PoolState.Options(), seed: seed)
      var last = Duration.zero
      for attempt in 1...12 {
        let lease = pool.lease()
        while pool.decision(lease) == nil { pool.advance(.milliseconds(1)) }
        guard case .open = pool.decision(lease) else {
          Issue.record("nobody tried: \(attempt)")
          return
        }
        if attempt > 8 {
          let span = pool.now - last
          #expect(span >= PoolState.backoffMax / 2 && span <= PoolState.backoffMax + .milliseconds(1))
          spans.insert(span)
        }
        last = pool.now
        pool.finishOpening(lease, succeeds: false)
        pool.advance(PoolState.failureToldFor)
      }
    }
    #expect(spans.count > 40)
  }

  @Test func whileOthersAreServedAFailedAttemptIsNoReasonToGiveUp() {
    var pool = PoolStateTests.make(2, 0)
    let one = pool.connected()
    let lease = pool.lease()
    pool.finishOpening(lease, succeeds: false)
    #expect(pool.decision(lease) == nil)
    pool.giveBack(one)
    #expect(pool.decision(lease) == .use(one, isStale: false))
  }

  // MARK: Anything in any order

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8]) func promisesHoldInAKnownHistory(_ seed: UInt64) { history(seed) }

  @Test func promisesHoldInAFreshHistory() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("pool history with seed \(seed)")
    history(seed)
  }

  private func history(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var options = PoolState.Options()
    options.size = Int.random(in: 1...5, using: &random)
    options.overflow = Int.random(in: 0...3, using: &random)
    options.waitMax = .milliseconds(Int.random(in: 1...5_000, using: &random))
    options.ageMax = .seconds(Int.random(in: 1...100, using: &random))
    options.checkAfterIdle = .milliseconds(Int.random(in: 0...10_000, using: &random))
    var pool = PoolUnderTest(options, seed: seed)
    var isReachable = true
    for _ in 0..<3_000 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0...3: _ = pool.lease()
      case 4...6:
        guard let id = pool.inUse.randomElement(using: &random) else { break }
        pool.giveBack(id, isLost: !isReachable || Int.random(in: 0..<10, using: &random) == 0)
      case 7: if let id = pool.inUse.randomElement(using: &random) { _ = pool.replace(id) }
      case 8, 9: if let lease = pool.opening.randomElement(using: &random) { pool.finishOpening(lease, succeeds: isReachable) }
      case 10: pool.advance(.milliseconds(Int.random(in: 0...20_000, using: &random)))
      default: if Int.random(in: 0..<5, using: &random) == 0 { isReachable.toggle() }
      }
      pool.check()
    }
    // Everything comes to an end.
    isReachable = true
    while let lease = pool.opening.first { pool.finishOpening(lease, succeeds: true) }
    while let id = pool.inUse.first {
      pool.giveBack(id)
      while let lease = pool.opening.first { pool.finishOpening(lease, succeeds: true) }
    }
    pool.advance(options.waitMax)
    while let lease = pool.opening.first { pool.finishOpening(lease, succeeds: true) }
    #expect(pool.state.counts.waiting == 0)
    #expect(pool.wereDecidedInOrder)
  }
}
