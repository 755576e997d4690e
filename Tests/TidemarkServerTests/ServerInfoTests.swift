import NIOCore
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// What GetServerInfo tells, and to whom.
@Suite struct ServerInfoTests {
  @Test func whatTheServerDoesIsToldToItsAdministratorsOnly() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([world.create(1, "a")])
    func info(_ role: Role) async throws -> GetServerInfoResponse {
      let principal = try #require(PrincipalName("caller \(role)"))
      let token = try world.service.createToken(principal: principal, roleEverywhere: role)
      let reply = try await world.reply(.getServerInfo, GetServerInfoRequest(), authorization: "Bearer \(token)")
      return try reply.message.withUnsafeReadableBytes { try GetServerInfoResponse.decode($0, using: MessageArena()) }
    }
    for role in [Role.reader, .writer] {
      let told = try await info(role)
      #expect(told.commits == 0 && told.changesCommitted == 0 && told.writes.isEmpty && !told.version.isEmpty)
    }
    let told = try await info(.admin)
    #expect(told.commits > 0 && told.changesCommitted == 1 && !told.writes.isEmpty)
    world.service.close()
  }
}
