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
    let recent = service.recent
    // Like any other small answer: not while the client leaves too many unread.
    if call.connection.account.mayReadLittle, let found = recent?.entity(request.key, in: request.space) {
      guard found.entity.isVisible(includingDeleted: request.includeDeleted) else {
        throw CallFailure(.unknownEntity(request.key))
      }
      return .reply(reply(GetResponse(entity: found.entity, epoch: found.epoch)))
    }
    let moment = recent?.moment()
    return try read(call) { snapshot -> Result<GetResponse, RPCStatus> in
      guard let space = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
      guard let entity = try snapshot.entities([request.key], in: space.id).first ?? nil else {
        return .failure(.unknownEntity(request.key))
      }
      if let recent, let moment, entity.fields.bytes.count <= LoopDispatcher.recentFieldsBytesMax {
        recent.keep(entity, in: space, readAfter: moment)
      }
      guard entity.isVisible(includingDeleted: request.includeDeleted) else { return .failure(.unknownEntity(request.key)) }
      return .success(GetResponse(entity: entity, epoch: space.epoch))
    }
  }

  /// Larger entities are always read from the store: their answers wait for room first.
  private static let recentFieldsBytesMax = 8 * 1024

  func batchGet(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: BatchGetRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    return try read(call) { snapshot -> Result<BatchGetResponse, RPCStatus> in
      guard let space = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
      var room = WireLimits.messageBytesMax - 64 * 1024
      var results: [BatchGetResponse.Result] = []
      results.reserveCapacity(request.keys.count)
      // Few at a time: all that are asked for may be far more than an answer holds.
      for start in stride(from: 0, to: request.keys.count, by: LoopDispatcher.keysPerRead) {
        let keys = Array(request.keys[start..<min(start + LoopDispatcher.keysPerRead, request.keys.count)])
        for (key, entity) in zip(keys, try snapshot.entities(keys, in: space.id)) {
          let shown = entity.flatMap { $0.isVisible(includingDeleted: request.includeDeleted) ? $0 : nil }
          let size = 512 + (shown?.fields.bytes.count ?? 0)
          let isTruncated = shown != nil && size > room
          results.append(BatchGetResponse.Result(key: key, entity: isTruncated ? nil : shown, isTruncated: isTruncated))
          if !isTruncated { room -= size }
        }
      }
      return .success(BatchGetResponse(results: results, revision: space.revision, epoch: space.epoch))
    }
  }

  func list(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: ListRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    return start(ListSource(request), for: call)
  }

  private static let keysPerRead = 8

  /// Answers a call with what a reader's thread finds.
  func read<Response: SizedAnswer>(
    _ call: IncomingCall, _ body: @escaping @Sendable (any StoreSnapshot) throws -> Result<Response, RPCStatus>
  ) throws(CallFailure) -> CallDisposition {
    try read(call, body, heldBytes: { $0.heldBytes }, reply: { $0.reply($1) })
  }

  /// As above, for what is encoded in a way of its own.
  func read<Found: Sendable>(
    _ call: IncomingCall, _ body: @escaping @Sendable (any StoreSnapshot) throws -> Result<Found, RPCStatus>,
    heldBytes: @escaping @Sendable (Found) -> Int, reply: @escaping @Sendable (LoopDispatcher, Found) -> CallReply
  ) throws(CallFailure) -> CallDisposition {
    let ticket = keep(call)
    let name = CallName(connection: call.connection.connectionID, call: call.id)
    let read = StoreRead(
      name: name, account: call.connection.account, deadline: call.deadline?.uptimeNanoseconds
    ) { snapshot in
      let result: Result<Found, RPCStatus>
      do { result = try body(snapshot.get()) } catch { result = .failure(.ofRead(error)) }
      return StoreRead.Found(bytes: (try? result.get()).map(heldBytes) ?? 0) { dispatcher in
        dispatcher.finish(ticket) { dispatcher, _ in
          switch result {
          case .success(let found): reply(dispatcher, found)
          case .failure(let status): CallReply(status: status)
          }
        }
      }
    } end: { dispatcher, status in
      dispatcher.finish(ticket) { _, _ in CallReply(status: status) }
    }
    return submit(read) ? .pending : try giveUp(ticket)
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

extension GetResponse: SizedAnswer {
  var heldBytes: Int { entity.heldBytes }
}

extension BatchGetResponse: SizedAnswer {
  var heldBytes: Int { results.reduce(0) { $0 + 128 + ($1.entity?.heldBytes ?? 0) } }
}

extension ListResponse: SizedAnswer {
  var heldBytes: Int { entities.reduce(0) { $0 + $1.heldBytes } }
}

extension Entity {
  /// About the memory of the entity, in bytes.
  var heldBytes: Int { fields.bytes.count + 256 }
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
