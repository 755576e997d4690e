import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__ListRequest> { static let listRequest = MessageKind(tidemark__v1__list_request__init) }
extension MessageKind<Tidemark__V1__ListResponse> { static let listResponse = MessageKind(tidemark__v1__list_response__init) }

/// Asks for the entities of one type, sorted by id.
public struct ListRequest: Hashable, Sendable {
  /// Whether deleted entities belong to the answer. The numbers are those of `tidemark.v1.DeletedFilter`.
  public enum Deleted: UInt8, Sendable, CaseIterable {
    /// Only entities that are alive.
    case exclude = 1
    /// Entities that are alive, and deleted ones.
    case include = 2
    /// Only deleted entities.
    case only = 3
  }

  public var space: SpaceName
  public var type: TypeName
  /// Only ids above this one; `nil` for all.
  public var afterID: EntityID?
  /// At most this many entities; `nil` for all.
  public var limit: Int?
  public var deleted: Deleted

  public init(space: SpaceName, type: TypeName, afterID: EntityID? = nil, limit: Int? = nil, deleted: Deleted = .exclude) {
    self.space = space
    self.type = type
    self.afterID = afterID
    self.limit = limit
    self.deleted = deleted
  }
}

extension ListRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.listRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.type = try arena.copy(type.text)
    message.pointee.after_id = try arena.copy(afterID?.text ?? "")
    message.pointee.limit = UInt64(clamping: limit ?? 0)
    message.pointee.deleted = Tidemark__V1__DeletedFilter(rawValue: UInt32(deleted.rawValue))
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ListRequest {
    try arena.decode(bytes, as: .listRequest) { (message) throws(WireError) in
      // 0 stands for the default.
      guard let deleted = UInt8(exactly: max(message.deleted.rawValue, 1)).flatMap({ Deleted(rawValue: $0) }) else {
        throw .invalid("deleted", rule: "deleted_filter", "The choice of deleted entities is not known.")
      }
      return ListRequest(
        space: try Part.space(message.space), type: try Part.type(message.type),
        afterID: message.after_id.raw.isEmpty ? nil : try Part.id(message.after_id, "after_id"),
        limit: message.limit == 0 ? nil : Int(clamping: message.limit), deleted: deleted)
    }
  }
}

/// One page of a list. It is consistent in itself.
public struct ListResponse: Hashable, Sendable {
  public var entities: [Entity]
  /// The revision at which this page was read.
  public var revision: Revision
  public var epoch: Epoch

  public init(entities: [Entity], revision: Revision, epoch: Epoch) {
    self.entities = entities
    self.revision = revision
    self.epoch = epoch
  }
}

extension ListResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.listResponse)
    message.pointee.n_entities = entities.count
    message.pointee.entities = try arena.makeList(entities) { (entity) throws(WireError) in try entity.makeMessage(in: arena) }
    message.pointee.revision = revision.rawValue
    message.pointee.epoch = try arena.copy(epoch)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ListResponse {
    try arena.decode(bytes, as: .listResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      ListResponse(
        entities: try Part.list(message.n_entities, message.entities) { (entity) throws(WireError) in try Entity(entity) },
        revision: try Part.revision(message.revision), epoch: try Part.requiredEpoch(message.epoch))
    }
  }
}
