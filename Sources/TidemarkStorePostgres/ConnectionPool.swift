internal import Glibc
internal import TidemarkPostgres
internal import TidemarkStore

/// Lends connections to transactions: `PoolState` with threads that wait and connections that are real.
///
/// Whoever is told to open a connection does so on its own thread, without the lock.
///
/// `@unchecked Sendable`: every access to the mutable state holds `mutex`, and a connection belongs to the thread that leased it.
final class ConnectionPool: @unchecked Sendable {
  /// A connection that one thread may use until it gives it back.
  struct Lease {
    let id: PoolState.ConnectionID
    let connection: PostgresConnection
    /// It was used before, and may have been lost since.
    let isUsed: Bool
    /// It has to answer soon.
    let isStale: Bool
  }

  private let open: @Sendable () throws(StoreError) -> PostgresConnection
  private let random: @Sendable () -> UInt64
  private let warn: @Sendable (String) -> Void
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var state: PoolState
  private var connections: [PoolState.ConnectionID: PostgresConnection] = [:]
  private var decisions: [PoolState.LeaseID: PoolState.Decision] = [:]
  /// Why the latest attempt to open a connection failed.
  private var failure = StoreError(.unavailable, "")
  /// Whether the latest attempt to open a connection succeeded; `nil` before the first that did.
  private var isReached: Bool?

  /// - Parameters:
  ///   - random: spreads ages and back-offs.
  ///   - warn: is told when the database that was there cannot be reached, and when it is back.
  ///   - open: opens a connection; blocks.
  init(
    options: PoolState.Options, random: @escaping @Sendable () -> UInt64, warn: @escaping @Sendable (String) -> Void = { _ in },
    open: @escaping @Sendable () throws(StoreError) -> PostgresConnection
  ) {
    self.open = open
    self.random = random
    self.warn = warn
    state = PoolState(options: options)
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// The numbers as they are now.
  var counts: ConnectionCounts { locked { $0.counts } }

  /// Lends a connection; blocks until there is one.
  ///
  /// - Throws: `unavailable` when the database cannot be reached, or every connection is in use for too long.
  func lease() throws(StoreError) -> Lease { try take(nil) }

  /// Lends another connection in place of one that was found lost before anything was done on it.
  func replace(_ lease: Lease) throws(StoreError) -> Lease { try take(lease) }

  /// Takes a connection back.
  func giveBack(_ lease: Lease) {
    change { $0.giveBack(lease.id, isLost: lease.connection.isLost, now: ConnectionPool.now) }
  }

  private func take(_ lost: Lease?) throws(StoreError) -> Lease {
    var id: PoolState.LeaseID = 0
    change { state in
      let now = ConnectionPool.now
      var effects = lost.map { state.didFailCheck($0.id, now: now) } ?? PoolState.Effects()
      let (lease, more) = state.lease(now: now, isFirst: lost != nil)
      id = lease
      effects.decisions += more.decisions
      effects.closed += more.closed
      return effects
    }
    while true {
      switch waitForDecision(id) {
      case .use(let connectionID, let isStale):
        guard let connection = locked({ _ in connections[connectionID] }) else {
          throw StoreError(.failed, "the pool has lost a connection")
        }
        return Lease(id: connectionID, connection: connection, isUsed: true, isStale: isStale)
      case .open(let connectionID):
        if let opened = makeConnection(connectionID) { return opened }
      case .usedUp:
        let counts = counts
        throw StoreError(
          .unavailable,
          "the pool is used up: none of its \(counts.sizeMax + counts.overflowMax) connections became free in time")
      case .unreachable: throw locked { _ in failure }
      }
    }
  }

  /// Opens a connection; `nil` when it failed, and what becomes of the lease is decided anew.
  private func makeConnection(_ id: PoolState.ConnectionID) -> Lease? {
    do throws(StoreError) {
      let connection = try open()
      change {
        connections[id] = connection
        return $0.didOpen(id, now: ConnectionPool.now, random: random())
      }
      if note(isReached: true) == false { warn("the database is reached again") }
      return Lease(id: id, connection: connection, isUsed: false, isStale: false)
    } catch {
      change {
        failure = error
        return $0.didFailToOpen(id, now: ConnectionPool.now, random: random())
      }
      if note(isReached: false) == true { warn("the database cannot be reached; calls are told to try again: \(error.message)") }
      return nil
    }
  }

  /// Notes what became of an attempt, and returns what was noted before; `nil` as long as there was no connection yet.
  private func note(isReached new: Bool) -> Bool? {
    locked { _ in
      defer { if new || isReached != nil { isReached = new } }
      return isReached
    }
  }

  /// Waits until it is decided what becomes of a lease.
  private func waitForDecision(_ id: PoolState.LeaseID) -> PoolState.Decision {
    while true {
      pthread_mutex_lock(mutex)
      while decisions[id] == nil, let tick = state.nextTick, ConnectionPool.now < tick {
        var time = timespec(tick)
        pthread_cond_timedwait(condition, mutex, &time)
      }
      let decision = decisions.removeValue(forKey: id)
      pthread_mutex_unlock(mutex)
      if let decision { return decision }
      change { $0.tick(now: ConnectionPool.now) }
    }
  }

  /// Changes the state, passes the decisions on, and closes what is to be closed, without the lock.
  private func change(_ body: (inout PoolState) -> PoolState.Effects) {
    let closed = locked { state in
      let tick = state.nextTick
      let effects = body(&state)
      for decided in effects.decisions { decisions[decided.lease] = decided.decision }
      if !effects.decisions.isEmpty || state.nextTick != tick { pthread_cond_broadcast(condition) }
      return effects.closed.map { connections.removeValue(forKey: $0) }
    }
    withExtendedLifetime(closed) {}
  }

  private func locked<Result>(_ body: (inout PoolState) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&state)
  }

  private static var now: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}

extension timespec {
  fileprivate init(_ duration: Duration) {
    self.init(
      tv_sec: Int(duration.components.seconds), tv_nsec: Int(duration.components.attoseconds / 1_000_000_000))
  }
}
