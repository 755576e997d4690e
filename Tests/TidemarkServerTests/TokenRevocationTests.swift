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

/// Administrative calls on two loops, of which one is late.
@Suite struct TokenRevocationTests {
  private static let ready = StoreClock(now: { Timestamp(rawValue: 1_000_000) }, uptimeNanoseconds: { 1_000 })

  private func makeService(_ store: any EntityStore) throws -> TidemarkService {
    var options = TidemarkService.Options()
    options.isDevelopment = true
    return try TidemarkService(
      store: store, options: options, clock: TokenRevocationTests.ready, random: SeededGenerator(seed: 3),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onFatal: { _ in })
  }

  @Test func tokenRevokedBeforeItsMakersLoopHeardOfItStaysRevoked() async throws {
    let store = MemoryStore()
    let service = try makeService(store)
    let late = try await LoopUnderTest(service)
    let prompt = try await LoopUnderTest(service)
    let principal = Principal(name: try #require(PrincipalName("visitor")), roleEverywhere: .reader)
    let gate = Waiting<Bool>()
    try await late.send(.createToken, CreateTokenRequest(principal: principal)) { _ = gate.take() }
    // A second administrative work is committed after the first.
    #expect(try service.createToken(principal: principal.name, roleEverywhere: .reader).hasPrefix("tmk_"))
    let made = try store.openReader().read { try $0.tokens() }
    #expect(made.count == 2)
    for token in made { try await prompt.send(.revokeToken, RevokeTokenRequest(id: token.id)) }
    while await prompt.replies.count < 2 { await prompt.loop.run() }
    gate.put(true)
    while await late.replies.isEmpty { await late.loop.run() }
    let secret = try await late.replies[0].message.withUnsafeReadableBytes {
      try CreateTokenResponse.decode($0, using: MessageArena()).secret
    }
    #expect(service.authenticator.principal(for: "Bearer \(secret)") == nil)
    service.close()
  }

  @Test func rolesInASpaceEndWithTheSpace() async throws {
    let store = MemoryStore()
    let service = try makeService(store)
    let loop = try await LoopUnderTest(service)
    func send(_ method: TidemarkWire.Method, _ request: some EncodableMessage) async throws -> CallReply {
      let before = await loop.replies.count
      try await loop.send(method, request)
      while await loop.replies.count == before { await loop.loop.run() }
      return await loop.replies[before]
    }
    let (gone, kept) = (try #require(SpaceName("gone")), try #require(SpaceName("kept")))
    for space in [gone, kept] { #expect(try await send(.createSpace, SpaceRequest(name: space)).status == nil) }
    let guest = Principal(name: try #require(PrincipalName("guest")), roles: [gone: .admin, kept: .reader])
    let made = try await send(.createToken, CreateTokenRequest(principal: guest))
    let secret = try made.message.withUnsafeReadableBytes { try CreateTokenResponse.decode($0, using: MessageArena()).secret }
    #expect(service.authenticator.principal(for: "Bearer \(secret)")?.can(.admin, in: gone) == true)
    #expect(try await send(.deleteSpace, DeleteSpaceRequest(name: gone, expectedRevision: .zero)).status == nil)
    // Another space of that name is another space.
    #expect(try await send(.createSpace, SpaceRequest(name: gone)).status == nil)
    let now = try #require(service.authenticator.principal(for: "Bearer \(secret)"))
    #expect(!now.can(.reader, in: gone) && now.can(.reader, in: kept))
    #expect(try store.openReader().read { try $0.tokens().map(\.roles) } == [[kept: .reader]])
    service.close()
  }

  @Test func administrativeWorkIsNotDoneAfterItsDeadline() async throws {
    let store = MemoryStore()
    let service = try makeService(store)
    let loop = try await LoopUnderTest(service)
    let name = try #require(SpaceName("late"))
    try await loop.send(.createSpace, SpaceRequest(name: name), deadline: .uptimeNanoseconds(1_000))
    while await loop.replies.isEmpty { await loop.loop.run() }
    #expect(await loop.replies[0].status?.code == .deadlineExceeded)
    #expect(try store.openReader().read { try $0.space(named: name) } == nil)
    service.close()
  }
}
