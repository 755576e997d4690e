import Testing
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStorePostgres

/// A pool's state with a clock that is moved by hand, and a plain account of what it decided.
struct PoolUnderTest {
  private(set) var state: PoolState
  private(set) var now = Duration.seconds(1)
  private(set) var closed: [PoolState.ConnectionID] = []
  /// Connections that a lease has.
  private(set) var inUse: [PoolState.ConnectionID] = []
  /// Leases that were told to open a connection.
  private(set) var opening: [PoolState.LeaseID] = []
  private(set) var wereDecidedInOrder = true
  private var decisions: [PoolState.LeaseID: PoolState.Decision] = [:]
  private var idle: Set<PoolState.ConnectionID> = []
  /// Leases without a decision, in the order in which they have to be served, and since when.
  private var line: [(lease: PoolState.LeaseID, since: Duration)] = []
  private var began: [PoolState.LeaseID: Duration] = [:]
  private var random: SeededGenerator

  init(_ options: PoolState.Options, seed: UInt64) {
    state = PoolState(options: options)
    random = SeededGenerator(seed: seed)
  }

  func decision(_ lease: PoolState.LeaseID) -> PoolState.Decision? { decisions[lease] }

  // MARK: Events

  mutating func lease() -> PoolState.LeaseID {
    let (lease, effects) = state.lease(now: now)
    line.append((lease, now))
    began[lease] = now
    take(effects)
    return lease
  }

  /// What is decided about a new lease at once.
  mutating func ask() -> PoolState.Decision? {
    let lease = lease()
    return decisions[lease]
  }

  /// A lease that gets a new connection, which is opened.
  mutating func connected() -> PoolState.ConnectionID {
    let lease = lease()
    guard case .open(let id) = decisions[lease] else { return 0 }
    finishOpening(lease, succeeds: true)
    return id
  }

  mutating func finishOpening(_ lease: PoolState.LeaseID, succeeds: Bool) {
    guard case .open(let id) = decisions[lease] else { return }
    opening.removeAll { $0 == lease }
    if succeeds {
      inUse.append(id)
      take(state.didOpen(id, now: now, random: random.next()))
    } else {
      decisions[lease] = nil
      line.insert((lease, began[lease] ?? now), at: 0)
      take(state.didFailToOpen(id, now: now, random: random.next()))
    }
  }

  mutating func giveBack(_ id: PoolState.ConnectionID, isLost: Bool = false) {
    inUse.removeAll { $0 == id }
    idle.insert(id)
    take(state.giveBack(id, isLost: isLost, now: now))
    #expect(!isLost || closed.contains(id))
  }

  mutating func replace(_ id: PoolState.ConnectionID) -> PoolState.LeaseID {
    inUse.removeAll { $0 == id }
    idle.insert(id)
    take(state.didFailCheck(id, now: now))
    #expect(closed.contains(id))
    let (lease, effects) = state.lease(now: now, isFirst: true)
    line.insert((lease, now), at: 0)
    began[lease] = now
    take(effects)
    return lease
  }

  /// Moves the clock, and wakes the pool as often as it wants to be.
  mutating func advance(_ duration: Duration) {
    let end = now + duration
    while let tick = state.nextTick, tick <= end {
      now = max(now, tick)
      take(state.tick(now: now))
      // It must not ask to be woken for what it has done.
      if let next = state.nextTick { #expect(next > now) }
    }
    now = end
  }

  private mutating func take(_ effects: PoolState.Effects) {
    // What is closed first makes room for what is opened.
    for id in effects.closed {
      #expect(idle.contains(id) && !inUse.contains(id))
      idle.remove(id)
      closed.append(id)
    }
    for decided in effects.decisions {
      guard let place = line.firstIndex(where: { $0.lease == decided.lease }) else {
        Issue.record("lease \(decided.lease) was decided twice")
        continue
      }
      let waiter = line.remove(at: place)
      decisions[decided.lease] = decided.decision
      switch decided.decision {
      case .use(let id, _):
        if place != 0 { wereDecidedInOrder = false }
        #expect(idle.remove(id) != nil, "\(id) was lent while it was in use or closed")
        inUse.append(id)
      case .open:
        if place != 0 { wereDecidedInOrder = false }
        opening.append(decided.lease)
      case .usedUp: #expect(now - waiter.since >= state.options.waitMax)
      case .unreachable: break
      }
    }
  }

  // MARK: What always holds

  func check() {
    let counts = state.counts
    #expect(counts.inUse == inUse.count && counts.idle == idle.count && counts.waiting == line.count)
    #expect(inUse.count + idle.count + opening.count <= counts.sizeMax + counts.overflowMax)
    #expect(counts.idle <= counts.sizeMax)
    #expect(counts.opened == UInt64(inUse.count + idle.count + closed.count))
    #expect(counts.closedBroken + counts.closedRecycled + counts.closedOverflow == UInt64(closed.count))
    // Nobody waits beside a connection that is free, or longer than allowed.
    #expect(line.isEmpty || idle.isEmpty)
    #expect(line.allSatisfy { now - $0.since < state.options.waitMax || state.nextTick.map { $0 <= now } ?? false })
    #expect(line.isEmpty == (state.nextTick == nil))
  }
}
