import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__Space> { static let space = MessageKind(tidemark__v1__space__init) }
extension MessageKind<Tidemark__V1__CreateSpaceRequest> {
  static let spaceName = MessageKind(tidemark__v1__create_space_request__init)
}
extension MessageKind<Tidemark__V1__CreateSpaceResponse> {
  static let spaceResponse = MessageKind(tidemark__v1__create_space_response__init)
}
extension MessageKind<Tidemark__V1__ListSpacesRequest> {
  static let listSpacesRequest = MessageKind(tidemark__v1__list_spaces_request__init)
}
extension MessageKind<Tidemark__V1__ListSpacesResponse> {
  static let listSpacesResponse = MessageKind(tidemark__v1__list_spaces_response__init)
}
extension MessageKind<Tidemark__V1__DeleteSpaceRequest> {
  static let deleteSpaceRequest = MessageKind(tidemark__v1__delete_space_request__init)
}
extension MessageKind<Tidemark__V1__DeleteSpaceResponse> {
  static let deleteSpaceResponse = MessageKind(tidemark__v1__delete_space_response__init)
}

/// One space as clients see it.
public struct SpaceDescription: Hashable, Sendable {
  public var name: SpaceName
  /// The latest revision.
  public var revision: Revision
  public var epoch: Epoch
  public var createdAt: Timestamp
  /// How many entities are alive.
  public var aliveEntities: UInt64

  public init(name: SpaceName, revision: Revision, epoch: Epoch, createdAt: Timestamp, aliveEntities: UInt64) {
    self.name = name
    self.revision = revision
    self.epoch = epoch
    self.createdAt = createdAt
    self.aliveEntities = aliveEntities
  }

  fileprivate init(_ message: Tidemark__V1__Space) throws(WireError) {
    self.init(
      name: try Part.space(message.name, "name"), revision: try Part.revision(message.revision),
      epoch: try Part.requiredEpoch(message.epoch), createdAt: try Part.timestamp(message.created_at_us, "created_at_us"),
      aliveEntities: message.alive_entities)
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Space> {
    let message = try arena.make(.space)
    message.pointee.name = try arena.copy(name.text)
    message.pointee.revision = revision.rawValue
    message.pointee.epoch = try arena.copy(epoch)
    message.pointee.created_at_us = createdAt.rawValue
    message.pointee.alive_entities = aliveEntities
    return message
  }
}

/// Names one space: the request of CreateSpace, GetSpace and VerifySpace, which are the same on the wire.
public struct SpaceRequest: Hashable, Sendable {
  public var name: SpaceName

  public init(name: SpaceName) { self.name = name }
}

extension SpaceRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.spaceName)
    message.pointee.name = try arena.copy(name.text)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> SpaceRequest {
    try arena.decode(bytes, as: .spaceName) { (message) throws(WireError) in
      SpaceRequest(name: try Part.space(message.name, "name"))
    }
  }
}

/// Carries one space: the answer to CreateSpace and GetSpace, which are the same on the wire.
public struct SpaceResponse: Hashable, Sendable {
  public var space: SpaceDescription

  public init(space: SpaceDescription) { self.space = space }
}

extension SpaceResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.spaceResponse)
    message.pointee.space = try space.makeMessage(in: arena)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> SpaceResponse {
    try arena.decode(bytes, as: .spaceResponse) { (message) throws(WireError) in
      SpaceResponse(space: try Part.required(message.space, "space") { (m) throws(WireError) in try SpaceDescription(m) })
    }
  }
}

/// Asks for the spaces that the caller may read.
public struct ListSpacesRequest: Hashable, Sendable {
  public init() {}
}

extension ListSpacesRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try arena.make(.listSpacesRequest))
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ListSpacesRequest {
    try arena.decode(bytes, as: .listSpacesRequest) { (_) throws(WireError) in ListSpacesRequest() }
  }
}

/// Carries spaces, sorted by name.
public struct ListSpacesResponse: Hashable, Sendable {
  public var spaces: [SpaceDescription]

  public init(spaces: [SpaceDescription]) { self.spaces = spaces }
}

extension ListSpacesResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.listSpacesResponse)
    message.pointee.n_spaces = spaces.count
    message.pointee.spaces = try arena.makeList(spaces) { (space) throws(WireError) in try space.makeMessage(in: arena) }
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ListSpacesResponse {
    try arena.decode(bytes, as: .listSpacesResponse) { (message) throws(WireError) in
      ListSpacesResponse(
        spaces: try Part.list(message.n_spaces, message.spaces) { (space) throws(WireError) in try SpaceDescription(space) })
    }
  }
}

/// Removes a space with everything in it.
public struct DeleteSpaceRequest: Hashable, Sendable {
  public var name: SpaceName
  /// The latest revision that the caller has seen; 0 is that of a space that never saw a change.
  public var expectedRevision: Revision

  public init(name: SpaceName, expectedRevision: Revision) {
    self.name = name
    self.expectedRevision = expectedRevision
  }
}

extension DeleteSpaceRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.deleteSpaceRequest)
    message.pointee.name = try arena.copy(name.text)
    message.pointee.expected_revision = expectedRevision.rawValue
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> DeleteSpaceRequest {
    try arena.decode(bytes, as: .deleteSpaceRequest) { (message) throws(WireError) in
      DeleteSpaceRequest(
        name: try Part.space(message.name, "name"),
        expectedRevision: try Part.revision(message.expected_revision, "expected_revision"))
    }
  }
}

/// Says that a space is gone.
public struct DeleteSpaceResponse: Hashable, Sendable {
  /// The latest revision that the space had.
  public var revision: Revision

  public init(revision: Revision) { self.revision = revision }
}

extension DeleteSpaceResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.deleteSpaceResponse)
    message.pointee.revision = revision.rawValue
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> DeleteSpaceResponse {
    try arena.decode(bytes, as: .deleteSpaceResponse) { (message) throws(WireError) in
      DeleteSpaceResponse(revision: try Part.revision(message.revision))
    }
  }
}
