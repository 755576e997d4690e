internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// CreateSpace, GetSpace, ListSpaces, DeleteSpace and VerifySpace.
extension LoopDispatcher {
  func createSpace(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: SpaceRequest = try decode(call)
    guard principal.isAdminEverywhere else { throw CallFailure(.permissionDenied) }
    let now = service.clock.now()
    return try administer(call) { transaction, random -> Result<SpaceRecord, RPCStatus> in
      guard try transaction.space(named: request.name) == nil else {
        return .failure(RPCStatus(.alreadyExists, "The space '\(request.name)' exists already."))
      }
      return .success(try transaction.insertSpace(named: request.name, at: now, random: &random))
    } reply: { _, record in
      SpaceResponse(space: SpaceDescription(record))
    }
  }

  func getSpace(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: SpaceRequest = try decode(call)
    guard principal.can(.reader, in: request.name) else { throw CallFailure(.permissionDenied) }
    return try read(call) { snapshot -> Result<SpaceResponse, RPCStatus> in
      guard let record = try snapshot.space(named: request.name) else { return .failure(.unknownSpace(request.name)) }
      return .success(SpaceResponse(space: SpaceDescription(record)))
    }
  }

  func listSpaces(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let _: ListSpacesRequest = try decode(call)
    return try read(call) { snapshot -> Result<ListSpacesResponse, RPCStatus> in
      let visible = try snapshot.spaces().filter { principal.can(.reader, in: $0.name) }
      return .success(ListSpacesResponse(spaces: visible.map { SpaceDescription($0) }))
    }
  }

  func deleteSpace(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: DeleteSpaceRequest = try decode(call)
    guard principal.isAdminEverywhere else { throw CallFailure(.permissionDenied) }
    guard request.name != .default else {
      throw CallFailure(RPCStatus(.failedPrecondition, "The space 'default' cannot be deleted."))
    }
    return try administer(call) { transaction, _ -> Result<Revision, RPCStatus> in
      guard let record = try transaction.space(named: request.name) else { return .failure(.unknownSpace(request.name)) }
      guard record.revision == request.expectedRevision else {
        return .failure(
          RPCStatus(
            .aborted,
            "The space '\(request.name)' moved on: you expected revision \(request.expectedRevision), it is at \(record.revision).",
            details: [.errorInfo(reason: "REVISION_MISMATCH")]))
      }
      try transaction.deleteSpace(record.id)
      return .success(record.revision)
    } reply: { _, revision in
      DeleteSpaceResponse(revision: revision)
    }
  }

  func verifySpace(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: SpaceRequest = try decode(call)
    guard principal.can(.admin, in: request.name) else { throw CallFailure(.permissionDenied) }
    return start(VerifySource(verifier: ChainVerifier(space: request.name)), for: call)
  }

  /// Answers a call with what administrative work in a transaction of its own makes.
  ///
  /// - Parameters:
  ///   - body: runs on the writer's thread; a failure must be found before anything is changed.
  ///   - didCommit: runs on the writer's thread, once the work is durable and before any later work: in the order of the commits.
  ///   - reply: runs on the loop, once the work is durable.
  func administer<Made: Sendable, Response: EncodableMessage>(
    _ call: IncomingCall,
    _ body: @escaping @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Result<Made, RPCStatus>,
    didCommit: @escaping @Sendable (Made) -> Void = { _ in },
    reply makeResponse: @escaping @Sendable (LoopDispatcher, Made) -> Response
  ) throws(CallFailure) -> CallDisposition {
    let ticket = keep(call)
    let mailbox = mailbox
    let made = Handover<Result<Made, RPCStatus>>()
    let deadline = call.deadline?.uptimeNanoseconds
    let clock = service.clock
    let isQueued = service.writer.administer { transaction, random in
      if let deadline, clock.uptimeNanoseconds() >= deadline { return made.put(.failure(.expired)) }
      made.put(try body(transaction, &random))
    } completion: { error in
      let result = error.map { .failure(.ofWrite($0)) } ?? made.take() ?? .failure(.storeFailed)
      if case .success(let value) = result { didCommit(value) }
      mailbox.finish(ticket) { dispatcher in
        switch result {
        case .success(let value): dispatcher.reply(makeResponse(dispatcher, value))
        case .failure(let status): CallReply(status: status)
        }
      }
    }
    return isQueued ? .pending : try giveUp(ticket)
  }
}

extension SpaceDescription {
  init(_ record: SpaceRecord) {
    self.init(
      name: record.name, revision: record.revision, epoch: record.epoch, createdAt: record.createdAt,
      aliveEntities: record.aliveCount)
  }
}

/// Walks the chain of a space and tells how far it has come.
private struct VerifySource: StreamSource {
  var verifier: ChainVerifier

  private static let rowsPerStep = 1_000

  mutating func next(_ snapshot: any StoreSnapshot) throws -> StreamStep {
    guard try verifier.step(snapshot, limit: VerifySource.rowsPerStep) else { return .end(.unknownSpace(verifier.name)) }
    let faults = verifier.isDone ? verifier.faults : []
    let progress = VerifySpaceResponse(
      changesChecked: verifier.changesChecked, changesTotal: verifier.changesTotal, isDone: verifier.isDone,
      faults: faults.map { VerifySpaceResponse.Fault(revision: $0.revision, key: $0.key, fault: $0.kind.rawValue) })
    return .message(progress, isLast: verifier.isDone)
  }
}
