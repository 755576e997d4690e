internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// CreateToken, ListTokens and RevokeToken.
extension LoopDispatcher {
  func createToken(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: CreateTokenRequest = try decode(call)
    guard principal.isAdminEverywhere else { throw CallFailure(.permissionDenied) }
    let now = service.clock.now()
    let authenticator = service.authenticator
    return try administer(call) { transaction, random -> Result<(TokenRecord, String), RPCStatus> in
      var source = AnyRandom(random)
      let text = TokenText(using: &source)
      random = source.base
      let record = TokenRecord(
        id: text.id, secretHash: text.secretHash, principal: request.principal.name,
        roleEverywhere: request.principal.roleEverywhere, roles: request.principal.roles, createdAt: now)
      try transaction.insertToken(record)
      return .success((record, text.text))
    } didCommit: {
      authenticator.add($0.0)
    } reply: { _, made in
      CreateTokenResponse(token: TokenDescription(made.0), secret: made.1)
    }
  }

  func listTokens(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let _: ListTokensRequest = try decode(call)
    guard principal.isAdminEverywhere else { throw CallFailure(.permissionDenied) }
    return try read(call) { snapshot -> Result<ListTokensResponse, RPCStatus> in
      .success(ListTokensResponse(tokens: try snapshot.tokens().map { TokenDescription($0) }))
    }
  }

  func revokeToken(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: RevokeTokenRequest = try decode(call)
    guard principal.isAdminEverywhere else { throw CallFailure(.permissionDenied) }
    let authenticator = service.authenticator
    return try administer(call) { transaction, _ -> Result<String, RPCStatus> in
      guard try transaction.deleteToken(id: request.id) else {
        return .failure(RPCStatus(.notFound, "There is no token '\(request.id)'."))
      }
      return .success(request.id)
    } didCommit: {
      authenticator.remove(id: $0)
    } reply: { _, _ in
      RevokeTokenResponse()
    }
  }
}

extension ListTokensResponse: SizedAnswer {
  var heldBytes: Int { tokens.reduce(0) { $0 + 256 + $1.principal.roles.count * 96 } }
}

extension TokenDescription {
  init(_ record: TokenRecord) {
    self.init(
      id: record.id,
      principal: Principal(name: record.principal, roleEverywhere: record.roleEverywhere, roles: record.roles),
      createdAt: record.createdAt)
  }
}
