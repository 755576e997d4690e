import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__GetRequest> { static let getRequest = MessageKind(tidemark__v1__get_request__init) }
extension MessageKind<Tidemark__V1__GetResponse> { static let getResponse = MessageKind(tidemark__v1__get_response__init) }
extension MessageKind<Tidemark__V1__BatchGetRequest> {
  static let batchGetRequest = MessageKind(tidemark__v1__batch_get_request__init)
}
extension MessageKind<Tidemark__V1__BatchGetResponse> {
  static let batchGetResponse = MessageKind(tidemark__v1__batch_get_response__init)
}
extension MessageKind<Tidemark__V1__BatchGetResult> {
  static let batchGetResult = MessageKind(tidemark__v1__batch_get_result__init)
}

/// Reads one entity.
public struct GetRequest: Hashable, Sendable {
  public var space: SpaceName
  public var key: EntityKey
  /// Answer with a deleted entity too.
  public var includeDeleted: Bool

  public init(space: SpaceName, key: EntityKey, includeDeleted: Bool = false) {
    self.space = space
    self.key = key
    self.includeDeleted = includeDeleted
  }
}

extension GetRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.getRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.type = try arena.copy(key.type.text)
    message.pointee.id = try arena.copy(key.id.text)
    message.pointee.include_deleted = includeDeleted ? 1 : 0
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> GetRequest {
    try arena.decode(bytes, as: .getRequest) { (message) throws(WireError) in
      GetRequest(
        space: try Part.space(message.space), key: try Part.key(type: message.type, id: message.id),
        includeDeleted: message.include_deleted != 0)
    }
  }
}

/// Carries one entity.
public struct GetResponse: Hashable, Sendable {
  public var entity: Entity
  public var epoch: Epoch

  public init(entity: Entity, epoch: Epoch) {
    self.entity = entity
    self.epoch = epoch
  }
}

extension GetResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.getResponse)
    message.pointee.entity = try entity.makeMessage(in: arena)
    message.pointee.epoch = try arena.copy(epoch)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> GetResponse {
    try arena.decode(bytes, as: .getResponse) { (message) throws(WireError) in
      GetResponse(
        entity: try Part.required(message.entity, "entity") { (m) throws(WireError) in try Entity(m) },
        epoch: try Part.requiredEpoch(message.epoch))
    }
  }
}

/// Reads several entities in one consistent state.
public struct BatchGetRequest: Hashable, Sendable {
  public var space: SpaceName
  /// 1 to 1,000 keys.
  public var keys: [EntityKey]
  /// Answer with deleted entities too.
  public var includeDeleted: Bool

  public init(space: SpaceName, keys: [EntityKey], includeDeleted: Bool = false) {
    self.space = space
    self.keys = keys
    self.includeDeleted = includeDeleted
  }
}

extension BatchGetRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.batchGetRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.n_keys = keys.count
    message.pointee.keys = try arena.makeList(keys) { (key) throws(WireError) in try key.makeMessage(in: arena) }
    message.pointee.include_deleted = includeDeleted ? 1 : 0
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> BatchGetRequest {
    try arena.decode(bytes, as: .batchGetRequest) { (message) throws(WireError) in
      guard (1...Limits.keysPerBatchGetMax).contains(message.n_keys) else {
        throw .invalid("keys", rule: "keys_max", "A batch has 1 to \(Limits.keysPerBatchGetMax) keys.")
      }
      return BatchGetRequest(
        space: try Part.space(message.space),
        keys: try Part.list(message.n_keys, message.keys) { (key) throws(WireError) in try EntityKey(key) },
        includeDeleted: message.include_deleted != 0)
    }
  }
}

/// Carries what a batch found, in the order of the request.
public struct BatchGetResponse: Hashable, Sendable {
  /// The answer to one key.
  public struct Result: Hashable, Sendable {
    public var key: EntityKey
    /// `nil` when the entity was not found, or was left out.
    public var entity: Entity?
    /// True when the entity was found but left out, because the answer would pass the message limit.
    public var isTruncated: Bool

    public init(key: EntityKey, entity: Entity?, isTruncated: Bool = false) {
      self.key = key
      self.entity = entity
      self.isTruncated = isTruncated
    }
  }

  public var results: [Result]
  /// The revision at which all results were read.
  public var revision: Revision
  public var epoch: Epoch

  public init(results: [Result], revision: Revision, epoch: Epoch) {
    self.results = results
    self.revision = revision
    self.epoch = epoch
  }
}

extension BatchGetResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.batchGetResponse)
    message.pointee.n_results = results.count
    message.pointee.results = try arena.makeList(results) { (result) throws(WireError) in try result.makeMessage(in: arena) }
    message.pointee.revision = revision.rawValue
    message.pointee.epoch = try arena.copy(epoch)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> BatchGetResponse {
    try arena.decode(bytes, as: .batchGetResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      BatchGetResponse(
        results: try Part.list(message.n_results, message.results) { (result) throws(WireError) in try Result(result) },
        revision: try Part.revision(message.revision), epoch: try Part.requiredEpoch(message.epoch))
    }
  }
}

extension BatchGetResponse.Result {
  fileprivate init(_ message: Tidemark__V1__BatchGetResult) throws(WireError) {
    self.init(
      key: try Part.required(message.key, "key") { (m) throws(WireError) in try EntityKey(m) }, entity: nil,
      isTruncated: message.is_truncated != 0)
    if let entity = message.entity { self.entity = try Entity(entity.pointee) }
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__BatchGetResult>? {
    let message = try arena.make(.batchGetResult)
    message.pointee.key = try key.makeMessage(in: arena)
    if let entity { message.pointee.entity = try entity.makeMessage(in: arena) }
    message.pointee.is_truncated = isTruncated ? 1 : 0
    return message
  }
}
