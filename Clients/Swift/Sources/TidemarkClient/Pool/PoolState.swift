/// Which connections a pool has and what is on them: a value without clock, socket or randomness of its own.
///
/// A server that failed is left alone for a while: its connections are not used while another server may be tried, and no new one is opened. After
/// that it gets connections again, in place of some of a server that has several. docs/decisions/clients-fail-over.md says why.
///
/// ```
/// state of a connection   leaves for
/// checking                ready: it gave a sign of life         retiring: it gave none
/// ready                   retiring: too old, or a call failed
/// retiring                gone: its last call ended
/// ```
struct PoolState {
  typealias ID = UInt64

  /// One connection.
  struct Slot: Hashable {
    let id: ID
    /// The place of its server in the list.
    let address: Int
    /// When it is too old.
    let expiry: Duration
    var calls = 1
    var lastUsed: Duration
    var isChecking = false
    var isRetiring = false
  }

  /// One server.
  struct Server: Hashable {
    var failures = 0
    /// When it failed last.
    var failedAt = Duration.zero
    /// When it may be tried again.
    var notBefore = Duration.zero
  }

  /// What to do with a call.
  enum Decision: Hashable {
    /// Use this connection; it has the call already.
    case use(ID)
    /// Ask this connection for a sign of life, then use it.
    case check(ID)
    /// Open a connection to this server; it has the call already.
    case open(ID, address: Int)
    /// All servers failed lately, and there is no connection: ask again then.
    case wait(until: Duration)
    /// Every place is taken.
    case queue
  }

  /// When all of several servers failed, each may be tried again after this: leaving one for long helps only while there is another.
  static let leftWithOthersMax = Duration.milliseconds(500)

  let options: PoolOptions
  private(set) var slots: [Slot] = []
  private(set) var servers: [Server]
  private var nextID: ID = 1
  private var nextAddress = 0

  /// - Parameters:
  ///   - servers: how many there are.
  ///   - start: the place of the one to begin with.
  init(options: PoolOptions, servers: Int, start: Int = 0) {
    self.options = options
    nextAddress = start
    self.servers = [Server](repeating: Server(), count: max(servers, 0))
  }

  /// Finds a place for a call.
  ///
  /// - Returns: what to do, and the connections that are to be closed.
  mutating func acquire(now: Duration, random: UInt64) -> (decision: Decision, closed: [ID]) {
    for index in slots.indices where slots[index].expiry <= now { slots[index].isRetiring = true }
    moveOver(now: now)
    let closed = sweep()
    return (decide(now: now, random: random), closed)
  }

  /// Whether a server that did not fail lately can be tried in place of one that did.
  func mayTryElsewhere(now: Duration) -> Bool { servers.count > 1 && servers.contains { $0.notBefore <= now } }

  /// Makes room for connections to a server that has none: those that nobody uses go when their server is left alone, and one of a
  /// server that has several goes when there is no place for the first to another.
  private mutating func moveOver(now: Duration) {
    guard mayTryElsewhere(now: now) else { return }
    for index in slots.indices where slots[index].calls == 0 && servers[slots[index].address].notBefore > now {
      slots[index].isRetiring = true
    }
    let isFull = slots.count >= max(options.connectionsMax, 1) && !slots.contains(where: \.isRetiring)
    let isLacking = servers.indices.contains { servers[$0].notBefore <= now && count(of: $0) == 0 }
    guard isFull, isLacking, let crowded = servers.indices.max(by: { count(of: $0) < count(of: $1) }), count(of: crowded) > 1,
      let index = slots.indices.filter({ slots[$0].address == crowded }).min(by: { slots[$0].calls < slots[$1].calls })
    else { return }
    slots[index].isRetiring = true
  }

  /// How many connections a server has that take calls.
  private func count(of address: Int) -> Int { slots.count { $0.address == address && !$0.isRetiring } }

  private mutating func decide(now: Duration, random: UInt64) -> Decision {
    let free = slots.indices.filter {
      !slots[$0].isRetiring && !slots[$0].isChecking && slots[$0].calls < max(options.callsPerConnectionMax, 1)
    }
    let hasRoom = slots.count < max(options.connectionsMax, 1)
    let address = hasRoom ? nextServer(now: now) : nil
    // Those of servers that are left alone serve when there is nothing else.
    let good = free.filter { servers[slots[$0].address].notBefore <= now }
    let usable = good.isEmpty && address == nil ? free : good
    // The one used last, so that those beyond the need become old.
    if let idle = usable.filter({ slots[$0].calls == 0 }).max(by: { slots[$0].lastUsed < slots[$1].lastUsed }) {
      let isStale = now - slots[idle].lastUsed >= options.idleBeforePing
      slots[idle].calls = 1
      slots[idle].isChecking = isStale
      if !isStale { slots[idle].lastUsed = now }
      return isStale ? .check(slots[idle].id) : .use(slots[idle].id)
    }
    if let address { return open(address, now: now, random: random) }
    if let free = usable.min(by: { slots[$0].calls < slots[$1].calls }) {
      slots[free].calls += 1
      slots[free].lastUsed = now
      return .use(slots[free].id)
    }
    // With connections that are busy or being checked, a place becomes free by itself.
    guard hasRoom, slots.allSatisfy(\.isRetiring) else { return .queue }
    return .wait(until: servers.map(mayBeTriedAt).min() ?? .seconds(Int64.max / 4))
  }

  private mutating func open(_ address: Int, now: Duration, random: UInt64) -> Decision {
    let id = nextID
    nextID += 1
    nextAddress = (address + 1) % servers.count
    let share = 0.875 + 0.25 * Double(random >> 11) / Double(UInt64(1) << 53)
    slots.append(Slot(id: id, address: address, expiry: now + options.ageMax * share, lastUsed: now))
    return .open(id, address: address)
  }

  /// The server that may be tried with the fewest connections, of these the next in turn.
  private func nextServer(now: Duration) -> Int? {
    let good = servers.indices.filter { servers[$0].notBefore <= now }
      .min { (count(of: $0), turn(of: $0)) < (count(of: $1), turn(of: $1)) }
    return good ?? servers.indices.filter { mayBeTriedAt(servers[$0]) <= now }.min { servers[$0].failedAt < servers[$1].failedAt }
  }

  /// When a server may be tried while there is none that did not fail.
  private func mayBeTriedAt(_ server: Server) -> Duration {
    servers.count > 1 ? min(server.notBefore, server.failedAt + PoolState.leftWithOthersMax) : server.notBefore
  }

  private func turn(of address: Int) -> Int { (address - nextAddress % servers.count + servers.count) % servers.count }

  /// Takes the sign of life of a connection.
  mutating func didAnswer(_ id: ID, now: Duration) {
    guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
    slots[index].isChecking = false
    slots[index].lastUsed = now
  }

  /// Takes the end of a call.
  ///
  /// - Parameter isBroken: the connection, or its server, failed.
  /// - Returns: the connections that are to be closed.
  mutating func release(_ id: ID, isBroken: Bool, now: Duration, random: UInt64) -> [ID] {
    guard let index = slots.firstIndex(where: { $0.id == id }) else { return [] }
    slots[index].calls = max(slots[index].calls - 1, 0)
    slots[index].isChecking = false
    let address = slots[index].address
    if !isBroken {
      if !slots[index].isRetiring { servers[address] = Server() }
      slots[index].lastUsed = now
    } else if !slots[index].isRetiring {
      // The first call that fails tells of the server; the others on the connection tell the same.
      slots[index].isRetiring = true
      servers[address].failures += 1
      servers[address].failedAt = now
      servers[address].notBefore =
        now + options.backoff.delay(afterFailures: servers[address].failures, random: random)
    }
    return sweep()
  }

  /// Whether a call that waits would find a place now.
  func hasPlace(now: Duration) -> Bool {
    var copy = self
    switch copy.decide(now: now, random: 0) {
    case .use, .check, .open, .wait: return true
    case .queue: return false
    }
  }

  private mutating func sweep() -> [ID] {
    let gone = slots.filter { $0.isRetiring && $0.calls == 0 }.map(\.id)
    if !gone.isEmpty { slots.removeAll { gone.contains($0.id) } }
    return gone
  }
}
