internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Create, GetOrCreate, Update, Replace, Delete and Restore: each a list of one item.
extension LoopDispatcher {
  /// Larger entities are read again for the answer, when their connection may have it, in bytes.
  private static let outcomeEntityBytesMax = 8 * 1024

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
      .write(space: request.space, action: request.item.action, showsEntity: request.returnEntity || kind == .getOrCreate),
      by: principal.name)
    let submission = WriteSubmission(
      space: request.space, principal: principal, items: [request.item],
      deadlineNanoseconds: call.deadline?.uptimeNanoseconds, entityBytesMax: LoopDispatcher.outcomeEntityBytesMax,
      sink: mailbox, ticket: ticket)
    return service.writer.submit(submission) ? .pending : try giveUp(ticket)
  }

  /// The reply to a write; `nil` when it needs a further read, which answers the call itself.
  func writeReply(_ result: WriteResult, _ call: PendingCall) -> CallReply? {
    let space: SpaceName
    switch (result, call.kind) {
    case (.outcomes(let outcomes), .write(let space, let action, let showsEntity)):
      guard let outcome = outcomes.first else { return CallReply(status: .storeFailed) }
      return reply(outcome, space, action, showsEntity: showsEntity, call)
    case (.outcomes(let outcomes), .bulk(let work)): return bulkReply(outcomes, work, call)
    case (_, .write(let named, _, _)): space = named
    case (_, .bulk(let work)): space = work.space
    case (_, .other): return nil
    }
    switch result {
    case .outcomes: return nil
    case .unknownSpace: return CallReply(status: .unknownSpace(space))
    case .expired: return CallReply(status: .expired)
    case .full: return CallReply(status: .diskFull)
    case .revisionsUsedUp: return CallReply(status: .revisionsUsedUp(space))
    case .corrupt: return CallReply(status: .damaged)
    case .unavailable: return CallReply(status: .storeUnavailable)
    case .unknown: return CallReply(status: .storeFailed)
    }
  }

  private func reply(
    _ outcome: Outcome, _ space: SpaceName, _ action: WriteAction, showsEntity: Bool, _ call: PendingCall
  ) -> CallReply? {
    var outcome = outcome
    let entity = outcome.entity
    outcome.entity = nil
    if outcome.code.isSuccess {
      guard showsEntity else { return reply(WriteResponse(outcome: outcome)) }
      guard let entity else { return showEntity(outcome, space, call) ? nil : reply(WriteResponse(outcome: outcome)) }
      outcome.entity = entity
      return reply(WriteResponse(outcome: outcome))
    }
    guard let id = outcome.id, outcome.version != nil else { return refusal(outcome) }
    let key = EntityKey(type: outcome.type, id: id)
    if outcome.code == .conflict || entity == nil, tellStory(outcome, key, space, action, call) { return nil }
    outcome.conflict = Conflict(expected: action.expected, current: entity, isTruncated: entity == nil)
    return refusal(outcome)
  }

  /// Reads the entity as the write left it, which was too large for the outcome, and answers with it. False when it cannot be read now.
  private func showEntity(_ outcome: Outcome, _ space: SpaceName, _ call: PendingCall) -> Bool {
    answer(call) { snapshot in
      var outcome = outcome
      if let revision = outcome.revision, let snapshot = try? snapshot.get(), let record = try? snapshot.space(named: space),
        record.epoch == outcome.epoch
      {
        outcome.entity = try? snapshot.logEntry(at: revision, in: record.id)?.change.entity
      }
      return (outcome.entity?.heldBytes ?? 0, { [outcome] in $0.reply(WriteResponse(outcome: outcome)) })
    } unread: {
      $0.reply(WriteResponse(outcome: outcome))
    }
  }

  /// Reads what happened since the expected version and answers with it. False when it cannot be read now.
  private func tellStory(
    _ refused: Outcome, _ key: EntityKey, _ space: SpaceName, _ action: WriteAction, _ call: PendingCall
  ) -> Bool {
    answer(call) { snapshot in
      let outcome = ConflictReader.outcome(refused, key, space, action, snapshot)
      return (outcome.conflict?.heldBytes ?? 0, { $0.refusal(outcome) })
    } unread: {
      var outcome = refused
      outcome.conflict = Conflict(expected: action.expected, current: nil, isTruncated: true)
      return $0.refusal(outcome)
    }
  }

  /// Answers a write with what a reader's thread finds. False when the readers have too much to do.
  ///
  /// - Parameter unread: the answer when nobody can wait for the reading.
  func answer(
    _ call: PendingCall,
    _ read:
      @escaping @Sendable (Result<any StoreSnapshot, StoreError>) -> (
        bytes: Int, reply: @Sendable (LoopDispatcher) -> CallReply
      ),
    unread: @escaping @Sendable (LoopDispatcher) -> CallReply
  ) -> Bool {
    let ticket = keepOn(call)
    let name = CallName(connection: call.connection.connectionID, call: call.id)
    let read = StoreRead(name: name, account: call.connection.account) { snapshot in
      let (bytes, reply) = read(snapshot)
      return StoreRead.Found(bytes: bytes) { $0.finish(ticket) { dispatcher, _ in reply(dispatcher) } }
    } end: { dispatcher, _ in
      dispatcher.finish(ticket) { dispatcher, _ in unread(dispatcher) }
    }
    let isQueued = submit(read)
    if !isQueued { _ = try? giveUp(ticket) }
    return isQueued
  }

  /// The reply to a write that was not applied: its outcome as a detail of the status, without the story when that does not fit, and then without
  /// all that is more than what became of the write.
  func refusal(_ outcome: Outcome) -> CallReply {
    var outcome = outcome
    let cuts: [(inout Outcome) -> Void] = [
      { $0.conflict = Conflict(expected: $0.conflict?.expected, current: nil, isTruncated: true) },
      { ($0.violations, $0.related, $0.conflict, $0.entity) = ([], [], nil, nil) },
    ]
    for cut in cuts + [{ _ in }] {
      do throws(WireError) { return CallReply(status: try RPCStatus(outcome, using: arena)) } catch { cut(&outcome) }
    }
    return CallReply(status: RPCStatus(outcome.code.statusCode, outcome.message))
  }
}
