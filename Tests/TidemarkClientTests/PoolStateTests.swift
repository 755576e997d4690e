import Testing
import TidemarkTesting

@testable import TidemarkClient

/// Which connections a pool has, without a clock and without connections.
@Suite struct PoolStateTests {
  private func options(connections: Int = 2, calls: Int = 2) -> PoolOptions {
    var options = PoolOptions()
    (options.connectionsMax, options.callsPerConnectionMax) = (connections, calls)
    return options
  }

  private func acquire(_ pool: inout PoolState, at now: Duration = .zero, random: UInt64 = 0) -> PoolState.Decision {
    pool.acquire(now: now, random: random).decision
  }

  @Test func callsSpreadOverConnectionsAndThenWait() {
    var pool = PoolState(options: options(), servers: 2)
    #expect(acquire(&pool) == .open(1, address: 0))
    #expect(acquire(&pool) == .open(2, address: 1))
    #expect(acquire(&pool) == .use(1))
    #expect(acquire(&pool) == .use(2))
    #expect(acquire(&pool) == .queue)
    #expect(pool.release(1, isBroken: false, now: .zero, random: 0).isEmpty)
    #expect(acquire(&pool) == .use(1))
  }

  @Test func anIdleConnectionIsCheckedBeforeItIsUsed() {
    var pool = PoolState(options: options(connections: 1), servers: 1)
    _ = acquire(&pool)
    _ = pool.release(1, isBroken: false, now: .zero, random: 0)
    #expect(acquire(&pool, at: .seconds(29)) == .use(1))
    _ = pool.release(1, isBroken: false, now: .seconds(29), random: 0)
    #expect(acquire(&pool, at: .seconds(59)) == .check(1))
    #expect(acquire(&pool, at: .seconds(59)) == .queue, "nobody uses it before it answered")
    pool.didAnswer(1, now: .seconds(59))
    #expect(acquire(&pool, at: .seconds(59)) == .use(1))
  }

  @Test func anOldConnectionIsReplacedOnceItsCallsEnded() {
    var pool = PoolState(options: options(connections: 1), servers: 1)
    _ = acquire(&pool)
    _ = acquire(&pool)
    let late = Duration.seconds(2_100)
    #expect(acquire(&pool, at: late) == .queue, "the old one still counts")
    #expect(pool.release(1, isBroken: false, now: late, random: 0).isEmpty)
    #expect(pool.release(1, isBroken: false, now: late, random: 0) == [1])
    #expect(acquire(&pool, at: late) == .open(2, address: 0))
  }

  @Test func connectionsDoNotAgeTogether() {
    var pool = PoolState(options: options(connections: 2, calls: 1), servers: 1)
    _ = acquire(&pool, random: 0)
    _ = acquire(&pool, random: .max)
    #expect(pool.slots[0].expiry == .seconds(1_575))
    #expect(pool.slots[1].expiry > .seconds(2_024))
  }

  @Test func aServerThatFailsIsLeftAloneForAWhile() {
    var pool = PoolState(options: options(connections: 1), servers: 2)
    #expect(acquire(&pool) == .open(1, address: 0))
    #expect(pool.release(1, isBroken: true, now: .zero, random: .max) == [1])
    #expect(acquire(&pool) == .open(2, address: 1))
    #expect(pool.release(2, isBroken: true, now: .zero, random: .max) == [2])
    guard case .wait(let until) = acquire(&pool) else {
      Issue.record("both failed")
      return
    }
    #expect(until > .milliseconds(99) && until <= .milliseconds(100))
    guard case .open = acquire(&pool, at: until) else {
      Issue.record("one may be tried again")
      return
    }
  }

  @Test func connectionsOfAServerThatFailedAreNotUsedWhileAnotherMayBeTried() {
    var pool = PoolState(options: options(connections: 4, calls: 9), servers: 2)
    #expect(acquire(&pool) == .open(1, address: 0))
    #expect(acquire(&pool) == .open(2, address: 1))
    #expect(acquire(&pool) == .open(3, address: 0))
    #expect(acquire(&pool) == .open(4, address: 1))
    #expect(pool.mayTryElsewhere(now: .zero))
    // One connection to the first server fails; the other one has a call that goes on.
    #expect(pool.release(1, isBroken: true, now: .zero, random: .max) == [1])
    #expect(acquire(&pool) == .open(5, address: 1))
    for _ in 0..<6 {
      guard case .use(let id) = acquire(&pool) else {
        Issue.record("there are places on the second server")
        return
      }
      #expect([2, 4, 5].contains(id))
    }
    // The call on it ends, and so does the connection.
    #expect(pool.release(3, isBroken: false, now: .zero, random: 0).isEmpty)
  }

  @Test func whenAllServersFailedTheirConnectionsAreUsed() {
    var pool = PoolState(options: options(connections: 4, calls: 9), servers: 2)
    for _ in 0..<4 { _ = acquire(&pool) }
    _ = pool.release(1, isBroken: true, now: .zero, random: .max)
    _ = pool.release(2, isBroken: true, now: .zero, random: .max)
    #expect(!pool.mayTryElsewhere(now: .zero))
    guard case .use(let id) = acquire(&pool) else {
      Issue.record("there are connections")
      return
    }
    #expect([3, 4].contains(id))
  }

  @Test func whenAllServersFailedNoneIsLeftForLongAndTheOneThatFailedFirstIsNext() {
    var pool = PoolState(options: options(connections: 1), servers: 2)
    var now = Duration.zero
    var tried: [Int] = []
    while tried.count < 20 {
      switch acquire(&pool, at: now) {
      case .open(let id, let address):
        tried.append(address)
        _ = pool.release(id, isBroken: true, now: now, random: .max)
      case .wait(let until):
        #expect(until > now && until - now <= PoolState.leftWithOthersMax)
        now = until
      case .use, .check, .queue: Issue.record("there is no connection")
      }
    }
    #expect(tried.suffix(10) == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1] || tried.suffix(10) == [1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
  }

  @Test func aServerThatReturnsGetsConnectionsAgain() {
    var pool = PoolState(options: options(connections: 4, calls: 9), servers: 2)
    for _ in 0..<4 { _ = acquire(&pool) }
    for id in [1, 3] as [PoolState.ID] { _ = pool.release(id, isBroken: true, now: .zero, random: .max) }
    for _ in 0..<3 { _ = acquire(&pool) }
    #expect(pool.slots.map(\.address) == [1, 1, 1, 1])
    // The wait is over: one of the other's connections makes room once its calls have ended.
    let later = Duration.seconds(30)
    guard case .use = acquire(&pool, at: later), let leaving = pool.slots.first(where: \.isRetiring) else {
      Issue.record("one connection leaves, calls go to the others")
      return
    }
    #expect(pool.slots.count { $0.isRetiring } == 1)
    var closed: [PoolState.ID] = []
    for _ in 0..<leaving.calls { closed += pool.release(leaving.id, isBroken: false, now: later, random: 0) }
    #expect(closed == [leaving.id])
    guard case .open(_, address: 0) = acquire(&pool, at: later) else {
      Issue.record("the first server is back")
      return
    }
  }

  @Test func clientsBeginWithDifferentServers() {
    for start in 0..<3 {
      var pool = PoolState(options: options(connections: 3), servers: 3, start: start)
      let first = (0..<3).map { _ in acquire(&pool) }
      #expect(first == (0..<3).map { .open(PoolState.ID($0 + 1), address: (start + $0) % 3) })
    }
  }

  /// All clients reached the longest wait: their waits are spread over all of it, not all at its end.
  @Test func theLongestWaitIsSpreadToo() {
    var pool = PoolState(options: options(connections: 1), servers: 1)
    var random = SeededGenerator(printing: "server waits")
    var now = Duration.zero
    var waits: [Duration] = []
    for attempt in 1...140 {
      guard case .open(let id, _) = acquire(&pool, at: now) else {
        Issue.record("the wait was over")
        return
      }
      _ = pool.release(id, isBroken: true, now: now, random: random.next())
      guard case .wait(let until) = acquire(&pool, at: now) else { continue }
      if attempt > 12 { waits.append(until - now) }
      now = until
    }
    #expect(waits.allSatisfy { $0 <= .seconds(10) })
    for second in 0..<10 { #expect(waits.contains { $0 >= .seconds(second) && $0 <= .seconds(second + 1) }) }
  }

  @Test func callsThatFailTogetherCountOnce() {
    var pool = PoolState(options: options(connections: 1, calls: 9), servers: 1)
    for _ in 0..<5 { _ = acquire(&pool) }
    for _ in 0..<5 { _ = pool.release(1, isBroken: true, now: .zero, random: 0) }
    #expect(pool.servers[0].failures == 1)
    #expect(pool.slots.isEmpty)
  }

  @Test func withoutServersNothingIsOpened() {
    var pool = PoolState(options: options(), servers: 0)
    guard case .wait = acquire(&pool) else {
      Issue.record("there is nothing to open")
      return
    }
  }

  /// Whatever happens: never more connections than allowed, never more calls on one, and every call finds an end.
  @Test func limitsHoldWhateverHappens() {
    var random = SeededGenerator(printing: "pools")
    for _ in 0..<100 {
      let options = options(connections: .random(in: 1...4, using: &random), calls: .random(in: 1...3, using: &random))
      var pool = PoolState(options: options, servers: Int.random(in: 1...3, using: &random))
      var running: [PoolState.ID] = []
      var now = Duration.zero
      for _ in 0..<300 {
        now += .milliseconds(Int.random(in: 0...60_000, using: &random))
        if Bool.random(using: &random) || running.isEmpty {
          switch acquire(&pool, at: now, random: random.next()) {
          case .use(let id), .open(let id, _): running.append(id)
          case .check(let id):
            running.append(id)
            if Bool.random(using: &random) { pool.didAnswer(id, now: now) }
          case .wait(let until): #expect(until > now && pool.slots.allSatisfy(\.isRetiring))
          case .queue: #expect(!running.isEmpty, "a call that waits waits for another")
          }
        } else {
          let id = running.remove(at: Int.random(in: 0..<running.count, using: &random))
          _ = pool.release(id, isBroken: Int.random(in: 0..<4, using: &random) == 0, now: now, random: random.next())
        }
        #expect(pool.slots.count <= options.connectionsMax)
        #expect(pool.slots.allSatisfy { $0.calls <= options.callsPerConnectionMax })
        #expect(pool.slots.map(\.calls).reduce(0, +) == running.count)
      }
    }
  }
}
