internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkStoreSQLite
internal import TidemarkTesting

/// Random clients against the real judge, writer and engine, on what fails below that, in one thread and from one seed.
///
/// Everything that happens is an event of a virtual clock. Every choice comes from the seed, so a seed always makes the same trace, as far as
/// what is below the engine is simulated, too.
public final class Simulation {
  /// How a simulation is run.
  public struct Options: Sendable {
    /// What keeps the store.
    public var engine = SimulatedEngine.sqlite
    /// How many events happen before the end is checked.
    public var eventsMax = 400
    /// A mistake to make on purpose.
    public var planted: PlantedBug?
    /// Whether answers and states are compared with the plainly written rules. Without, only what follows from the promises alone is looked at.
    public var usesModel = true
    /// The only thing that goes wrong with the disk; `nil` for whatever the seed chooses.
    public var onlyFault: OnlyFault?
    /// How many lines of the trace are kept.
    public var traceLinesMax = 40
    /// Whether the trace tells of every step of the disk.
    public var tracesDisk = false

    public init() {}
  }

  /// A fault at one step of the disk, counted from 1.
  public struct OnlyFault: Sendable {
    /// What goes wrong.
    public enum Kind: String, Sendable, CaseIterable {
      case powerLoss = "power loss"
      case kill = "kill"
      case ioError = "I/O error"
    }

    public var kind: Kind
    public var step: Int

    public init(_ kind: Kind, step: Int) {
      self.kind = kind
      self.step = step
    }
  }

  enum Event {
    case clientTurn(Int)
    case arrives(Call)
    case serverTurn
    case reply(Call, Reply)
    case timeout(client: Int, number: Int, attempt: Int)
    case nemesis
    case roomAgain
    case start
  }

  let options: Options
  let seed: UInt64
  let rules: BulkRules
  let spaces: [SpaceName]
  let accounts: [EntityKey]
  static let accountStart: Int64 = 50

  // Chance, time and what is written down
  var random: SeededGenerator
  var network: Network
  let clock = VirtualClock()
  var events = EventQueue<Event>()
  var trace: Trace
  var counts = SimulationReport.Counts()
  private var eventCount = 0

  // Clients
  var clients: [Client] = []
  private var callCount = 0
  var transfers: [(space: Int, client: Int, operations: [OperationID])] = []

  // The server
  let disk: SimulatedDisk
  let vfs: SimulatedVFS
  let hooks = StoreHooks()
  let storeOptions: SQLiteStoreOptions
  /// The longest time between two misfortunes, in microseconds.
  let nemesisDelayMax: Int64
  /// One for each node; `nil` for those that do not run.
  var servers: [Server?]
  /// The node that is spoken of.
  var node = 0
  /// What engines other than SQLite keep the store in.
  let database: SimulatedDatabase?
  let memory = MemoryStore()
  var queue: [Call] = []
  var isTurnPlanned = false
  /// Sent to the writer and not answered when it stopped: done as a whole or not at all.
  var unanswered: [Call] = []
  /// Whose writes these are.
  var owners: [OperationID: Int] = [:]
  var models: [BulkModel]

  public init(seed: UInt64, options: Options = Options()) throws {
    self.seed = seed
    self.options = options
    rules = try BulkRules()
    let account = rules.account
    accounts = (1...3).compactMap { EntityID("k\($0)") }.map { EntityKey(type: account, id: $0) }
    spaces = [.default] + [SpaceName("second")].compactMap { $0 }
    random = SeededGenerator(seed: seed)
    network = Network(random: SeededGenerator(seed: random.next()))
    trace = Trace(tailLinesMax: options.traceLinesMax)
    disk = SimulatedDisk(seed: random.next())
    vfs = SimulatedVFS(disk)
    var storeOptions = SQLiteStoreOptions()
    storeOptions.disk = .init(vfs: vfs.name) { [disk] in
      guard disk.syncFolder() == .done else { throw StoreError(.failed, "the folder could not be synced") }
    }
    storeOptions.walPagesMax = [12, 60, 1_000].randomElement(using: &random) ?? 60
    storeOptions.walPagesIdle = [4, 1_000].randomElement(using: &random) ?? 4
    self.storeOptions = storeOptions
    nemesisDelayMax = [3_000, 10_000, 30_000].randomElement(using: &random) ?? 10_000
    models = spaces.map { [rules] _ in BulkModel(rules: rules) }
    hooks.planted = options.planted
    servers = Array(repeating: nil, count: options.engine.nodes)
    if case .postgres(let server) = options.engine {
      database = try SimulatedDatabase(server, seed: seed)
    } else {
      database = nil
    }
    for index in 0..<Int.random(in: 2...4, using: &random) {
      guard let name = PrincipalName("client \(index)") else { continue }
      clients.append(
        Client(
          Principal(name: name, roleEverywhere: .writer), rules: rules, accounts: accounts, spaces: spaces.count,
          random: &random))
    }
  }

  /// Runs the whole simulation.
  public func run() -> SimulationReport {
    var violation: Violation?
    if options.tracesDisk { disk.onStep = { [weak self] in self?.note($0) } }
    do {
      try begin()
      while eventCount < options.eventsMax, let (time, event) = events.next() {
        clock.advance(to: time)
        eventCount += 1
        try happen(event)
      }
      try end()
    } catch let broken as Violation {
      violation = broken
      note("\(broken)")
    } catch {
      violation = Violation(.storeKeepsWorking, "an error that nothing explains: \(error)")
      note("\(error)")
    }
    stopServers()
    counts.diskSteps = disk.steps
    return SimulationReport(
      seed: seed, events: eventCount, counts: counts, traceDigest: trace.digest, tail: Array(trace.lines), violation: violation)
  }

  /// Writes a line of the trace.
  func note(_ line: String) {
    let time = String(clock.now)
    trace.add(String(repeating: " ", count: max(0, 7 - time.utf8.count)) + time + "  " + line)
  }

  func plan(_ event: Event, in microseconds: Int64) { events.add(event, at: clock.now + microseconds) }

  func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  private func happen(_ event: Event) throws {
    switch event {
    case .clientTurn(let index): takeTurn(index)
    case .arrives(let call): try arrive(call)
    case .serverTurn: try serve()
    case .reply(let call, let reply): receive(call, reply)
    case .timeout(let client, let number, let attempt): timeOut(client, number, attempt)
    case .nemesis: try interfere()
    case .roomAgain:
      if case .full? = disk.armed?.fault {
        note("the disk has room again")
        disk.disarm()
      }
    case .start: try startServers()
    }
  }

  private func begin() throws {
    for index in clients.indices { plan(.clientTurn(index), in: Int64.random(in: 100...3_000, using: &random)) }
    plan(.nemesis, in: Int64.random(in: 1_000...nemesisDelayMax, using: &random))
    guard case .sqlite = options.engine else { return try startServers() }
    if let only = options.onlyFault {
      disk.arm(only.kind.fault, inSteps: only.step)
    } else if chance(50) {
      disk.arm(chance(50) ? .powerLoss : .ioError, inSteps: Int.random(in: 1...120, using: &random))
    }
    try startServers()
  }

  // MARK: Clients

  private func takeTurn(_ index: Int) {
    plan(.clientTurn(index), in: Int64.random(in: 200...4_000, using: &random))
    guard clients[index].waiting.count < 3 else { return }
    callCount += 1
    let call = clients[index].makeCall(callCount, client: index)
    if call.isTransfer, case .write(let items, _, _) = call.kind {
      transfers.append((call.space, index, items.map(\.operation)))
    }
    clients[index].waiting[call.number] = call
    note("client \(index) sends \(call.summary)")
    counts.requests += 1
    send(call)
  }

  private func send(_ call: Call) {
    let delays = network.delays()
    if delays.isEmpty { counts.lost += 1 }
    if delays.count > 1 { counts.repeated += 1 }
    for delay in delays { plan(.arrives(call), in: delay) }
    let patience = Int64.random(in: 6_000...20_000, using: &random)
    plan(.timeout(client: call.client, number: call.number, attempt: call.attempt), in: patience)
  }

  private func timeOut(_ client: Int, _ number: Int, _ attempt: Int) {
    guard var call = clients[client].waiting[number], call.attempt == attempt else { return }
    guard attempt < 6 else {
      note("client \(client) gives up #\(number)")
      clients[client].waiting[number] = nil
      return
    }
    call.attempt += 1
    clients[client].waiting[number] = call
    note("client \(client) sends #\(number) again")
    counts.resent += 1
    send(call)
  }

  /// Sends a reply on its way.
  func answer(_ call: Call, _ reply: Reply) {
    let delays = network.delays()
    if delays.isEmpty { counts.lost += 1 }
    for delay in delays { plan(.reply(call, reply), in: delay) }
  }

  private func receive(_ call: Call, _ reply: Reply) {
    guard clients[call.client].waiting[call.number] != nil else { return }
    if case .failed = reply { return }
    clients[call.client].waiting[call.number] = nil
    clients[call.client].take(reply, to: call)
    note("client \(call.client) hears of #\(call.number)")
  }
}

extension Simulation.OnlyFault.Kind {
  fileprivate var fault: SimulatedDisk.Fault {
    switch self {
    case .powerLoss: .powerLoss
    case .kill: .kill
    case .ioError: .ioError
    }
  }
}
