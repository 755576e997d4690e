internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// ApplySchema, GetSchema and RollbackSchema.
///
/// A new schema is checked on readers' threads. The transaction that applies it looks at what was changed since, at most
/// `SchemaCheck.rowsPerCommitMax` changes. Only when unique keys are new or other ones, or fields that point, does it walk the entities of
/// these types to make their keys and references anew; writes to the store wait for that, because nothing may be written between the walk and the
/// moment the schema is in force. Asking only does the same for new unique keys, and otherwise needs no transaction.
extension LoopDispatcher {
  func getSchema(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: GetSchemaRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    let answers = service.schemaAnswers
    return try read(call) { snapshot -> Result<[UInt8], RPCStatus> in
      guard let record = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
      let version = request.version == 0 ? record.schemaVersion : request.version
      if let known = answers.answer(version, in: record.id) { return .success(known) }
      let schema = try snapshot.storedSchema(version: version, in: record)
      guard schema != nil || request.version == 0 else { return .failure(.unknownSchema(request.space, request.version)) }
      guard let answer = try? GetSchemaResponse(schema: schema).encode(using: MessageArena()) else {
        return .failure(.tooLargeToTell)
      }
      if schema != nil { answers.keep(answer, version, in: record.id) }
      return .success(answer)
    } heldBytes: {
      $0.count
    } reply: { _, answer in
      CallReply(message: ByteBuffer(bytes: answer))
    }
  }

  func applySchema(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: ApplySchemaRequest = try decode(call)
    guard principal.can(.admin, in: request.space) else { throw CallFailure(.permissionDenied) }
    let change = SchemaCall(
      space: request.space, principal: principal.name, name: CallName(connection: call.connection.connectionID, call: call.id),
      account: call.connection.account, deadline: call.deadline?.uptimeNanoseconds, ticket: keep(call), isRollback: false)
    return try begin(change) { record, snapshot in
      try SchemaPlan.make(request, by: change.principal, in: record, snapshot)
    }
  }

  func rollbackSchema(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: RollbackSchemaRequest = try decode(call)
    guard principal.can(.admin, in: request.space) else { throw CallFailure(.permissionDenied) }
    let change = SchemaCall(
      space: request.space, principal: principal.name, name: CallName(connection: call.connection.connectionID, call: call.id),
      account: call.connection.account, deadline: call.deadline?.uptimeNanoseconds, ticket: keep(call), isRollback: true)
    return try begin(change) { record, snapshot in
      let wanted = request.toVersion == 0 ? record.schemaVersion &- min(1, record.schemaVersion) : request.toVersion
      guard wanted > 0, let earlier = try snapshot.storedSchema(version: wanted, in: record) else {
        return .answer(
          ApplySchemaResponse(
            isApplied: false, version: record.schemaVersion, message: "There is no earlier schema of this version."))
      }
      // Who asks for an earlier schema knows that what came since goes.
      return try SchemaPlan.make(
        ApplySchemaRequest(
          space: request.space, schema: earlier.schema, expectedVersion: request.expectedVersion,
          validatesOnly: request.validatesOnly, allowsBreaking: true), by: change.principal, in: record, snapshot)
    }
  }

  // MARK: On readers' threads

  /// Plans the change, and answers or goes on.
  private func begin(
    _ change: SchemaCall,
    _ plan: @escaping @Sendable (SpaceRecord, any StoreSnapshot) throws -> SchemaPlan.Step
  ) throws(CallFailure) -> CallDisposition {
    let read = change.read { snapshot -> SchemaCall.Next in
      guard let record = try snapshot.space(named: change.space) else { return .fail(.unknownSpace(change.space)) }
      switch try plan(record, snapshot) {
      case .answer(let answer): return .answer(answer)
      case .plan(let plan): return .check(plan, SchemaCheck(plan))
      }
    }
    return submit(read) ? .pending : try giveUp(change.ticket)
  }

  fileprivate func goOn(_ change: SchemaCall, _ next: SchemaCall.Next) {
    switch next {
    case .fail(let status): finish(change.ticket) { _, _ in CallReply(status: status) }
    case .answer(let answer): finish(change.ticket) { dispatcher, _ in change.reply(answer, dispatcher) }
    case .check(let plan, let check):
      if check.isDone {
        guard check.isClean else { return goOn(change, .answer(plan.refusal(check))) }
        guard plan.validatesOnly, plan.newKeys.isEmpty else { return apply(change, plan, check) }
        return goOn(change, .answer(check.answer(isApplied: false, version: plan.version, message: "")))
      }
      let read = change.read { snapshot -> SchemaCall.Next in
        guard let record = try snapshot.space(named: change.space), record.epoch == plan.epoch else {
          return .fail(.unknownSpace(change.space))
        }
        var check = check
        for _ in 0..<SchemaCall.pagesPerRead where !check.isDone { try check.step(snapshot, record) }
        return .check(plan, check)
      }
      if !submit(read) { goOn(change, .fail(.overloaded)) }
    }
  }

  // MARK: On the writer's thread

  private func apply(_ change: SchemaCall, _ plan: SchemaPlan, _ check: SchemaCheck) {
    let (mailbox, clock, now) = (mailbox, service.clock, service.clock.now())
    let made = Handover<SchemaCall.Next>()
    let isQueued = service.writer.administer(only: change.space) { transaction, _ in
      if let deadline = change.deadline, clock.uptimeNanoseconds() >= deadline { return made.put(.fail(.expired)) }
      let (next, isDone) = try plan.apply(transaction, check, now)
      made.put(next)
      if !isDone { throw Undone() }
    } completion: { error in
      let next = made.take()
      let isUndone = error == nil || next.map { !$0.isApplied } ?? false
      let result = isUndone ? next ?? .fail(.storeFailed) : .fail(error.map { .ofWrite($0) } ?? .storeFailed)
      mailbox.perform { $0.goOn(change, result) }
    }
    if !isQueued { goOn(change, .fail(.overloaded)) }
  }

  /// Undoes a transaction that only asked, or found offenders.
  private struct Undone: Error {}
}

/// One call that changes a schema, on its way.
private struct SchemaCall: Sendable {
  enum Next: Sendable {
    case fail(RPCStatus)
    case answer(ApplySchemaResponse)
    case check(SchemaPlan, SchemaCheck)

    var isApplied: Bool {
      if case .answer(let answer) = self { answer.isApplied } else { false }
    }
  }

  static let pagesPerRead = 4

  let space: SpaceName
  let principal: PrincipalName
  let name: LoopDispatcher.CallName
  let account: AnswerAccount
  let deadline: UInt64?
  let ticket: UInt64
  let isRollback: Bool

  func reply(_ answer: ApplySchemaResponse, _ dispatcher: LoopDispatcher) -> CallReply {
    isRollback ? dispatcher.reply(RollbackSchemaResponse(result: answer)) : dispatcher.reply(answer)
  }

  /// A read for this call.
  func read(_ body: @escaping @Sendable (any StoreSnapshot) throws -> Next) -> StoreRead {
    StoreRead(name: name, account: account, deadline: deadline) { snapshot in
      let next: Next
      do { next = try body(snapshot.get()) } catch { next = .fail(.ofRead(error)) }
      return StoreRead.Found(bytes: 0) { $0.goOn(self, next) }
    } end: { dispatcher, status in
      dispatcher.goOn(self, .fail(status))
    }
  }
}

extension SchemaPlan {
  /// The answer when entities break the new rules.
  fileprivate func refusal(_ check: SchemaCheck) -> ApplySchemaResponse {
    check.answer(
      isApplied: false, version: version,
      message: "\(check.offending) of \(check.checked) entities break the new rules. Mend them first.")
  }

  /// Checks what is left and puts the schema in force. False when the transaction is to be undone.
  fileprivate func apply(
    _ transaction: any StoreTransaction, _ check: SchemaCheck, _ now: Timestamp
  ) throws -> (SchemaCall.Next, isDone: Bool) {
    guard var record = try transaction.space(named: space), record.epoch == epoch else {
      return (.fail(.unknownSpace(space)), false)
    }
    guard record.schemaVersion == version else {
      let message = "The schema moved on: you expected version \(version), version \(record.schemaVersion) is in force."
      return (.answer(ApplySchemaResponse(isApplied: false, version: record.schemaVersion, message: message)), false)
    }
    var check = check
    guard !check.isBehind(record) else { return (.check(self, check), false) }
    do {
      try check.follow(transaction, record)
      if check.isClean { try check.rebuild(transaction, record.id) }
    } catch is CorruptFields {
      throw StoreError(.corrupt, "the fields of an entity of the space \(space) do not decode")
    }
    guard check.isClean else { return (.answer(refusal(check)), false) }
    guard !validatesOnly else { return (.answer(check.answer(isApplied: false, version: version, message: "")), false) }
    record.schemaVersion = version + 1
    try transaction.insertSchema(
      SchemaRecord(version: version + 1, content: content, appliedAt: now, appliedBy: principal), in: record.id)
    try transaction.updateSpace(record)
    return (.answer(check.answer(isApplied: true, version: version + 1, message: "")), true)
  }
}

extension RPCStatus {
  fileprivate static func unknownSchema(_ space: SpaceName, _ version: UInt64) -> RPCStatus {
    RPCStatus(
      .notFound, "The space '\(space)' has no schema of version \(version).", details: [.errorInfo(reason: "SCHEMA_NOT_FOUND")])
  }
}
