internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// UndoWrites: planned on a reader's thread, then judged as a bulk.
extension LoopDispatcher {
  func undoWrites(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: UndoWritesRequest = try decode(call)
    guard principal.can(.writer, in: request.space) else { throw CallFailure(.permissionDenied) }
    let ticket = keep(call, by: principal.name)
    let deadline = call.deadline
    let read = StoreRead(
      name: CallName(connection: call.connection.connectionID, call: call.id), account: call.connection.account,
      deadline: deadline?.uptimeNanoseconds
    ) { snapshot in
      let (plan, record) = LoopDispatcher.plan(request, principal.name, snapshot)
      return StoreRead.Found(bytes: (try? plan.get())?.bytes ?? 0) {
        $0.undo(ticket, request, plan, record, principal, deadline)
      }
    } end: { dispatcher, status in
      dispatcher.finish(ticket) { _, _ in CallReply(status: status) }
    }
    return submit(read) ? .pending : try giveUp(ticket)
  }

  private static func plan(
    _ request: UndoWritesRequest, _ principal: PrincipalName, _ snapshot: Result<any StoreSnapshot, StoreError>
  ) -> (Result<UndoPlan, RPCStatus>, SpaceRecord?) {
    do {
      let snapshot = try snapshot.get()
      guard let record = try snapshot.space(named: request.space) else {
        return (.failure(.unknownSpace(request.space)), nil)
      }
      var plan = try UndoPlan(request, of: principal, in: record, snapshot)
      guard !plan.isTooLarge else { return (.failure(.undoTooLarge), nil) }
      if request.mode == .atomic { plan.abortAll(request, record.epoch) }
      return (.success(plan), record)
    } catch {
      return (.failure(.ofRead(error)), nil)
    }
  }

  /// Submits what was planned, or answers when there is nothing to write.
  private func undo(
    _ ticket: UInt64, _ request: UndoWritesRequest, _ plan: Result<UndoPlan, RPCStatus>, _ record: SpaceRecord?,
    _ principal: Principal, _ deadline: NIODeadline?
  ) {
    switch plan {
    case .failure(let status): finish(ticket) { _, _ in CallReply(status: status) }
    case .success(let plan):
      let work = BulkWork(
        space: request.space, items: plan.items, returnsEntities: false, validatesOnly: request.validatesOnly, undo: plan.order)
      guard !plan.items.isEmpty else {
        return finish(ticket) { dispatcher, _ in dispatcher.bulkAnswer([], record?.revision, work) }
      }
      guard let ticket = keepOn(ticket, as: .bulk(work)) else { return }
      guard !submit(work, request.mode, principal, deadline: deadline, ticket) else { return }
      finish(ticket) { _, _ in CallReply(status: .overloaded) }
    }
  }
}

extension RPCStatus {
  fileprivate static let undoTooLarge = RPCStatus(
    .failedPrecondition, "The states to bring back are too large for one request. Take back fewer writes at once.",
    details: [.errorInfo(reason: "UNDO_TOO_LARGE")])
}
