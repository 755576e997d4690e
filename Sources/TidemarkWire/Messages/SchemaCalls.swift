import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__ApplySchemaRequest> {
  static let applySchemaRequest = MessageKind(tidemark__v1__apply_schema_request__init)
}
extension MessageKind<Tidemark__V1__GetSchemaRequest> {
  static let getSchemaRequest = MessageKind(tidemark__v1__get_schema_request__init)
}
extension MessageKind<Tidemark__V1__GetSchemaResponse> {
  static let getSchemaResponse = MessageKind(tidemark__v1__get_schema_response__init)
}
extension MessageKind<Tidemark__V1__RollbackSchemaRequest> {
  static let rollbackSchemaRequest = MessageKind(tidemark__v1__rollback_schema_request__init)
}
extension MessageKind<Tidemark__V1__SchemaVersion> {
  static let schemaVersion = MessageKind(tidemark__v1__schema_version__init)
}

/// Changes the schema of a space.
public struct ApplySchemaRequest: Hashable, Sendable {
  public var space: SpaceName
  /// The new schema, whole. Whether it has `problems()` is told by the answer.
  public var schema: Schema
  /// The version of the schema it was made from; 0 when the space has none.
  public var expectedVersion: UInt64
  /// Only tell what would happen.
  public var validatesOnly: Bool
  /// Apply it although it breaks programs.
  public var allowsBreaking: Bool

  public init(
    space: SpaceName, schema: Schema, expectedVersion: UInt64, validatesOnly: Bool = false, allowsBreaking: Bool = false
  ) {
    self.space = space
    self.schema = schema
    self.expectedVersion = expectedVersion
    self.validatesOnly = validatesOnly
    self.allowsBreaking = allowsBreaking
  }
}

extension ApplySchemaRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.applySchemaRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.schema = try schema.makeSchema(in: arena)
    message.pointee.expected_version = expectedVersion
    message.pointee.validate_only = validatesOnly ? 1 : 0
    message.pointee.allow_breaking = allowsBreaking ? 1 : 0
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ApplySchemaRequest {
    try arena.decode(bytes, as: .applySchemaRequest) { (message) throws(WireError) in
      ApplySchemaRequest(
        space: try Part.space(message.space),
        schema: try Part.required(message.schema, "schema") { (m) throws(WireError) in try Schema(m) },
        expectedVersion: try Part.schemaVersion(message.expected_version, "expected_version"),
        validatesOnly: message.validate_only != 0, allowsBreaking: message.allow_breaking != 0)
    }
  }
}

/// Asks for the schema of a space.
public struct GetSchemaRequest: Hashable, Sendable {
  public var space: SpaceName
  /// 0 for the one in force.
  public var version: UInt64

  public init(space: SpaceName, version: UInt64 = 0) {
    self.space = space
    self.version = version
  }
}

extension GetSchemaRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.getSchemaRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.version = version
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> GetSchemaRequest {
    try arena.decode(bytes, as: .getSchemaRequest) { (message) throws(WireError) in
      GetSchemaRequest(
        space: try Part.space(message.space), version: try Part.schemaVersion(message.version, "version"))
    }
  }
}

/// A schema as it was applied.
public struct SchemaVersion: Hashable, Sendable {
  /// Counts the schemas of the space, from 1.
  public var version: UInt64
  public var schema: Schema
  /// Who applied it, and when.
  public var applied: Mark
  /// The first 8 bytes of the SHA-256 of its encoding.
  public var hash: [UInt8]

  public init(version: UInt64, schema: Schema, applied: Mark, hash: [UInt8]) {
    self.version = version
    self.schema = schema
    self.applied = applied
    self.hash = hash
  }
}

/// Carries the schema of a space; `nil` when the space has none.
public struct GetSchemaResponse: Hashable, Sendable {
  public var schema: SchemaVersion?

  public init(schema: SchemaVersion?) { self.schema = schema }
}

extension GetSchemaResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.getSchemaResponse)
    if let schema {
      let version = try arena.make(.schemaVersion)
      version.pointee.version = schema.version
      version.pointee.schema = try schema.schema.makeSchema(in: arena)
      version.pointee.applied_at_us = schema.applied.at.rawValue
      version.pointee.applied_by = try arena.copy(schema.applied.by.text)
      version.pointee.hash = try arena.copy(schema.hash)
      message.pointee.schema = version
    }
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> GetSchemaResponse {
    try arena.decode(bytes, as: .getSchemaResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      guard let version = message.schema?.pointee else { return GetSchemaResponse(schema: nil) }
      return GetSchemaResponse(
        schema: SchemaVersion(
          version: try Part.schemaVersion(version.version, "version"),
          schema: try Part.required(version.schema, "schema") { (m) throws(WireError) in try Schema(m) },
          applied: try Part.mark(at: version.applied_at_us, by: version.applied_by, "applied_by"),
          hash: version.hash.copied))
    }
  }
}

/// Applies the content of an earlier version as a new one.
public struct RollbackSchemaRequest: Hashable, Sendable {
  public var space: SpaceName
  /// The version whose content is wanted; 0 for the one before the one in force.
  public var toVersion: UInt64
  /// The version in force.
  public var expectedVersion: UInt64
  /// Only tell what would happen.
  public var validatesOnly: Bool

  public init(space: SpaceName, toVersion: UInt64 = 0, expectedVersion: UInt64, validatesOnly: Bool = false) {
    self.space = space
    self.toVersion = toVersion
    self.expectedVersion = expectedVersion
    self.validatesOnly = validatesOnly
  }
}

extension RollbackSchemaRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.rollbackSchemaRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.to_version = toVersion
    message.pointee.expected_version = expectedVersion
    message.pointee.validate_only = validatesOnly ? 1 : 0
    return MessagePointer(message)
  }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer, using arena: MessageArena
  ) throws(WireError) -> RollbackSchemaRequest {
    try arena.decode(bytes, as: .rollbackSchemaRequest) { (message) throws(WireError) in
      RollbackSchemaRequest(
        space: try Part.space(message.space), toVersion: try Part.schemaVersion(message.to_version, "to_version"),
        expectedVersion: try Part.schemaVersion(message.expected_version, "expected_version"),
        validatesOnly: message.validate_only != 0)
    }
  }
}

extension Part {
  /// The version of a schema, which engines hold as a signed number; 0 for none.
  static func schemaVersion(_ value: UInt64, _ field: String) throws(WireError) -> UInt64 {
    guard value <= UInt64(Int64.max) else {
      throw .invalid(field, rule: "version_range", "A version is at most \(Int64.max).")
    }
    return value
  }
}
