internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Create, GetOrCreate, Update, Replace, Delete and Restore: each a list of one item.
extension LoopDispatcher {
  func write(_ method: Method, _ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    guard let kind = WriteRequest.Kind(method) else { throw CallFailure(.unknownMethod(method.path)) }
    let request: WriteRequest
    do throws(WireError) {
      request = try call.message.withReadable { (bytes) throws(WireError) in
        try WriteRequest.decode(bytes, kind: kind, using: arena, makeOperation: makeOperation)
      }
    } catch { throw CallFailure(error) }
    guard principal.can(.writer, in: request.space) else { throw CallFailure(.permissionDenied) }
    let ticket = keep(
      call,
      .write(space: request.space, action: request.item.action, showsEntity: request.returnEntity || kind == .getOrCreate))
    let submission = WriteSubmission(
      space: request.space, principal: principal, items: [request.item],
      deadlineNanoseconds: call.deadline?.uptimeNanoseconds, sink: mailbox, ticket: ticket)
    return service.writer.submit(submission) ? .pending : try giveUp(ticket)
  }

  /// The reply to a write; `nil` when it needs a further read, which answers the call itself.
  func writeReply(_ result: WriteResult, _ call: PendingCall) -> CallReply? {
    guard case .write(let space, let action, let showsEntity) = call.kind else { return nil }
    switch result {
    case .outcomes(let outcomes):
      guard let outcome = outcomes.first else { return CallReply(status: .storeFailed) }
      return reply(outcome, space, action, showsEntity: showsEntity, call)
    case .unknownSpace: return CallReply(status: .unknownSpace(space))
    case .expired: return CallReply(status: .expired)
    case .full: return CallReply(status: .diskFull)
    case .revisionsUsedUp: return CallReply(status: .revisionsUsedUp(space))
    case .corrupt: return CallReply(status: .damaged)
    case .unknown: return CallReply(status: .storeFailed)
    }
  }

  private func reply(
    _ outcome: Outcome, _ space: SpaceName, _ action: WriteAction, showsEntity: Bool, _ call: PendingCall
  ) -> CallReply? {
    var outcome = outcome
    let current = outcome.entity
    if outcome.code.isSuccess {
      if !showsEntity { outcome.entity = nil }
      return reply(WriteResponse(outcome: outcome))
    }
    outcome.entity = nil
    guard let current else { return refusal(outcome) }
    if outcome.code == .conflict, tellStory(outcome, current, space, action, call) { return nil }
    outcome.conflict = Conflict(expected: action.expected, current: current).fitted()
    return refusal(outcome)
  }

  /// Reads what happened since the expected version and answers with it. False when it cannot be read now.
  private func tellStory(
    _ refused: Outcome, _ current: Entity, _ space: SpaceName, _ action: WriteAction, _ call: PendingCall
  ) -> Bool {
    let ticket = keepOn(call)
    let mailbox = mailbox
    let isQueued = service.readers.submit { result in
      let outcome = ConflictReader.outcome(refused, current, space, action, result)
      mailbox.finish(ticket) { $0.refusal(outcome) }
    }
    if !isQueued { _ = try? giveUp(ticket) }
    return isQueued
  }

  /// The reply to a write that was not applied: its outcome as a detail of the status, without the story when that does not fit.
  func refusal(_ outcome: Outcome) -> CallReply {
    var outcome = outcome
    for isLastTry in [false, true] {
      do throws(WireError) { return CallReply(status: try RPCStatus(outcome, using: arena)) } catch {
        guard !isLastTry else { break }
        outcome.conflict = Conflict(expected: outcome.conflict?.expected, current: nil, isTruncated: true)
      }
    }
    return CallReply(status: RPCStatus(outcome.code.statusCode, outcome.message))
  }
}
