import Logging
import NIOCore
import NIOEmbedded
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// Who may make which call. A new method does not compile here before somebody has said so.
@Suite struct CallAccessTests {
  private static let clock = StoreClock(now: { Timestamp(rawValue: 1_000_000) }, uptimeNanoseconds: { 1_000 })

  /// The least a caller must be.
  private enum Need {
    case token, reader, writer, admin, adminEverywhere
  }

  private func need(_ method: Method) -> Need {
    switch method {
    case .create, .getOrCreate, .update, .replace, .delete, .restore, .bulkWrite, .undoWrites, .exchange: .writer
    case .get, .batchGet, .list, .getSpace, .getOutcomes, .getSchema, .pull, .watch: .reader
    case .verifySpace, .applySchema, .rollbackSchema: .admin
    case .createSpace, .deleteSpace, .createToken, .listTokens, .revokeToken: .adminEverywhere
    case .echo, .getServerInfo, .listSpaces: .token
    }
  }

  private struct World {
    let service: TidemarkService
    let space: SpaceName
    let key: EntityKey
    let item: WriteItem

    init() throws {
      service = try TidemarkService(
        store: MemoryStore(), options: TidemarkService.Options(), clock: CallAccessTests.clock, random: SeededGenerator(seed: 3),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onFatal: { _ in })
      space = .default
      key = EntityKey(type: try #require(TypeName("booking")), id: try #require(EntityID("a")))
      item = WriteItem(
        operation: OperationID(rawValue: Bytes16(high: 0, low: 1)), type: key.type, id: key.id, action: .create(Fields()))
    }

    /// Makes a caller known to the service.
    func token(_ seed: UInt64, everywhere: Role?, _ roles: [SpaceName: Role]) throws -> String {
      var random = SeededGenerator(seed: seed)
      let text = TokenText(using: &random)
      service.authenticator.add(
        TokenRecord(
          id: text.id, secretHash: text.secretHash, principal: try #require(PrincipalName("caller \(seed)")),
          roleEverywhere: everywhere, roles: roles, createdAt: Timestamp(rawValue: 0)))
      return "Bearer \(text.text)"
    }

    func request(_ method: Method) throws -> any EncodableMessage {
      let expected = Expected(version: .first)
      switch method {
      case .create: return write(.create(Fields()))
      case .getOrCreate: return write(.getOrCreate(Fields()))
      case .update: return write(.update(try Patch([.init(try #require(FieldPath("n")), .unset)]), expected))
      case .replace: return write(.replace(Fields(), expected))
      case .delete: return write(.delete(expected))
      case .restore: return write(.restore(expected))
      case .get: return GetRequest(space: space, key: key)
      case .batchGet: return BatchGetRequest(space: space, keys: [key])
      case .list: return ListRequest(space: space, type: key.type)
      case .applySchema: return ApplySchemaRequest(space: space, schema: Schema(), expectedVersion: 0)
      case .getSchema: return GetSchemaRequest(space: space)
      case .rollbackSchema: return RollbackSchemaRequest(space: space, expectedVersion: 0)
      case .bulkWrite: return BulkWriteRequest(space: space, items: [item])
      case .pull: return PullRequest(space: space)
      case .exchange: return ExchangeRequest(push: BulkWriteRequest(space: space, items: [item]), pull: PullRequest(space: space))
      // Without a good cursor it ends at once.
      case .watch: return WatchRequest(pull: PullRequest(space: space, cursor: [1]))
      case .getOutcomes: return GetOutcomesRequest(space: space, operations: [item.operation])
      case .undoWrites:
        return UndoWritesRequest(space: space, items: [.init(operation: item.operation, undoOperation: item.operation)])
      case .createSpace, .getSpace, .verifySpace: return SpaceRequest(name: space)
      case .deleteSpace: return DeleteSpaceRequest(name: space, expectedRevision: .zero)
      case .createToken:
        return CreateTokenRequest(
          principal: Principal(name: try #require(PrincipalName("new")), roleEverywhere: .reader))
      case .revokeToken: return RevokeTokenRequest(id: "000000000000")
      case .listSpaces, .listTokens, .echo, .getServerInfo: return ListSpacesRequest()
      }
    }

    private func write(_ action: WriteAction) -> WriteRequest {
      var item = item
      item.action = action
      return WriteRequest(space: space, item: item)
    }
  }

  @Test(arguments: Method.allCases) func callIsRefusedToWhoMayNotMakeItAndOnlyToThem(_ method: Method) async throws {
    let world = try World()
    let elsewhere = try #require(SpaceName("elsewhere"))
    let stranger = try world.token(1, everywhere: nil, [elsewhere: .admin])
    let reader = try world.token(2, everywhere: nil, [world.space: .reader])
    let writer = try world.token(3, everywhere: nil, [world.space: .writer])
    let admin = try world.token(4, everywhere: nil, [world.space: .admin])
    let manager = try world.token(5, everywhere: .admin, [:])
    let writerEverywhere = try world.token(6, everywhere: .writer, [:])
    let callers: [(String, Set<Need>)] = [
      ("", []), (stranger, [.token]), (reader, [.token, .reader]), (writer, [.token, .reader, .writer]),
      (writerEverywhere, [.token, .reader, .writer]),
      (admin, [.token, .reader, .writer, .admin]), (manager, [.token, .reader, .writer, .admin, .adminEverywhere]),
    ]
    for (authorization, grants) in callers {
      let loop = try await LoopUnderTest(world.service)
      try await loop.send(method, try world.request(method), authorization: authorization)
      while await loop.replies.isEmpty { await loop.loop.run() }
      let code = await loop.replies.first?.status?.code
      let isRefused = code == .permissionDenied || code == .unauthenticated
      #expect(isRefused == !grants.contains(need(method)), "\(method) by \(grants)")
      if authorization.isEmpty { #expect(code == .unauthenticated) }
    }
    world.service.close()
  }

  @Test func everyCallIsJudgedByItsOwnCredentials() async throws {
    let world = try World()
    let reader = try world.token(1, everywhere: nil, [world.space: .reader])
    let manager = try world.token(2, everywhere: .admin, [:])
    let loop = try await LoopUnderTest(world.service)
    try await loop.send(.getServerInfo, GetServerInfoRequest(), authorization: manager)
    try await loop.send(.listTokens, ListTokensRequest(), authorization: reader)
    while await loop.replies.count < 2 { await loop.loop.run() }
    #expect(await loop.replies.contains { $0.status?.code == .permissionDenied })
    world.service.close()
  }

  @Test func readIsNotDoneAfterItsDeadline() async throws {
    let world = try World()
    let manager = try world.token(1, everywhere: .admin, [:])
    let loop = try await LoopUnderTest(world.service)
    try await loop.send(
      .getSpace, SpaceRequest(name: .default), authorization: manager, deadline: .uptimeNanoseconds(1_000))
    while await loop.replies.isEmpty { await loop.loop.run() }
    #expect(await loop.replies[0].status?.code == .deadlineExceeded)
    world.service.close()
  }
}
