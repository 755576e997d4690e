import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Who may do what, on a daemon that needs tokens.
  @Suite struct AccessTests {
    /// A daemon that needs tokens, and an administrator's connection.
    private struct Setup {
      let folder: TemporaryFolder
      let daemon: DaemonProcess
      let adminToken: String
      let admin: FramedConnection
      /// Every secret that was made.
      var secrets: [String] = []

      init(arguments: [String] = []) throws {
        folder = try TemporaryFolder()
        adminToken = try Setup.makeFirstToken(folder.path)
        secrets = [adminToken]
        daemon = try DaemonProcess(folder: folder.path, isDevelopment: false, arguments: arguments)
        admin = try FramedConnection(port: daemon.port, token: adminToken)
      }

      /// Makes the first token while no daemon runs.
      private static func makeFirstToken(_ folder: String) throws -> String {
        let process = Process()
        process.executableURL = BuiltProducts.url("tidemarkd")
        process.arguments = ["token", "--store", "sqlite:\(folder)", "--principal", "operator", "--role", "admin"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      }

      mutating func makeToken(_ name: String, _ roles: [SpaceName: Role]) throws -> CreateTokenResponse {
        let principal = Principal(name: try #require(PrincipalName(name)), roles: roles)
        let made: CreateTokenResponse = try admin.get(.createToken, CreateTokenRequest(principal: principal))
        secrets.append(made.secret)
        return made
      }
    }

    private func status(_ reply: FramedConnection.Reply) throws -> RPCStatus { try #require(reply.status) }

    @Test func callsWithoutAGoodTokenAreRefusedWithOneText() throws {
      let setup = try Setup()
      let id = setup.adminToken.split(separator: "_").dropFirst().first.map(String.init) ?? ""
      let wrong = [
        "", "Bearer ", "Bearer x", "Basic \(setup.adminToken)", setup.adminToken, "Bearer tmk__", "Bearer \(setup.adminToken)0",
        "Bearer \(setup.adminToken.dropLast())", "Bearer tmk_\(id)_\(String(repeating: "0", count: 64))",
        "Bearer tmk_000000000000_\(String(repeating: "0", count: 64))", "Bearer \(setup.adminToken)\0",
        "Bearer \(String(repeating: "a", count: 7_000))",
      ]
      var answers: Set<RPCStatus> = []
      for authorization in wrong {
        let client = try FramedConnection(port: setup.daemon.port)
        client.authorization = authorization
        for method in [TidemarkWire.Method.getServerInfo, .listSpaces, .listTokens, .create] {
          answers.insert(try status(client.call(method, GetServerInfoRequest())))
        }
      }
      #expect(answers.count == 1)
      #expect(answers.first?.code == .unauthenticated)
      let info: GetServerInfoResponse = try setup.admin.get(.getServerInfo, GetServerInfoRequest())
      #expect(info.isAdmin && info.principal.text == "operator" && !info.isDevelopment)
      #expect(setup.daemon.isRunning)
    }

    @Test func rolesAreKeptAndAForeignSpaceLooksLikeAMissingOne() throws {
      var setup = try Setup()
      let (a, b, missing) = (try makeSpaceName("space-a"), try makeSpaceName("space-b"), try makeSpaceName("missing"))
      try setup.admin.createSpace(a)
      try setup.admin.createSpace(b)
      var maker = try WriteMaker(seed: makeSeed())
      #expect(try setup.admin.write(maker.create("x"), in: b).code == .applied)
      let reader = try FramedConnection(port: setup.daemon.port, token: setup.makeToken("reader", [a: .reader]).secret)
      let writer = try FramedConnection(port: setup.daemon.port, token: setup.makeToken("writer", [a: .writer]).secret)
      #expect(try writer.write(maker.create("x"), in: a).code == .applied)
      #expect(try reader.entity(maker.key("x"), in: a).version == .first)
      for item in [
        try maker.create("y"), try maker.update("x", [("n", .int(1))], expected: 1), try maker.delete("x", expected: 1),
        maker.make(try makeID("z"), .getOrCreate(Fields())),
      ] {
        #expect(try status(reader.reply(to: reader.start(item, in: a))).code == .permissionDenied)
        let foreign = try status(writer.reply(to: writer.start(item, in: b)))
        #expect(foreign.code == .permissionDenied)
        #expect(try status(writer.reply(to: writer.start(item, in: missing))) == foreign)
      }
      for key in ["x", "nothing"] {
        let foreign = try status(writer.call(.get, GetRequest(space: b, key: maker.key(key))))
        #expect(foreign.code == .permissionDenied)
        #expect(try status(writer.call(.get, GetRequest(space: missing, key: maker.key(key)))) == foreign)
        #expect(try status(writer.call(.list, ListRequest(space: b, type: maker.type))) == foreign)
        #expect(try status(writer.call(.list, ListRequest(space: missing, type: maker.type))) == foreign)
        #expect(try status(writer.call(.getSpace, SpaceRequest(name: b))) == foreign)
        #expect(try status(writer.call(.getSpace, SpaceRequest(name: missing))) == foreign)
        #expect(try status(writer.call(.verifySpace, SpaceRequest(name: b))) == foreign)
        #expect(try status(writer.call(.verifySpace, SpaceRequest(name: a))) == foreign)
      }
      for method in [TidemarkWire.Method.createSpace, .createToken, .listTokens, .revokeToken, .deleteSpace] {
        let reply = try administer(writer, method, a)
        #expect(reply == .permissionDenied, "\(method)")
      }
      let spaces: ListSpacesResponse = try writer.get(.listSpaces, ListSpacesRequest())
      #expect(spaces.spaces.map(\.name) == [a])
      #expect(setup.daemon.isRunning)
    }

    private func administer(_ client: FramedConnection, _ method: TidemarkWire.Method, _ space: SpaceName) throws -> StatusCode {
      switch method {
      case .createToken:
        let principal = Principal(name: try #require(PrincipalName("me")), roleEverywhere: .admin)
        return try client.call(method, CreateTokenRequest(principal: principal)).code
      case .revokeToken: return try client.call(method, RevokeTokenRequest(id: "000000000000")).code
      case .deleteSpace: return try client.call(method, DeleteSpaceRequest(name: space, expectedRevision: .zero)).code
      case .listTokens: return try client.call(method, ListTokensRequest()).code
      default: return try client.call(method, SpaceRequest(name: space)).code
      }
    }

    @Test func aRevokedTokenFailsOnAnOpenConnectionFromTheNextCall() throws {
      var setup = try Setup()
      let made = try setup.makeToken("device", [.default: .writer])
      let clients = try (0..<6).map { _ in try FramedConnection(port: setup.daemon.port, token: made.secret) }
      let other = try FramedConnection(port: setup.daemon.port, token: setup.makeToken("other", [.default: .reader]).secret)
      for client in clients { #expect(try client.call(.getSpace, SpaceRequest(name: .default)).code == .ok) }
      let _: RevokeTokenResponse = try setup.admin.get(.revokeToken, RevokeTokenRequest(id: made.token.id))
      for client in clients { #expect(try client.call(.getSpace, SpaceRequest(name: .default)).code == .unauthenticated) }
      #expect(try other.call(.getSpace, SpaceRequest(name: .default)).code == .ok)
      #expect(try setup.admin.call(.revokeToken, RevokeTokenRequest(id: made.token.id)).code == .notFound)
      #expect(setup.daemon.isRunning)
    }

    @Test func noSecretIsInTheStoreOrInTheLog() throws {
      var setup = try Setup(arguments: ["--log-level", "trace"])
      let made = try setup.makeToken("device", [.default: .writer])
      let client = try FramedConnection(port: setup.daemon.port, token: made.secret)
      var maker = try WriteMaker(seed: makeSeed())
      #expect(try client.write(maker.create("x"), in: .default).code == .applied)
      let wrong = "tmk_aaaaaaaaaaaa_\(String(repeating: "ab12", count: 16))"
      let stranger = try FramedConnection(port: setup.daemon.port, token: wrong)
      #expect(try stranger.call(.getServerInfo, GetServerInfoRequest()).code == .unauthenticated)
      #expect(setup.daemon.terminate() == 0)
      var everything = Data(setup.daemon.log.utf8)
      for name in try FileManager.default.contentsOfDirectory(atPath: setup.folder.path) {
        everything += try Data(contentsOf: URL(fileURLWithPath: "\(setup.folder.path)/\(name)"))
      }
      for token in setup.secrets + [wrong] {
        let secret = try #require(token.split(separator: "_").last)
        #expect(secret.utf8.count == 64)
        #expect(everything.range(of: Data(secret.utf8)) == nil)
        #expect(everything.range(of: Data(secret.prefix(24).utf8)) == nil)
      }
      // The search finds what is there.
      #expect(everything.range(of: Data(made.token.id.utf8)) != nil)
    }

    @Test func writesThatDoNotSayWhatTheyExpectAreRefused() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      let client = try FramedConnection(port: daemon.port)
      var maker = try WriteMaker(seed: makeSeed())
      #expect(try client.write(maker.create("x"), in: .default).code == .applied)
      let unknown = try client.call(.get, GetRequest(space: makeSpaceName("nowhere"), key: maker.key("x")))
      #expect(unknown.code == .notFound)
      #expect(try status(client.reply(to: client.start(maker.create("y"), in: makeSpaceName("nowhere")))).code == .notFound)
      for method in [TidemarkWire.Method.update, .replace, .delete, .restore] {
        // space, type and id, and nothing else.
        let reply = try client.call(method, GetRequest(space: .default, key: maker.key("x")))
        #expect(reply.code == .invalidArgument, "\(method)")
      }
      #expect(try client.entity(maker.key("x"), in: .default).version == .first)
      #expect(daemon.isRunning)
    }

    /// The write waits behind others on the writer's queue, and its deadline of one microsecond has passed when its turn comes.
    @Test func aWriteWhoseDeadlinePassedInTheQueueIsNotExecuted() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      let client = try FramedConnection(port: daemon.port)
      var maker = try WriteMaker(seed: makeSeed())
      var late: [(id: String, stream: UInt32)] = []
      for number in 0..<40 {
        let first = WriteRequest(space: .default, item: try maker.create("first\(number)"))
        let second = WriteRequest(space: .default, item: try maker.create("late\(number)"))
        try client.start(.create, first)
        late.append(("late\(number)", try client.start(.create, second, timeoutMicroseconds: 1)))
      }
      for (id, stream) in late {
        #expect(try client.reply(to: stream).code == .deadlineExceeded)
        #expect(try client.call(.get, GetRequest(space: .default, key: maker.key(id))).code == .notFound)
      }
      #expect(try client.space(.default).revision.rawValue == 40)
      #expect(daemon.isRunning)
    }
  }
}
