internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTesting

/// What goes wrong, and how the server comes back.
extension Simulation {
  /// Chooses the next misfortune.
  func interfere() throws {
    plan(.nemesis, in: Int64.random(in: 1_000...nemesisDelayMax, using: &random))
    switch options.engine {
    case .sqlite: try interfereWithDisk()
    case .memory: try interfereWithProcess(Int.random(in: 0..<100, using: &random))
    case .postgres: try interfereWithDatabase()
    }
  }

  /// Ends a node, in order or not.
  private func interfereWithProcess(_ dice: Int) throws {
    chooseNode()
    guard server != nil else { return }
    switch dice {
    case 0..<40:
      note("node \(node) is killed")
      counts.kills += 1
      stopServer()
      plan(.start, in: Int64.random(in: 500...8_000, using: &random))
    case 40..<80:
      note("node \(node) ends in order and starts again")
      counts.restarts += 1
      stopServer()
      try startServer()
    default: rest()
    }
  }

  private func interfereWithDatabase() throws {
    guard let database else { return }
    switch Int.random(in: 0..<200, using: &random) {
    case 0..<40: database.arm(.loseCommit)
    case 40..<80: database.arm(.loseAnswer)
    case 80..<130: database.arm(.loseMessage(after: Int.random(in: 0...12, using: &random)))
    case 130..<150: database.arm(.endConnections)
    case 150: database.arm(.crash)
    default: try interfereWithProcess(Int.random(in: 0..<100, using: &random))
    }
  }

  private func interfereWithDisk() throws {
    let steps = Int.random(in: 1...([3, 15, 60, 200].randomElement(using: &random) ?? 15), using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<35: arm(.powerLoss, steps)
    case 35..<50: arm(.kill, steps)
    case 50..<62: arm(.ioError, steps)
    case 62..<72:
      arm(.full, steps)
      plan(.roomAgain, in: Int64.random(in: 2_000...20_000, using: &random))
    case 72..<85:
      guard server != nil else { return }
      note("the server ends in order and starts again")
      counts.restarts += 1
      stopServer()
      if !disk.isRunning { return crash() }
      try startServer()
    default: rest()
    }
  }

  private func arm(_ fault: SimulatedDisk.Fault, _ steps: Int) {
    guard options.onlyFault == nil, disk.armed == nil, disk.isRunning else { return }
    if fault == .full { counts.fullDisks += 1 }
    disk.arm(fault, inSteps: steps)
  }

  /// The machine or the process is gone, with all that waited.
  func crash() {
    note(disk.happened.map { "\($0.fault.rawValue): \($0.place)" } ?? "the server is gone")
    switch disk.happened?.fault {
    case .powerLoss: counts.powerLosses += 1
    case .kill: counts.kills += 1
    case .ioError, .full, nil: break
    }
    stopServer()
    plan(.start, in: Int64.random(in: 500...8_000, using: &random))
  }

  func stopServer() {
    server?.close(writerFirst: chance(30))
    servers[node] = nil
    queue = []
  }

  func stopServers() {
    for place in servers.indices {
      node = place
      stopServer()
    }
  }

  /// Starts every node that does not run.
  func startServers() throws {
    for place in servers.indices where servers[place] == nil {
      node = place
      try startServer()
    }
  }

  /// Opens what is left of the store, and looks whether it is what it must be.
  func startServer() throws {
    guard server == nil else { return }
    if !disk.isRunning { disk.restart() }
    disk.beginProcess()
    if options.onlyFault == nil, disk.armed == nil, chance(15) {
      disk.arm(.powerLoss, inSteps: Int.random(in: 1...40, using: &random))
    }
    do {
      servers[node] = try Server(self, randomSeed: random.next())
      try makeSpaces()
    } catch {
      guard !disk.isRunning || disk.happened != nil else { throw Violation(.storeOpensAgain, "\(error)") }
      note("the server does not start: \(disk.happened?.place ?? "")")
      return crash()
    }
    // A checkpoint may have failed, of which nobody is told.
    guard disk.isRunning else { return crash() }
    try verifyRecovery()
    try makeAccounts()
  }

  private func makeSpaces() throws {
    guard let runner = server?.runner, let reader = server?.reader else { return }
    guard try reader.read({ try $0.spaces().isEmpty }) else { return }
    let spaces = spaces
    let failure = FailureBox()
    runner.run([
      .administer(
        { transaction, random in
          let start = Timestamp(rawValue: 1_700_000_000_000_000)
          for name in spaces {
            let epoch = Epoch(rawValue: Bytes16(high: random.next(), low: random.next()))
            var space = try transaction.insertSpace(named: name, epoch: epoch, createdAt: start, genesis: Chain.genesis(epoch))
            guard let admin = PrincipalName("admin") else { continue }
            try transaction.insertSchema(SchemaRecord(version: 1, content: [1], appliedAt: start, appliedBy: admin), in: space.id)
            space.schemaVersion = 1
            try transaction.updateSpace(space)
          }
        }, completion: { failure.put($0) })
    ])
    if let error = failure.take() { throw error }
  }

  /// Asks for the accounts of spaces that have none: all of them, or none.
  private func makeAccounts() throws {
    guard let reader = server?.reader else { return }
    for (index, name) in spaces.enumerated() {
      let isThere = try reader.read { snapshot in
        try snapshot.space(named: name).map { try snapshot.entities(accounts, in: $0.id).contains { $0 != nil } } ?? false
      }
      guard !isThere, let fields = try? Fields([Field(rules.number, .int(Simulation.accountStart))]) else { continue }
      let items = accounts.enumerated().map { place, key in
        WriteItem(
          operation: OperationID(rawValue: Bytes16(high: UInt64(index), low: UInt64(place))), type: key.type, id: key.id,
          action: .create(fields))
      }
      try arrive(Call(number: 0, client: 0, space: index, kind: .write(items: items, mode: .atomic, validatesOnly: false)))
    }
  }
}
