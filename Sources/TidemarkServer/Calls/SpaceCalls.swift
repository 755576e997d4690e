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
    let (authenticator, board) = (service.authenticator, service.board)
    return try administer(call) { transaction, _ -> Result<(SpaceRecord, [TokenRecord]), RPCStatus> in
      guard let record = try transaction.space(named: request.name) else { return .failure(.unknownSpace(request.name)) }
      guard record.revision == request.expectedRevision else {
        return .failure(
          RPCStatus(
            .aborted,
            "The space '\(request.name)' moved on: you expected revision \(request.expectedRevision), it is at \(record.revision).",
            details: [.errorInfo(reason: "REVISION_MISMATCH")]))
      }
      try transaction.deleteSpace(record.id)
      return .success((record, try transaction.withdrawRoles(in: request.name)))
    } didCommit: {
      for token in $0.1 { authenticator.add(token) }
      board.publish([SpaceMark(space: $0.0.id, revision: nil)])
    } reply: { _, done in
      DeleteSpaceResponse(revision: done.0.revision)
    }
  }

  func verifySpace(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: SpaceRequest = try decode(call)
    guard principal.can(.admin, in: request.name) else { throw CallFailure(.permissionDenied) }
    return start(VerifySource(space: request.name), for: call)
  }
}

extension StoreTransaction {
  /// Takes the roles in a space from all tokens: a later space of its name is another one. Returns the tokens that had one.
  fileprivate func withdrawRoles(in space: SpaceName) throws -> [TokenRecord] {
    var changed: [TokenRecord] = []
    for var token in try tokens() where token.roles[space] != nil {
      token.roles[space] = nil
      guard try deleteToken(id: token.id) else { continue }
      try insertToken(token)
      changed.append(token)
    }
    return changed
  }
}

extension SpaceDescription {
  init(_ record: SpaceRecord) {
    self.init(
      name: record.name, revision: record.revision, epoch: record.epoch, createdAt: record.createdAt,
      aliveEntities: record.aliveCount)
  }
}

extension SpaceResponse: SizedAnswer {
  var heldBytes: Int { 256 }
}

extension ListSpacesResponse: SizedAnswer {
  var heldBytes: Int { spaces.count * 256 }
}

extension VerifySpaceResponse: SizedAnswer {
  var heldBytes: Int { 128 + faults.count * 256 }
}

/// Walks the chain of a space, then its keys and references, and tells how far it has come.
private struct VerifySource: StreamSource {
  private var verifier: ChainVerifier
  private var relations: RelationVerifier

  /// Rows are read with their fields, up to 1 MiB each: few at a time.
  private static let rowsPerStep = 16
  private static let stepsPerMessage = 64

  init(space: SpaceName) {
    verifier = ChainVerifier(space: space)
    relations = RelationVerifier(space: space) { try Schema.decode($0) }
  }

  mutating func next(_ snapshot: any StoreSnapshot) throws -> StreamStep {
    for _ in 0..<VerifySource.stepsPerMessage where !verifier.isDone {
      guard try verifier.step(snapshot, limit: VerifySource.rowsPerStep) else { return .end(.unknownSpace(verifier.name)) }
    }
    for _ in 0..<VerifySource.stepsPerMessage where verifier.isDone && !relations.isDone {
      guard try relations.step(snapshot, limit: VerifySource.rowsPerStep) else { return .end(.unknownSpace(verifier.name)) }
    }
    let isDone = verifier.isDone && relations.isDone
    let faults = isDone ? (verifier.faults + relations.faults).prefix(ChainVerifier.faultsMax) : []
    let progress = VerifySpaceResponse(
      changesChecked: verifier.changesChecked, changesTotal: verifier.changesTotal, isDone: isDone,
      faults: faults.map { VerifySpaceResponse.Fault(revision: $0.revision, key: $0.key, fault: $0.kind.rawValue) })
    return .message(progress, isLast: isDone)
  }
}
