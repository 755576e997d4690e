internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Get, BatchGet and List.
extension LoopDispatcher {
  func get(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: GetRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    return try read(call) { snapshot -> Result<GetResponse, RPCStatus> in
      guard let space = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
      guard let entity = try snapshot.entities([request.key], in: space.id).first ?? nil,
        entity.isVisible(includingDeleted: request.includeDeleted)
      else { return .failure(.unknownEntity(request.key)) }
      return .success(GetResponse(entity: entity, epoch: space.epoch))
    }
  }

  func batchGet(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: BatchGetRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    return try read(call) { snapshot -> Result<BatchGetResponse, RPCStatus> in
      guard let space = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
      let entities = try snapshot.entities(request.keys, in: space.id)
      var room = WireLimits.messageBytesMax - 64 * 1024
      let results = zip(request.keys, entities).map { key, entity in
        let size = 512 + (entity?.fields.bytes.count ?? 0)
        guard let entity, entity.isVisible(includingDeleted: request.includeDeleted) else {
          room -= 512
          return BatchGetResponse.Result(key: key, entity: nil)
        }
        guard size <= room else { return BatchGetResponse.Result(key: key, entity: nil, isTruncated: true) }
        room -= size
        return BatchGetResponse.Result(key: key, entity: entity)
      }
      return .success(BatchGetResponse(results: results, revision: space.revision, epoch: space.epoch))
    }
  }

  func list(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: ListRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    return start(ListSource(request), for: call)
  }

  /// Answers a call with what a reader's thread finds.
  func read<Response: EncodableMessage>(
    _ call: IncomingCall, _ body: @escaping @Sendable (any StoreSnapshot) throws -> Result<Response, RPCStatus>
  ) throws(CallFailure) -> CallDisposition {
    let ticket = keep(call)
    let mailbox = mailbox
    let deadline = call.deadline?.uptimeNanoseconds
    let clock = service.clock
    let isQueued = service.readers.submit { snapshot in
      if let deadline, clock.uptimeNanoseconds() >= deadline {
        return mailbox.finish(ticket) { _ in CallReply(status: .expired) }
      }
      let result: Result<Response, RPCStatus>
      do { result = try body(snapshot.get()) } catch { result = .failure(.ofRead(error)) }
      mailbox.finish(ticket) { dispatcher in
        switch result {
        case .success(let response): dispatcher.reply(response)
        case .failure(let status): CallReply(status: status)
        }
      }
    }
    return isQueued ? .pending : try giveUp(ticket)
  }
}

extension Entity {
  /// Whether a read shows the entity. Purged ones are never shown.
  func isVisible(includingDeleted: Bool) -> Bool {
    switch life {
    case .alive: true
    case .deleted: includingDeleted
    case .purged: false
    }
  }
}

/// Pages through the entities of one type, each page on a snapshot of its own.
private struct ListSource: StreamSource {
  private let request: ListRequest
  private var after: EntityID?
  private var remaining: Int?
  private var epoch: Epoch?

  /// A page fills one frame, and so one stream's first credit.
  private static let pageBytesMax = 48 * 1024
  private static let pageEntitiesMax = 1_000

  init(_ request: ListRequest) {
    self.request = request
    after = request.afterID
    remaining = request.limit
  }

  mutating func next(_ snapshot: any StoreSnapshot) throws -> StreamStep {
    guard let space = try snapshot.space(named: request.space) else { return .end(.unknownSpace(request.space)) }
    if let epoch, epoch != space.epoch {
      return .end(RPCStatus(.aborted, "The space was replaced while it was listed. List it again."))
    }
    epoch = space.epoch
    let limit = min(remaining ?? ListSource.pageEntitiesMax, ListSource.pageEntitiesMax)
    let entities = try snapshot.entities(
      of: request.type, in: space.id, after: after, deleted: request.storeFilter, limit: limit, bytesMax: ListSource.pageBytesMax)
    // A damaged index can lead back to where the listing has been: it would never end.
    var last = after
    for entity in entities {
      if let last, entity.key.id <= last { return .end(.damaged) }
      last = entity.key.id
    }
    let bytes = entities.reduce(0) { $0 + $1.fields.bytes.count }
    remaining = remaining.map { $0 - entities.count }
    after = last
    let isLast = remaining == 0 || (entities.count < limit && bytes < ListSource.pageBytesMax)
    return .message(ListResponse(entities: entities, revision: space.revision, epoch: space.epoch), isLast: isLast)
  }
}

extension ListRequest {
  var storeFilter: DeletedFilter {
    switch deleted {
    case .exclude: .exclude
    case .include: .include
    case .only: .only
    }
  }
}
