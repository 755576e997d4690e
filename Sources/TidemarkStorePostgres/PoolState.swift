internal import TidemarkStore

/// Which connections a pool has, who has them and who waits: a value without clock, sockets, threads or randomness of its own.
///
/// ```
/// state of a connection   leaves for
/// opening                 in use: it was opened                gone: it could not be
/// in use                  idle: it was given back              gone: it is lost, too old, or above the size
/// idle                    in use: a transaction begins on it   gone: it is too old, or one that was used later was lost
/// ```
/// Whoever asks for a connection stands in line, and is served in the order of the line: with an idle connection, else by opening one.
///
/// After an attempt to open one failed there is a back-off, after it one attempt at a time until one succeeds. An attempt that fails is told to
/// all in line, and to those who come right after it, so that nobody waits for a database that is away longer than for the next attempt.
/// While others still use connections the line waits for theirs in place of that.
struct PoolState {
  typealias ConnectionID = UInt64
  typealias LeaseID = UInt64

  struct Options: Hashable, Sendable {
    /// How many connections are kept, at least 1.
    var size = 8
    /// How many more may be open while they are needed.
    var overflow = 4
    /// How long a transaction may stand in line.
    var waitMax: Duration = .seconds(5)
    /// A connection is replaced once it is this old, give or take an eighth, so that not all are replaced at once.
    var ageMax: Duration = .seconds(1_800)
    /// A connection that was idle for this long has to answer soon when it is used again.
    var checkAfterIdle: Duration = .seconds(30)
  }

  /// What becomes of a lease.
  enum Decision: Hashable {
    /// Use this connection. `isStale` when it may have been lost meanwhile.
    case use(ConnectionID, isStale: Bool)
    /// Open this connection, and say what became of it.
    case open(ConnectionID)
    /// None became free in time.
    case usedUp
    /// The database cannot be reached.
    case unreachable
  }

  /// What is to be done after something happened.
  struct Effects: Hashable {
    var decisions: [Decided] = []
    var closed: [ConnectionID] = []
  }

  struct Decided: Hashable {
    var lease: LeaseID
    var decision: Decision
  }

  /// The back-off after the first failed attempt, and the longest. Not longer than the clients are told to wait.
  static let backoffMin: Duration = .milliseconds(50)
  static let backoffMax: Duration = .milliseconds(1_000)
  /// For how long a failed attempt is told to those who come after it.
  static let failureToldFor: Duration = .milliseconds(50)

  private struct Slot {
    var phase: Phase
    /// When it is too old.
    var expiry: Duration = .zero
    var lastUsed: Duration = .zero
  }

  private enum Phase: Equatable {
    case opening(Waiter)
    case inUse
    case idle
  }

  private struct Waiter: Equatable {
    let lease: LeaseID
    /// When it came.
    let since: Duration
    /// Up to when its wait is counted.
    var countedUntil: Duration
  }

  let options: Options
  private var slots: [ConnectionID: Slot] = [:]
  /// The one that was used last at the end: it is used again first, so that those beyond the need become old.
  private var idle: [ConnectionID] = []
  private var line: [Waiter] = []
  private var nextID: UInt64 = 1
  /// Failed attempts since the last that succeeded. What was under way together counts once.
  private var failures = 0
  private var notBefore = Duration.zero
  private var toldUntil = Duration.zero
  /// What was used last before this moment may have been lost together with another.
  private var doubtedUntil: Duration?
  private var totals = ConnectionCounts()

  init(options: Options) { self.options = options }

  /// The numbers as they are now.
  var counts: ConnectionCounts {
    var counts = totals
    counts.sizeMax = max(options.size, 1)
    counts.overflowMax = max(options.overflow, 0)
    counts.idle = idle.count
    counts.inUse = slots.values.count { $0.phase == .inUse }
    counts.waiting = line.count
    return counts
  }

  /// When `tick` has something to do at the latest, if nothing else happens; `nil` for never.
  var nextTick: Duration? {
    guard let oldest = line.map(\.since).min() else { return nil }
    let timeout = oldest + options.waitMax
    return failures > 0 && !isOpening && hasRoom ? min(timeout, notBefore) : timeout
  }

  // MARK: Events

  /// A transaction begins. What becomes of it is among the decisions, now or later.
  ///
  /// - Parameter isFirst: it had its turn, and goes to the head of the line.
  mutating func lease(now: Duration, isFirst: Bool = false) -> (LeaseID, Effects) {
    var effects = Effects()
    let waiter = Waiter(lease: makeID(), since: now, countedUntil: now)
    if !isFirst { totals.leases &+= 1 }
    closeOld(now, &effects)
    line.insert(waiter, at: isFirst ? 0 : line.count)
    serve(now, &effects)
    if line.contains(waiter) {
      if failures > 0, now < toldUntil, slots.isEmpty {
        line.removeAll { $0 == waiter }
        effects.decisions.append(Decided(lease: waiter.lease, decision: .unreachable))
      } else {
        totals.waits &+= 1
      }
    }
    return (waiter.lease, effects)
  }

  /// A connection was opened, and is in use.
  ///
  /// - Parameter random: chooses its age.
  mutating func didOpen(_ id: ConnectionID, now: Duration, random: UInt64) -> Effects {
    var effects = Effects()
    guard let slot = slots[id], case .opening = slot.phase else { return effects }
    let share = 0.875 + 0.25 * PoolState.fraction(random)
    slots[id] = Slot(phase: .inUse, expiry: now + options.ageMax * share, lastUsed: now)
    totals.opened &+= 1
    failures = 0
    serve(now, &effects)
    return effects
  }

  /// A connection could not be opened.
  ///
  /// - Parameter random: chooses the back-off.
  mutating func didFailToOpen(_ id: ConnectionID, now: Duration, random: UInt64) -> Effects {
    var effects = Effects()
    guard let slot = slots[id], case .opening(var waiter) = slot.phase else { return effects }
    slots[id] = nil
    totals.openFailures &+= 1
    if failures == 0 || now >= notBefore {
      failures = min(failures + 1, 16)
      let longest = min(PoolState.backoffMin * (1 << (failures - 1)), PoolState.backoffMax)
      notBefore = now + longest * (0.5 + 0.5 * PoolState.fraction(random))
    }
    toldUntil = now + PoolState.failureToldFor
    waiter.countedUntil = now
    line.insert(waiter, at: 0)
    if slots.values.contains(where: { $0.phase == .inUse }) {
      totals.waits &+= 1
      serve(now, &effects)
    } else {
      for waiter in line {
        note(waiter, now)
        effects.decisions.append(Decided(lease: waiter.lease, decision: .unreachable))
      }
      line = []
    }
    return effects
  }

  /// A transaction ended on a connection.
  ///
  /// - Parameter isLost: nothing more can be run on it.
  mutating func giveBack(_ id: ConnectionID, isLost: Bool, now: Duration) -> Effects {
    var effects = Effects()
    guard let slot = slots[id], slot.phase == .inUse else { return effects }
    if isLost {
      doubtedUntil = now
      close(id, \.closedBroken, &effects)
    } else if now >= slot.expiry {
      close(id, \.closedRecycled, &effects)
    } else {
      slots[id]?.phase = .idle
      slots[id]?.lastUsed = now
      idle.append(id)
    }
    serve(now, &effects)
    while slots.count > max(options.size, 1), let last = idle.last { close(last, \.closedOverflow, &effects) }
    return effects
  }

  /// A connection turned out to be lost when a transaction began on it. Those that were used before it are as old, and closed, too.
  mutating func didFailCheck(_ id: ConnectionID, now: Duration) -> Effects {
    var effects = Effects()
    guard let slot = slots[id], slot.phase == .inUse else { return effects }
    totals.checksFailed &+= 1
    for other in idle where (slots[other]?.lastUsed ?? .zero) <= slot.lastUsed { close(other, \.closedBroken, &effects) }
    doubtedUntil = now
    close(id, \.closedBroken, &effects)
    return effects
  }

  /// Time has passed.
  mutating func tick(now: Duration) -> Effects {
    var effects = Effects()
    serve(now, &effects)
    for waiter in line where now - waiter.since >= options.waitMax {
      totals.timeouts &+= 1
      note(waiter, now)
      let decision = failures > 0 ? Decision.unreachable : .usedUp
      effects.decisions.append(Decided(lease: waiter.lease, decision: decision))
    }
    line.removeAll { now - $0.since >= options.waitMax }
    return effects
  }

  // MARK: The line

  private var isOpening: Bool {
    slots.values.contains { slot in
      if case .opening = slot.phase { return true }
      return false
    }
  }

  private var hasRoom: Bool { slots.count < max(options.size, 1) + max(options.overflow, 0) }

  private mutating func serve(_ now: Duration, _ effects: inout Effects) {
    while let first = line.first, let decision = decide(first, now, &effects) {
      line.removeFirst()
      note(first, now)
      effects.decisions.append(Decided(lease: first.lease, decision: decision))
    }
  }

  /// What the first in line gets; `nil` when it has to wait.
  private mutating func decide(_ first: Waiter, _ now: Duration, _ effects: inout Effects) -> Decision? {
    while let id = idle.last, let slot = slots[id] {
      guard now < slot.expiry else {
        close(id, \.closedRecycled, &effects)
        continue
      }
      idle.removeLast()
      slots[id]?.phase = .inUse
      let isDoubted = doubtedUntil.map { slot.lastUsed <= $0 } ?? false
      return .use(id, isStale: isDoubted || now - slot.lastUsed >= options.checkAfterIdle)
    }
    guard hasRoom, failures == 0 || (now >= notBefore && !isOpening) else { return nil }
    let id = makeID()
    slots[id] = Slot(phase: .opening(first))
    return .open(id)
  }

  private mutating func note(_ waiter: Waiter, _ now: Duration) {
    totals.waitedMicroseconds &+= UInt64(clamping: Int64(max(.zero, now - waiter.countedUntil) / .microseconds(1)))
  }

  private mutating func closeOld(_ now: Duration, _ effects: inout Effects) {
    for id in idle where (slots[id]?.expiry ?? .zero) <= now { close(id, \.closedRecycled, &effects) }
  }

  private mutating func close(
    _ id: ConnectionID, _ reason: WritableKeyPath<ConnectionCounts, UInt64>, _ effects: inout Effects
  ) {
    slots[id] = nil
    idle.removeAll { $0 == id }
    totals[keyPath: reason] &+= 1
    effects.closed.append(id)
  }

  private mutating func makeID() -> UInt64 {
    defer { nextID &+= 1 }
    return nextID
  }

  /// A number from 0 up to 1.
  private static func fraction(_ random: UInt64) -> Double { Double(random >> 11) / Double(UInt64(1) << 53) }
}
