internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// BulkWrite and GetOutcomes.
extension LoopDispatcher {
  func bulkWrite(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: BulkWriteRequest = try decode(call)
    guard principal.can(.writer, in: request.space) else { throw CallFailure(.permissionDenied) }
    let work = BulkWork(
      space: request.space, items: request.items, returnsEntities: request.returnsEntities,
      validatesOnly: request.validatesOnly, undo: nil)
    let ticket = keep(call, .bulk(work), by: principal.name)
    return submit(work, request.mode, principal, deadline: call.deadline, ticket) ? .pending : try giveUp(ticket)
  }

  /// Queues the items of a bulk as one request. False when the writer has too much to do.
  func submit(
    _ work: BulkWork, _ mode: BulkMode, _ principal: Principal, deadline: NIODeadline?, _ ticket: UInt64
  ) -> Bool {
    service.writer.submit(
      WriteSubmission(
        space: work.space, principal: principal, items: work.items, mode: mode, validatesOnly: work.validatesOnly,
        deadlineNanoseconds: deadline?.uptimeNanoseconds,
        // What is stored is read again for the answer, as far as it fits; what would be stored can only come along.
        entityBytesMax: work.validatesOnly && work.returnsEntities ? LoopDispatcher.toldEntityBytesMax : 0, sink: mailbox,
        ticket: ticket))
  }

  private static let toldEntityBytesMax = 8 * 1024

  /// The reply to a bulk; `nil` when it needs a further read, which answers the call itself.
  func bulkReply(_ outcomes: [Outcome], _ work: BulkWork, _ call: PendingCall) -> CallReply? {
    // The last change of the bulk tells the revision after it. Without one, it is read.
    let tellsRevision = !work.validatesOnly && outcomes.contains { $0.appliedAt != nil && !$0.isReplay }
    if !tellsRevision || work.pull != nil
      || zip(outcomes, outcomes.indices).contains(where: { BulkReader.isNeeded($0, $1, work) })
    {
      let isQueued = answer(call) { snapshot in
        var reader = BulkReader(work, outcomes)
        let (outcomes, revision) = reader.run(try? snapshot.get())
        let bytes = outcomes.reduce(0) { $0 + $1.sizeMax }
        let page = work.pull?.page(try? snapshot.get(), outcomesBytes: bytes)
        return (bytes + (page?.heldBytes ?? 0), { $0.bulkAnswer(outcomes, revision, work, page) })
      } unread: { dispatcher in
        var reader = BulkReader(work, outcomes)
        return dispatcher.bulkAnswer(reader.run(nil).outcomes, nil, work)
      }
      if isQueued { return nil }
    }
    var reader = BulkReader(work, outcomes)
    return bulkAnswer(reader.run(nil).outcomes, nil, work)
  }

  /// - Parameter revision: the revision of the space; `nil` when it was not read, and the latest one that the outcomes tell is the answer.
  func bulkAnswer(
    _ outcomes: [Outcome], _ revision: Revision?, _ work: BulkWork, _ page: PullResponse? = nil
  ) -> CallReply {
    let outcomes = work.undo?.arranged(outcomes) ?? outcomes
    guard let epoch = outcomes.first?.epoch else { return CallReply(status: .storeFailed) }
    let latest = revision ?? outcomes.compactMap(\.revision).max() ?? .zero
    let push = BulkWriteResponse(outcomes: outcomes, revision: latest, epoch: epoch)
    return work.pull == nil ? reply(push) : reply(ExchangeResponse(push: push, pull: page))
  }

  func getOutcomes(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: GetOutcomesRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    return try read(call) { snapshot -> Result<GetOutcomesResponse, RPCStatus> in
      guard let record = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
      let receipts = try snapshot.receipts(request.operations, of: principal.name, in: record.id)
      let results = try zip(request.operations, receipts).map { operation, receipt in
        let outcome = try receipt.map {
          try snapshot.replay($0, type: .unknown, id: nil, in: record, showsEntity: false)
        }
        return GetOutcomesResponse.KnownOutcome(operation: operation, outcome: outcome)
      }
      return .success(
        GetOutcomesResponse(
          results: results, revision: record.revision, receiptFloor: record.receiptFloor, epoch: record.epoch))
    }
  }
}

extension GetOutcomesResponse: SizedAnswer {
  var heldBytes: Int { results.reduce(0) { $0 + 64 + ($1.outcome?.sizeMax ?? 0) } }
}
