public import TidemarkCore
public import TidemarkWire

/// Calls a Tidemark server. Usable from every task; all calls share one connection, which is opened by the first, or
/// those of a pool.
///
/// ```swift
/// let client = TidemarkClient(try ServerAddress(parsing: "tidemark://localhost:8433"), credentials: .bearer(token))
/// let outcome = try await client.space("hotel").update("booking", "17", patch, expected: seen)
/// ```
///
/// Calls that surely were not executed, reads, and writes (which carry the same operation id each time) are tried again when
/// the server is away or busy. A conflict is an answer and is never tried again.
public final class TidemarkClient: Sendable {
  /// The server, or the first of several.
  public let address: ServerAddress
  let runner: CallRunner

  /// Makes a client. Nothing is sent before the first call. Where the address names several servers it has a pool.
  public convenience init(_ address: ServerAddress, credentials: Credentials = .none, options: ClientOptions = ClientOptions()) {
    guard address.others.isEmpty else {
      self.init(pool: [address], credentials: credentials, options: options)
      return
    }
    self.init(
      address, credentials: credentials, options: options,
      transport: ConnectionTransport(address: address, options: options))
  }

  /// Makes a client that spreads its calls over several connections, to one server or to several of the same store. Nothing is
  /// sent before the first call.
  ///
  /// A server that fails is left alone for a while, and its calls go to the others: at once, with the same operation ids, when they were not
  /// executed or may be executed again (reads, and writes of entities). When every place is taken, calls wait a bounded
  /// time, and then fail with `resourceExhausted` and the reason `POOL_EXHAUSTED`.
  ///
  /// - Parameter addresses: with all the servers they name; with none, every call fails with `unavailable`.
  public convenience init(
    pool addresses: [ServerAddress], credentials: Credentials = .none, options: ClientOptions = ClientOptions(),
    pool: PoolOptions = PoolOptions()
  ) {
    let servers = addresses.flatMap(\.endpoints).map { ServerAddress(host: $0.host, port: $0.port) }
    let transport = PooledTransport(servers: servers.count, options: pool, timing: options.timing) { index in
      ConnectionTransport(address: servers[index], options: options)
    }
    var attempts = options
    attempts.attemptsMax *= max(servers.count, 1)
    self.init(
      addresses.first ?? ServerAddress(host: "localhost"), credentials: credentials, options: attempts, transport: transport)
  }

  init(_ address: ServerAddress, credentials: Credentials, options: ClientOptions, transport: any CallTransport) {
    self.address = address
    runner = CallRunner(transport: transport, credentials: credentials, options: options)
  }

  /// Ends the connection. Calls in flight fail, and so do later ones.
  public func close() { runner.transport.close() }

  /// A fresh operation id, for a write that is kept before it is sent.
  public func makeOperationID() -> OperationID { runner.options.timing.makeOperationID() }

  // MARK: Spaces

  /// The calls that read and write the entities of one space. Asks nothing of the server.
  public func space(_ name: SpaceName) -> SpaceClient { SpaceClient(name: name, client: self) }

  /// Makes a space. Needs the role admin on all spaces.
  ///
  /// - Throws: `ClientError`, `alreadyExists` when there is one of this name.
  public func createSpace(_ name: SpaceName, deadline: Duration? = nil) async throws(ClientError) -> SpaceDescription {
    try await runner.unary(
      .createSpace, SpaceRequest(name: name), as: SpaceResponse.self, safety: .once, isWrite: true, deadline: limit(deadline)
    ).space
  }

  /// Describes the spaces that the caller may read, sorted by name.
  public func listSpaces(deadline: Duration? = nil) async throws(ClientError) -> [SpaceDescription] {
    try await runner.unary(.listSpaces, ListSpacesRequest(), as: ListSpacesResponse.self, deadline: limit(deadline)).spaces
  }

  /// Removes a space with everything in it. Needs the role admin on all spaces.
  ///
  /// - Parameter expected: the latest revision of the space that the caller has seen.
  /// - Returns: the latest revision that the space had.
  /// - Throws: `ClientError`, `failedPrecondition` when the space moved on.
  public func deleteSpace(
    _ name: SpaceName, expected: Revision, deadline: Duration? = nil
  ) async throws(ClientError) -> Revision {
    try await runner.unary(
      .deleteSpace, DeleteSpaceRequest(name: name, expectedRevision: expected), as: DeleteSpaceResponse.self, safety: .once,
      isWrite: true, deadline: limit(deadline)
    ).revision
  }

  // MARK: Tokens

  /// Makes a token and shows its secret once. Needs the role admin on all spaces.
  public func createToken(for principal: Principal, deadline: Duration? = nil) async throws(ClientError) -> CreateTokenResponse {
    try await runner.unary(
      .createToken, CreateTokenRequest(principal: principal), as: CreateTokenResponse.self, safety: .once, isWrite: true,
      deadline: limit(deadline))
  }

  /// Describes all tokens, sorted by id. Needs the role admin on all spaces.
  public func listTokens(deadline: Duration? = nil) async throws(ClientError) -> [TokenDescription] {
    try await runner.unary(.listTokens, ListTokensRequest(), as: ListTokensResponse.self, deadline: limit(deadline)).tokens
  }

  /// Removes a token. Calls with it fail from the next one on. Needs the role admin on all spaces.
  public func revokeToken(_ id: String, deadline: Duration? = nil) async throws(ClientError) {
    _ = try await runner.unary(
      .revokeToken, RevokeTokenRequest(id: id), as: RevokeTokenResponse.self, safety: .once, isWrite: true,
      deadline: limit(deadline))
  }

  // MARK: Diagnostics

  /// Sends an entity through codec, access check and dispatcher and back, without touching the store.
  public func echo(_ echo: Echo, deadline: Duration? = nil) async throws(ClientError) -> Echo {
    try await runner.unary(.echo, echo, as: Echo.self, deadline: limit(deadline))
  }

  /// Tells who is serving, and as whom the caller is known.
  public func serverInfo(deadline: Duration? = nil) async throws(ClientError) -> GetServerInfoResponse {
    try await runner.unary(
      .getServerInfo, GetServerInfoRequest(), as: GetServerInfoResponse.self, deadline: limit(deadline))
  }

  /// What the server said in the handshake: versions and limits. Connects when there is no connection, and tries each server
  /// once.
  public func handshake(deadline: Duration? = nil) async throws(ClientError) -> Hello {
    let end = limit(deadline).map { runner.options.timing.uptime() + $0 }
    var attempt = 1
    while true {
      do {
        return try await runner.transport.hello(deadline: end)
      } catch {
        guard error.tellsOfTheConnection, runner.transport.mayTryElsewhere, attempt < runner.options.attemptsMax else {
          throw ClientError(last: error)
        }
        attempt += 1
      }
    }
  }

  func limit(_ deadline: Duration?) -> Duration? { deadline ?? runner.options.deadline }
}
