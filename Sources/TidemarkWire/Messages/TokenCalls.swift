import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__Grant> { static let grant = MessageKind(tidemark__v1__grant__init) }
extension MessageKind<Tidemark__V1__Token> { static let token = MessageKind(tidemark__v1__token__init) }
extension MessageKind<Tidemark__V1__CreateTokenRequest> {
  static let createTokenRequest = MessageKind(tidemark__v1__create_token_request__init)
}
extension MessageKind<Tidemark__V1__CreateTokenResponse> {
  static let createTokenResponse = MessageKind(tidemark__v1__create_token_response__init)
}
extension MessageKind<Tidemark__V1__ListTokensRequest> {
  static let listTokensRequest = MessageKind(tidemark__v1__list_tokens_request__init)
}
extension MessageKind<Tidemark__V1__ListTokensResponse> {
  static let listTokensResponse = MessageKind(tidemark__v1__list_tokens_response__init)
}
extension MessageKind<Tidemark__V1__RevokeTokenRequest> {
  static let revokeTokenRequest = MessageKind(tidemark__v1__revoke_token_request__init)
}
extension MessageKind<Tidemark__V1__RevokeTokenResponse> {
  static let revokeTokenResponse = MessageKind(tidemark__v1__revoke_token_response__init)
}

/// One bearer token as clients see it, without its secret.
public struct TokenDescription: Hashable, Sendable {
  /// The public id.
  public var id: String
  /// Who calls with it, and what they may do.
  public var principal: Principal
  public var createdAt: Timestamp

  public init(id: String, principal: Principal, createdAt: Timestamp) {
    self.id = id
    self.principal = principal
    self.createdAt = createdAt
  }

  fileprivate init(_ message: Tidemark__V1__Token) throws(WireError) {
    self.init(
      id: try Part.tokenID(message.id), principal: try Principal(message.principal, message.n_grants, message.grants),
      createdAt: try Part.timestamp(message.created_at_us, "created_at_us"))
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Token> {
    let message = try arena.make(.token)
    message.pointee.id = try arena.copy(id)
    message.pointee.principal = try arena.copy(principal.name.text)
    (message.pointee.n_grants, message.pointee.grants) = try principal.makeGrants(in: arena)
    message.pointee.created_at_us = createdAt.rawValue
    return message
  }
}

extension Principal {
  /// Reads a principal and its grants: at least one, and one a space.
  fileprivate init(
    _ name: ProtobufCBinaryData, _ count: Int, _ grants: UnsafeMutablePointer<UnsafeMutablePointer<Tidemark__V1__Grant>?>?
  ) throws(WireError) {
    self.init(name: try Part.principal(name, "principal"))
    guard (1...WireLimits.grantsPerTokenMax).contains(count) else {
      throw .invalid("grants", rule: "grants_max", "A token has 1 to \(WireLimits.grantsPerTokenMax) grants.")
    }
    let pairs = try Part.list(count, grants) { (grant) throws(WireError) in
      guard let role = UInt8(exactly: grant.role.rawValue).flatMap({ Role(rawValue: $0) }) else {
        throw .invalid("grants", rule: "role", "A grant does not name a role.")
      }
      let isEverywhere = grant.space.raw.elementsEqual(CollectionOfOne(UInt8(ascii: "*")))
      return (isEverywhere ? nil : try Part.space(grant.space, "grants"), role)
    }
    for (space, role) in pairs {
      let previous: Role?
      if let space {
        previous = roles.updateValue(role, forKey: space)
      } else {
        previous = roleEverywhere
        roleEverywhere = role
      }
      guard previous == nil else { throw .invalid("grants", rule: "grant_duplicate", "Two grants name the same space.") }
    }
  }

  /// Makes the grants, the one for every space first, then by name.
  fileprivate func makeGrants(
    in arena: MessageArena
  ) throws(WireError) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Tidemark__V1__Grant>?>?) {
    var pairs: [(String, Role)] = roles.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value) }
    if let roleEverywhere { pairs.insert(("*", roleEverywhere), at: 0) }
    let list = try arena.makeList(pairs) { (pair) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Grant>? in
      let message = try arena.make(.grant)
      message.pointee.space = try arena.copy(pair.0)
      message.pointee.role = Tidemark__V1__Role(rawValue: UInt32(pair.1.rawValue))
      return message
    }
    return (pairs.count, list)
  }
}

extension Part {
  fileprivate static func tokenID(_ data: ProtobufCBinaryData) throws(WireError) -> String {
    // The same form as that of a principal.
    guard let id = PrincipalName(try data.text()) else {
      throw .invalid("id", rule: "token_id", "A token id has 1 to 128 bytes of UTF-8 and no control characters.")
    }
    return id.text
  }
}

/// Asks for a new token.
public struct CreateTokenRequest: Hashable, Sendable {
  /// Who will call with it, and what they may do: at least one role.
  public var principal: Principal

  public init(principal: Principal) { self.principal = principal }
}

extension CreateTokenRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.createTokenRequest)
    message.pointee.principal = try arena.copy(principal.name.text)
    (message.pointee.n_grants, message.pointee.grants) = try principal.makeGrants(in: arena)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> CreateTokenRequest {
    try arena.decode(bytes, as: .createTokenRequest) { (message) throws(WireError) in
      CreateTokenRequest(principal: try Principal(message.principal, message.n_grants, message.grants))
    }
  }
}

/// Carries a new token.
public struct CreateTokenResponse: Hashable, Sendable {
  public var token: TokenDescription
  /// The whole text to send as a bearer token. It cannot be shown again.
  public var secret: String

  public init(token: TokenDescription, secret: String) {
    self.token = token
    self.secret = secret
  }
}

extension CreateTokenResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.createTokenResponse)
    message.pointee.token = try token.makeMessage(in: arena)
    message.pointee.secret = try arena.copy(secret)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> CreateTokenResponse {
    try arena.decode(bytes, as: .createTokenResponse) { (message) throws(WireError) in
      CreateTokenResponse(
        token: try Part.required(message.token, "token") { (m) throws(WireError) in try TokenDescription(m) },
        secret: try message.secret.text())
    }
  }
}

/// Asks for all tokens.
public struct ListTokensRequest: Hashable, Sendable {
  public init() {}
}

extension ListTokensRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try arena.make(.listTokensRequest))
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ListTokensRequest {
    try arena.decode(bytes, as: .listTokensRequest) { (_) throws(WireError) in ListTokensRequest() }
  }
}

/// Carries all tokens, sorted by id.
public struct ListTokensResponse: Hashable, Sendable {
  public var tokens: [TokenDescription]

  public init(tokens: [TokenDescription]) { self.tokens = tokens }
}

extension ListTokensResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.listTokensResponse)
    message.pointee.n_tokens = tokens.count
    message.pointee.tokens = try arena.makeList(tokens) { (token) throws(WireError) in try token.makeMessage(in: arena) }
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ListTokensResponse {
    try arena.decode(bytes, as: .listTokensResponse) { (message) throws(WireError) in
      ListTokensResponse(
        tokens: try Part.list(message.n_tokens, message.tokens) { (token) throws(WireError) in try TokenDescription(token) })
    }
  }
}

/// Removes a token.
public struct RevokeTokenRequest: Hashable, Sendable {
  /// The public id.
  public var id: String

  public init(id: String) { self.id = id }
}

extension RevokeTokenRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.revokeTokenRequest)
    message.pointee.id = try arena.copy(id)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> RevokeTokenRequest {
    try arena.decode(bytes, as: .revokeTokenRequest) { (message) throws(WireError) in
      RevokeTokenRequest(id: try Part.tokenID(message.id))
    }
  }
}

/// Says that a token is gone.
public struct RevokeTokenResponse: Hashable, Sendable {
  public init() {}
}

extension RevokeTokenResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try arena.make(.revokeTokenResponse))
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> RevokeTokenResponse {
    try arena.decode(bytes, as: .revokeTokenResponse) { (_) throws(WireError) in RevokeTokenResponse() }
  }
}
