internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTesting

/// What is looked at after each crash, now and then between, and at the end.
extension Simulation {
  /// Ends everything in order, starts once more, and looks.
  func end() throws {
    events.removeAll()
    isTurnPlanned = false
    if disk.isRunning { disk.disarm() }
    note("the end")
    database?.disarm()
    stopServers()
    // Whatever goes wrong while starting must not go wrong for ever.
    for _ in 0..<20 where servers.contains(where: { $0 == nil }) {
      try startServers()
      disk.disarm()
      events.removeAll()
    }
    guard servers.allSatisfy({ $0 != nil }) else {
      throw Violation(.storeOpensAgain, "the server does not start without any fault")
    }
  }

  /// Looks at the store that was opened again: what was promised is there, and the latest batch as a whole or not at all.
  func verifyRecovery() throws {
    guard let reader = server?.reader else { return }
    let calls = unanswered
    unanswered = []
    try reading(reader) { snapshot in
      try checkPromises(snapshot)
      guard options.usesModel else { return try checkInvariants(snapshot) }
      var after = models
      for call in calls {
        guard case .write(let items, let mode, let validatesOnly) = call.kind else { continue }
        _ = after[call.space].apply(items, mode: mode, validatesOnly: validatesOnly)
      }
      if let difference = try difference(models, calls, snapshot) {
        if let other = calls.isEmpty ? difference : try self.difference(after, calls, snapshot) {
          throw Violation(.batchIsWholeOrAbsent, "without the latest batch: \(difference). With it: \(other)")
        }
        models = after
        note("the latest batch is there")
      }
      try checkInvariants(snapshot)
    }
    note("the server is up at revisions \(models.map { String($0.world.revision) }.joined(separator: " and "))")
  }

  /// Looks at everything between two batches.
  func checkNow() throws {
    guard let reader = server?.reader else { return }
    try reading(reader) { snapshot in
      try checkInvariants(snapshot)
      if options.usesModel, let difference = try difference(models, [], snapshot) {
        throw Violation(.answersAreTheRules, difference)
      }
    }
  }

  private func reading(_ reader: any StoreReader, _ body: (any StoreSnapshot) throws -> Void) throws {
    counts.checks += 1
    try database?.reached { try reader.read { _ = try $0.space(named: .default) } }
    do { try reader.read(body) } catch let error as StoreError { throw Violation(.nothingIsDamaged, "\(error)") }
  }

  private func checkInvariants(_ snapshot: any StoreSnapshot) throws {
    for (index, name) in spaces.enumerated() {
      guard let record = try snapshot.space(named: name) else { continue }
      let invariants = Invariants(snapshot: snapshot, record: record, rules: rules)
      let states = try invariants.check()
      note("space \(index): revision \(record.revision), chain \(String(record.chainHash.words.0, radix: 16))")
      try checkSum(accounts.compactMap { states[$0] }, space: index)
      for transfer in transfers where transfer.space == index {
        let receipts = try snapshot.receipts(
          transfer.operations, of: clients[transfer.client].principal.name, in: record.id)
        let done = receipts.count { $0?.code.isSuccess ?? false }
        guard done == 0 || done == receipts.count else {
          throw Violation(.groupsAreWhole, "\(done) of \(receipts.count) items of a transfer are applied")
        }
      }
    }
  }

  func checkSum(_ states: [BulkModel.State], space: Int) throws {
    guard states.count == accounts.count else { return }
    let sum = states.reduce(Int64(0)) { sum, state in
      guard case .int(let amount)? = state.fields[rules.number] else { return sum }
      return sum &+ amount
    }
    let expected = Simulation.accountStart * Int64(accounts.count)
    guard sum == expected else {
      throw Violation(.sumIsConserved, "the accounts of space \(space) have \(sum) in place of \(expected)")
    }
  }

  /// Everything that a client was told has succeeded is stored.
  private func checkPromises(_ snapshot: any StoreSnapshot) throws {
    for (index, name) in spaces.enumerated() {
      let record = try snapshot.space(named: name)
      for client in clients {
        let promises = client.parts[index].promises
        guard !promises.isEmpty else { continue }
        guard let record else { throw Violation(.acknowledgedIsStored, "the space \(name) is gone") }
        let receipts = try snapshot.receipts(promises.map(\.operation), of: client.principal.name, in: record.id)
        for ((operation, promise), receipt) in zip(promises, receipts) {
          guard let receipt, receipt.code == promise.code, receipt.version == promise.version,
            receipt.revision == promise.revision
          else {
            throw Violation(
              .acknowledgedIsStored,
              "\(client.principal.name) was told \(promise.code) of \(operation), and there is no such receipt")
          }
          guard let revision = promise.revision else { continue }
          guard let entry = try snapshot.logEntry(at: revision, in: record.id),
            promise.code == .unchanged || entry.change.operation == operation, entry.change.entity.version == promise.version
          else {
            throw Violation(.acknowledgedIsStored, "\(client.principal.name) was told revision \(revision) of \(operation)")
          }
        }
      }
    }
  }

  /// Where the stored state is not that of the models; `nil` when it is.
  private func difference(_ models: [BulkModel], _ calls: [Call], _ snapshot: any StoreSnapshot) throws -> String? {
    for (index, name) in spaces.enumerated() {
      guard let record = try snapshot.space(named: name) else {
        if models[index].world.revision == 0 { continue }
        return "the space \(name) is gone"
      }
      let world = models[index].world
      guard record.revision.rawValue == world.revision else {
        return "space \(index) is at revision \(record.revision) in place of \(world.revision)"
      }
      let keys = world.past.keys.sorted()
      for (key, entity) in zip(keys, try snapshot.entities(keys, in: record.id)) {
        guard try entity.map({ try BulkModel.State($0) }) == models[index].now(key) else {
          return "\(key) of space \(index) is version \(entity.map { "\($0.version)" } ?? "-"), and not as it must be"
        }
      }
      guard try snapshot.heads(after: nil, in: record.id, limit: 100_000).count == keys.count else {
        return "space \(index) has other entities than it must have"
      }
      if let difference = try receiptDifference(index, world, calls, record, snapshot) { return difference }
    }
    return nil
  }

  private func receiptDifference(
    _ index: Int, _ world: BulkModel.World, _ calls: [Call], _ record: SpaceRecord, _ snapshot: any StoreSnapshot
  ) throws -> String? {
    let asked = calls.filter { $0.space == index }.flatMap { call -> [OperationID] in
      guard case .write(let items, _, _) = call.kind else { return [] }
      return items.map(\.operation)
    }
    let operations = Set(world.receipts.keys).union(asked).sorted()
    for (client, principal) in clients.map(\.principal.name).enumerated() {
      let mine = operations.filter { owners[$0] == client }
      for (operation, receipt) in zip(mine, try snapshot.receipts(mine, of: principal, in: record.id)) {
        let expected = world.receipts[operation]?.answer
        guard receipt?.code == expected?.code, receipt?.version?.rawValue == expected?.version,
          receipt?.revision?.rawValue == expected?.revision
        else {
          return "the receipt of \(operation) says \(receipt.map { "\($0.code)" } ?? "nothing") in place of "
            + (expected.map { "\($0.code)" } ?? "nothing")
        }
      }
    }
    return nil
  }
}
