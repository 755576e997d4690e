/// Which connections a pool has and what is on them: a value without clock, socket or randomness of its own.
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

  let options: PoolOptions
  private(set) var slots: [Slot] = []
  private(set) var servers: [Server]
  private var nextID: ID = 1
  private var nextAddress = 0

  /// - Parameter servers: how many there are.
  init(options: PoolOptions, servers: Int) {
    self.options = options
    self.servers = [Server](repeating: Server(), count: max(servers, 0))
  }

  /// Finds a place for a call.
  ///
  /// - Returns: what to do, and the connections that are to be closed.
  mutating func acquire(now: Duration, random: UInt64) -> (decision: Decision, closed: [ID]) {
    for index in slots.indices where slots[index].expiry <= now { slots[index].isRetiring = true }
    let closed = sweep()
    return (decide(now: now, random: random), closed)
  }

  private mutating func decide(now: Duration, random: UInt64) -> Decision {
    let usable = slots.indices.filter {
      !slots[$0].isRetiring && !slots[$0].isChecking && slots[$0].calls < max(options.callsPerConnectionMax, 1)
    }
    // The one used last, so that those beyond the need become old.
    if let idle = usable.filter({ slots[$0].calls == 0 }).max(by: { slots[$0].lastUsed < slots[$1].lastUsed }) {
      let isStale = now - slots[idle].lastUsed >= options.idleBeforePing
      slots[idle].calls = 1
      slots[idle].isChecking = isStale
      if !isStale { slots[idle].lastUsed = now }
      return isStale ? .check(slots[idle].id) : .use(slots[idle].id)
    }
    let hasRoom = slots.count < max(options.connectionsMax, 1)
    if hasRoom, let address = nextServer(now: now) { return open(address, now: now, random: random) }
    if let free = usable.min(by: { slots[$0].calls < slots[$1].calls }) {
      slots[free].calls += 1
      slots[free].lastUsed = now
      return .use(slots[free].id)
    }
    // With connections that are busy or being checked, a place becomes free by itself.
    guard hasRoom, slots.allSatisfy(\.isRetiring) else { return .queue }
    return .wait(until: servers.map(\.notBefore).min() ?? .seconds(Int64.max / 4))
  }

  private mutating func open(_ address: Int, now: Duration, random: UInt64) -> Decision {
    let id = nextID
    nextID += 1
    let share = 0.875 + 0.25 * Double(random >> 11) / Double(UInt64(1) << 53)
    slots.append(Slot(id: id, address: address, expiry: now + options.ageMax * share, lastUsed: now))
    return .open(id, address: address)
  }

  /// The next server in turn that may be tried.
  private mutating func nextServer(now: Duration) -> Int? {
    guard !servers.isEmpty else { return nil }
    for step in servers.indices {
      let address = (nextAddress + step) % servers.count
      guard servers[address].notBefore <= now else { continue }
      nextAddress = (address + 1) % servers.count
      return address
    }
    return nil
  }

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
