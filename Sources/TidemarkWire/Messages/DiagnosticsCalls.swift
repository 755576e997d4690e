import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__EchoRequest> { static let echo = MessageKind(tidemark__v1__echo_request__init) }
extension MessageKind<Tidemark__V1__GetServerInfoRequest> {
  static let serverInfoRequest = MessageKind(tidemark__v1__get_server_info_request__init)
}
extension MessageKind<Tidemark__V1__GetServerInfoResponse> {
  static let serverInfoResponse = MessageKind(tidemark__v1__get_server_info_response__init)
}
extension MessageKind<Tidemark__V1__StoreConnections> {
  static let storeConnections = MessageKind(tidemark__v1__store_connections__init)
}
extension MessageKind<Tidemark__V1__WriteCount> { static let writeCount = MessageKind(tidemark__v1__write_count__init) }

/// Carries an entity to send back, and the answer: request and response are the same on the wire.
///
/// The fields are checked as those of a write are. The metadata is carried as it comes, and may be incomplete.
public struct Echo: Hashable, Sendable {
  public var type = ""
  public var id = ""
  public var version: UInt64 = 0
  public var revision: UInt64 = 0
  /// The number of an `EntityLife`, or any other.
  public var state: UInt32 = 0
  public var createdAtMicroseconds: Int64 = 0
  public var createdBy = ""
  public var updatedAtMicroseconds: Int64 = 0
  public var updatedBy = ""
  public var deletedAtMicroseconds: Int64 = 0
  public var deletedBy = ""
  public var fields = Fields()

  public init() {}
}

extension Echo: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.echo)
    let entity = try arena.make(.entity)
    entity.pointee.type = try arena.copy(type)
    entity.pointee.id = try arena.copy(id)
    entity.pointee.version = version
    entity.pointee.revision = revision
    entity.pointee.state = Tidemark__V1__EntityState(rawValue: state)
    entity.pointee.created_at_us = createdAtMicroseconds
    entity.pointee.created_by = try arena.copy(createdBy)
    entity.pointee.updated_at_us = updatedAtMicroseconds
    entity.pointee.updated_by = try arena.copy(updatedBy)
    entity.pointee.deleted_at_us = deletedAtMicroseconds
    entity.pointee.deleted_by = try arena.copy(deletedBy)
    try arena.attach(CanonicalFields(fields), as: CanonicalFields.fieldNumber, to: entity)
    message.pointee.entity = entity
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> Echo {
    guard let entity = try WireReader.only(1, of: bytes) else {
      throw .invalid("entity", rule: "entity_required", "The part 'entity' is missing.")
    }
    return try arena.decode(entity, as: .entity, fields: CanonicalFields.fieldNumber) { (entity, fields) throws(WireError) in
      var echo = Echo()
      echo.type = try entity.type.text()
      echo.id = try entity.id.text()
      echo.version = entity.version
      echo.revision = entity.revision
      echo.state = entity.state.rawValue
      echo.createdAtMicroseconds = entity.created_at_us
      echo.createdBy = try entity.created_by.text()
      echo.updatedAtMicroseconds = entity.updated_at_us
      echo.updatedBy = try entity.updated_by.text()
      echo.deletedAtMicroseconds = entity.deleted_at_us
      echo.deletedBy = try entity.deleted_by.text()
      echo.fields = fields
      return echo
    }
  }
}

/// Asks what is running.
public struct GetServerInfoRequest: Hashable, Sendable {
  public init() {}
}

extension GetServerInfoRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try arena.make(.serverInfoRequest))
  }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer, using arena: MessageArena
  ) throws(WireError) -> GetServerInfoRequest {
    try arena.decode(bytes, as: .serverInfoRequest) { (_) throws(WireError) in GetServerInfoRequest() }
  }
}

/// Describes the server and the caller.
public struct GetServerInfoResponse: Hashable, Sendable {
  /// The software's version.
  public var version: String
  /// The server's clock.
  public var serverTime: Timestamp
  /// For how long it has been running, in microseconds.
  public var uptimeMicroseconds: UInt64
  /// The principal as which the server sees the caller.
  public var principal: PrincipalName
  /// Whether the server takes calls without a token.
  public var isDevelopment: Bool
  /// Whether the caller may manage spaces and tokens.
  public var isAdmin: Bool
  /// Which node of several on one store answered.
  public var node = ""
  /// How many transactions with writes were committed since the start. 0 for callers that may not manage spaces and tokens.
  public var commits: UInt64 = 0
  /// How many changes these transactions held. 0 for callers that may not manage spaces and tokens.
  public var changesCommitted: UInt64 = 0
  /// What became of writes since the start. Empty for callers that may not manage spaces and tokens.
  public var writes: [WriteCount] = []
  /// The server's connections to its database. `nil` when it has none, and for callers that may not manage spaces and tokens.
  public var connections: StoreConnections?

  public init(
    version: String, serverTime: Timestamp, uptimeMicroseconds: UInt64, principal: PrincipalName, isDevelopment: Bool,
    isAdmin: Bool
  ) {
    self.version = version
    self.serverTime = serverTime
    self.uptimeMicroseconds = uptimeMicroseconds
    self.principal = principal
    self.isDevelopment = isDevelopment
    self.isAdmin = isAdmin
  }
}

extension GetServerInfoResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.serverInfoResponse)
    message.pointee.version = try arena.copy(version)
    message.pointee.server_time_us = serverTime.rawValue
    message.pointee.uptime_us = uptimeMicroseconds
    message.pointee.principal = try arena.copy(principal.text)
    message.pointee.is_development = isDevelopment ? 1 : 0
    message.pointee.is_admin = isAdmin ? 1 : 0
    message.pointee.commits = commits
    message.pointee.changes_committed = changesCommitted
    message.pointee.node = try arena.copy(node)
    message.pointee.connections = try connections?.makeMessage(in: arena)
    message.pointee.n_writes = writes.count
    message.pointee.writes = try arena.makeList(writes) { (count) throws(WireError) in try count.makeMessage(in: arena) }
    return MessagePointer(message)
  }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer, using arena: MessageArena
  ) throws(WireError) -> GetServerInfoResponse {
    try arena.decode(bytes, as: .serverInfoResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      var info = GetServerInfoResponse(
        version: try message.version.text(), serverTime: try Part.timestamp(message.server_time_us, "server_time_us"),
        uptimeMicroseconds: message.uptime_us, principal: try Part.principal(message.principal, "principal"),
        isDevelopment: message.is_development != 0, isAdmin: message.is_admin != 0)
      info.commits = message.commits
      info.changesCommitted = message.changes_committed
      info.node = try message.node.text()
      info.connections = message.connections.map { StoreConnections($0.pointee) }
      info.writes = try Part.list(message.n_writes, message.writes) { (count) throws(WireError) in try WriteCount(count) }
      return info
    }
  }
}

/// Counts the writes with one outcome.
public struct WriteCount: Hashable, Sendable {
  /// `other` for all that came after too many others.
  public var space: SpaceName
  public var type: TypeName
  public var outcome: OutcomeCode
  /// How many writes were judged so.
  public var writes: UInt64
  /// How many of the answers were to calls that were not the first attempt.
  public var retries: UInt64

  public init(space: SpaceName, type: TypeName, outcome: OutcomeCode, writes: UInt64, retries: UInt64) {
    self.space = space
    self.type = type
    self.outcome = outcome
    self.writes = writes
    self.retries = retries
  }

  fileprivate init(_ message: Tidemark__V1__WriteCount) throws(WireError) {
    guard let outcome = UInt8(exactly: message.outcome.rawValue).flatMap({ OutcomeCode(rawValue: $0) }) else {
      throw .invalid("outcome", rule: "outcome_code", "The code of the outcome is not known.")
    }
    self.init(
      space: try Part.space(message.space), type: try Part.type(message.type), outcome: outcome, writes: message.writes,
      retries: message.retries)
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__WriteCount>? {
    let message = try arena.make(.writeCount)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.type = try arena.copy(type.text)
    message.pointee.outcome = Tidemark__V1__OutcomeCode(rawValue: UInt32(outcome.rawValue))
    message.pointee.writes = writes
    message.pointee.retries = retries
    return message
  }
}
