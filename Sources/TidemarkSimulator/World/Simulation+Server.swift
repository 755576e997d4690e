internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTesting

/// The server's side: requests, batches and answers.
extension Simulation {
  /// The server of the node that is spoken of.
  var server: Server? { servers[node] }

  /// Speaks of a node that runs, if there is one.
  func chooseNode() {
    guard servers.count > 1 else { return }
    node = servers.indices.filter { servers[$0] != nil }.randomElement(using: &random) ?? 0
  }

  func arrive(_ call: Call) throws {
    chooseNode()
    guard server != nil else { return note("#\(call.number) finds nobody") }
    if case .read(let keys) = call.kind { return try read(keys, call) }
    queue.append(call)
    guard !isTurnPlanned else { return }
    isTurnPlanned = true
    plan(.serverTurn, in: Int64.random(in: 0...1_500, using: &random))
  }

  /// Commits whatever waits, as the writer's thread does.
  func serve() throws {
    isTurnPlanned = false
    chooseNode()
    guard let server, let runner = server.runner, !queue.isEmpty else { return }
    let calls = queue
    queue = []
    var hasAnswered = false
    var broken: (any Error)?
    hooks.creating = Set(calls.flatMap(\.createdKeys))
    hooks.beforeCommit = { [weak self] result in
      do { try self?.watchCommit(calls, result, &hasAnswered) } catch { broken = broken ?? error }
    }
    let before = try database.map { try $0.undisturbed { try revisions() } }
    database?.begin()
    runner.run(calls.enumerated().compactMap { submission($1, ticket: $0).map { .write($0) } })
    database?.end()
    hooks.beforeCommit = { _ in }
    if let broken { throw broken }
    guard disk.isRunning else {
      unanswered = calls
      return crash()
    }
    try settle(calls, server.answers.take(), hasAnswered: hasAnswered, before: before)
    if queue.isEmpty, chance(20) { rest() }
    if self.server != nil, chance(6) { try checkNow() }
  }

  /// Lets the writer do what can wait.
  func rest() {
    server?.runner?.rest()
    if !disk.isRunning { crash() }
  }

  private func submission(_ call: Call, ticket: Int) -> WriteSubmission? {
    guard case .write(var items, var mode, let validatesOnly) = call.kind, let server else { return nil }
    for item in items { owners[item.operation] = call.client }
    if options.planted == .groupHalfApplied {
      mode = .partial
      for index in items.indices { items[index].group = nil }
    }
    return WriteSubmission(
      space: spaces[call.space], principal: clients[call.client].principal, items: items, mode: mode,
      validatesOnly: validatesOnly,
      deadlineNanoseconds: nil, sink: server.answers, ticket: UInt64(ticket))
  }

  /// Between judging and commit: nobody sees what is not committed. The planted bug answers here.
  private func watchCommit(_ calls: [Call], _ result: Any, _ hasAnswered: inout Bool) throws {
    if options.planted == .ackBeforeCommit, let results = result as? [WriteResult?] {
      hasAnswered = true
      for (call, result) in zip(calls, results) {
        if case .outcomes(let outcomes)? = result { answer(call, .outcomes(outcomes)) }
      }
    }
    defer { if let database { do { try database.willCommit() } catch { note("\(error)") } } }
    guard options.usesModel, chance(15) else { return }
    for (revision, model) in zip(try database?.undisturbed { try revisions() } ?? revisions(), models) {
      guard revision == model.world.revision else {
        throw Violation(
          .readsAreCommitted, "revision \(revision) was read before its commit; \(model.world.revision) is committed")
      }
    }
  }

  /// The revision of each space, as it is read now.
  private func revisions() throws -> [UInt64] {
    guard let reader = server?.reader else { return [] }
    func read() throws -> [UInt64] {
      try reader.read { snapshot in try spaces.map { try snapshot.space(named: $0)?.revision.rawValue ?? 0 } }
    }
    return try database?.reached(read) ?? read()
  }

  private func settle(_ calls: [Call], _ answers: [WriteAnswer], hasAnswered: Bool, before: [UInt64]?) throws {
    guard answers.count == calls.count else {
      throw Violation(.storeKeepsWorking, "\(calls.count) requests got \(answers.count) answers")
    }
    counts.commits += 1
    var isUnknown = false
    var lost: [Call] = []
    var hasChanged = false
    for (call, answer) in zip(calls, answers) {
      switch answer.result {
      case .outcomes(let outcomes):
        hasChanged = true
        try check(outcomes, of: call)
        if !hasAnswered { self.answer(call, .outcomes(outcomes)) }
      case .full where disk.happened?.fault == .full:
        note("the disk is full for #\(call.number)")
        self.answer(call, .failed)
      case .unknown where disk.hasFailed:
        isUnknown = true
        self.answer(call, .failed)
      case .unknown where database?.happened != nil:
        lost.append(call)
        if !hasAnswered { self.answer(call, .failed) }
      case .unavailable where database?.isShaken == true:
        counts.unavailable += 1
        if !hasAnswered { self.answer(call, .failed) }
      case .corrupt: throw Violation(.nothingIsDamaged, "\(call.summary) met damage")
      case .full, .unavailable, .unknown, .unknownSpace, .expired, .revisionsUsedUp:
        throw Violation(.storeKeepsWorking, "\(call.summary) was answered \(answer.result)")
      }
    }
    note("the server commits \(calls.map { "#\($0.number)" }.joined(separator: " ")), \(disk.steps) disk steps so far")
    if let fault = database?.happened { try look(after: fault, lost: lost, before: hasChanged ? nil : before) }
    guard isUnknown else { return }
    unanswered = calls
    counts.ioErrors += 1
    note("the writer has stopped: \(disk.happened.map { "\($0.fault.rawValue) \($0.place)" } ?? "")")
    stopServer()
    plan(.start, in: Int64.random(in: 500...8_000, using: &random))
  }

  /// What was said to be undone is; what nobody knows is there as a whole or not at all. The process may be gone, too.
  private func look(after fault: SimulatedDatabase.Fault, lost: [Call], before: [UInt64]?) throws {
    note(fault.text)
    counts.cuts += 1
    unanswered = lost
    if lost.isEmpty, let before {
      let now = try revisions()
      guard now == before else {
        throw Violation(.failedLeavesNothing, "the spaces are at revisions \(now) after a failure that left \(before)")
      }
    }
    counts.unknowns += lost.isEmpty ? 0 : 1
    try verifyRecovery()
    guard chance(30) else { return }
    note("node \(node) is gone")
    counts.kills += 1
    stopServer()
    plan(.start, in: Int64.random(in: 500...8_000, using: &random))
  }

  /// Compares what a write was answered with what the rules say.
  private func check(_ outcomes: [Outcome], of call: Call) throws {
    guard case .write(let items, let mode, let validatesOnly) = call.kind else { return }
    for outcome in outcomes {
      if outcome.isReplay { counts.replays += 1 }
      guard outcome.code == .applied, !outcome.isReplay, !validatesOnly, let revision = outcome.revision else { continue }
      counts.changes += 1
      guard revision.rawValue > call.knownRevision else {
        throw Violation(.readsAreRecent, "\(call.summary) made revision \(revision), its client knew of \(call.knownRevision)")
      }
    }
    guard options.usesModel else { return }
    let expected = models[call.space].apply(items, mode: mode, validatesOnly: validatesOnly)
    let answers = outcomes.map { BulkModel.Answer($0) }
    guard answers != expected else { return }
    let index = expected.indices.first { !answers.indices.contains($0) || answers[$0] != expected[$0] } ?? 0
    throw Violation(
      .answersAreTheRules,
      "item \(index) of \(call.summary): \(answers.dropFirst(index).first.map(Simulation.text) ?? "nothing") in place of "
        + "\(Simulation.text(expected[index])) for \(items[index])")
  }

  private static func text(_ answer: BulkModel.Answer) -> String {
    "\(answer.code) version \(answer.version.map(String.init) ?? "-") revision \(answer.revision.map(String.init) ?? "-")"
      + (answer.isReplay ? " replayed" : "")
  }

  // MARK: Reads

  private func read(_ keys: [EntityKey], _ call: Call) throws {
    guard let server, let reader = server.reader else { return }
    counts.reads += 1
    let moment = server.recent?.moment()
    database?.begin()
    defer { database?.end() }
    let found: (UInt64, [EntityKey: BulkModel.State])
    do {
      found = try look(reader, keys, call, server.recent, moment)
    } catch let error as StoreError where error.code == .unavailable && database?.isShaken == true {
      note("#\(call.number) cannot be read")
      return answer(call, .failed)
    }
    let (revision, states) = found
    guard revision >= call.knownRevision else {
      throw Violation(.readsAreRecent, "\(call.summary) shows revision \(revision), its client knew of \(call.knownRevision)")
    }
    try checkSum(accounts.compactMap { states[$0] }, space: call.space)
    if options.usesModel {
      let model = models[call.space]
      guard revision == model.world.revision, let odd = keys.first(where: { states[$0] != model.now($0) }) else {
        guard revision == model.world.revision else {
          throw Violation(.readsAreCommitted, "\(call.summary) shows revision \(revision), \(model.world.revision) is committed")
        }
        return answer(call, .entities(revision: revision, states))
      }
      throw Violation(.readsAreCommitted, "\(call.summary) shows \(odd) at revision \(revision) as it is not")
    }
    answer(call, .entities(revision: revision, states))
  }

  /// What a read finds, compared with what the server remembers.
  private func look(
    _ reader: any StoreReader, _ keys: [EntityKey], _ call: Call, _ recent: RecentEntities?, _ moment: RecentEntities.Moment?
  ) throws -> (UInt64, [EntityKey: BulkModel.State]) {
    try reader.read { snapshot in
      guard let record = try snapshot.space(named: spaces[call.space]) else { return (UInt64(0), [EntityKey: BulkModel.State]()) }
      var states: [EntityKey: BulkModel.State] = [:]
      for (key, entity) in zip(keys, try snapshot.entities(keys, in: record.id)) {
        states[key] = try entity.map { try BulkModel.State($0) }
        if let remembered = recent?.entity(key, in: record.name)?.entity, remembered != entity {
          throw Violation(.readsAreCommitted, "\(key) is remembered as it was at version \(remembered.version)")
        }
        if let entity, let moment { recent?.keep(entity, in: record, readAfter: moment) }
      }
      return (record.revision.rawValue, states)
    }
  }
}

extension Call {
  /// What the call would make.
  fileprivate var createdKeys: [EntityKey] {
    guard case .write(let items, _, _) = kind else { return [] }
    return items.compactMap { item in
      switch item.action {
      case .create, .getOrCreate: item.id.map { EntityKey(type: item.type, id: $0) }
      case .update, .replace, .delete, .restore: nil
      }
    }
  }
}
