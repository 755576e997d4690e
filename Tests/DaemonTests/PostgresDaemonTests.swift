import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// The daemon on a PostgreSQL server that goes away.
  @Suite(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence))) struct PostgresDaemonTests {
    private func names(_ reply: FramedConnection.Reply) -> [String] { reply.status?.details.map(\.typeURL) ?? [] }

    private func says(_ reply: FramedConnection.Reply, _ word: String) -> Bool {
      reply.status?.details.contains { String(decoding: $0.value, as: UTF8.self).contains(word) } ?? false
    }

    @Test func callsAreToldToTryAgainWhileTheDatabaseIsAwayAndServiceResumesWithoutAStart() throws {
      let server = try #require(PostgresServer.make())
      let daemon = try DaemonProcess(store: server.url(schema: "public"))
      let client = try FramedConnection(port: daemon.port)
      var maker = try WriteMaker(seed: 1)
      #expect(try client.write(maker.create("a", [("n", .int(1))]), in: .default).code == .applied)
      let update = try maker.update("a", [("n", .int(2))], expected: 1)
      server.stop()
      let write = try client.reply(to: client.start(update, in: .default))
      #expect(write.code == .unavailable)
      #expect(names(write).contains { $0.contains("RetryInfo") } && says(write, "NOT_EXECUTED"))
      let read = try client.call(.get, GetRequest(space: .default, key: maker.key("a")))
      #expect(read.code == .unavailable)
      #expect(names(read).contains { $0.contains("RetryInfo") })
      server.start()
      let outcome = try client.write(update, in: .default)
      #expect(outcome.code == .applied && !outcome.isReplay)
      #expect(try client.entity(maker.key("a"), in: .default).version.rawValue == 2)
      #expect(daemon.isRunning)
      #expect(daemon.terminate() == 0)
      #expect(daemon.log.contains("the store cannot be written") && daemon.log.contains("the store is written again"))
    }

    @Test func twoDaemonsOnOneDatabaseShareItsSpaces() throws {
      let url = try #require(PostgresServer.shared).makeSchema()
      let daemons = try (0..<2).map { _ in try DaemonProcess(store: url) }
      let clients = try daemons.map { try FramedConnection(port: $0.port) }
      var maker = try WriteMaker(seed: 1)
      #expect(try clients[0].write(maker.create("a", [("n", .int(0))]), in: .default).code == .applied)
      for version in 1...20 as ClosedRange<UInt64> {
        let writer = clients[Int(version % 2)]
        #expect(
          try writer.write(maker.update("a", [("n", .int(Int64(version)))], expected: version), in: .default).code == .applied)
        for client in clients { #expect(try client.entity(maker.key("a"), in: .default).version.rawValue == version + 1) }
      }
      let verified = try clients[1].verify(.default)
      #expect(verified.faults.isEmpty)
      #expect(try clients[0].space(.default).revision.rawValue == 21)
    }

    @Test func thePasswordComesFromAFileOrTheEnvironment() throws {
      let server = try #require(PostgresServer.make())
      let open = server.url(schema: "public")
      try PostgresServer.execute(
        open, "CREATE ROLE guarded LOGIN PASSWORD 'right'; CREATE SCHEMA own AUTHORIZATION guarded")
      let url = server.url(schema: "own", user: "guarded")
      let folder = try TemporaryFolder()
      let file = "\(folder.path)/password"
      try Data("*:*:*:guarded:right\n".utf8).write(to: URL(fileURLWithPath: file))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
      for environment in [["PGPASSWORD": "right"], ["PGPASSFILE": file]] {
        let daemon = try DaemonProcess(store: url, environment: environment)
        #expect(!daemon.log.contains("right"))
        #expect(daemon.terminate() == 0)
      }
      #expect(throws: DaemonFailure.self) { try DaemonProcess(store: url, environment: ["PGPASSWORD": "wrong"]) }
      // A file of its own wins, and is told from one that others may read.
      let own = "\(folder.path)/own"
      try Data("right\n".utf8).write(to: URL(fileURLWithPath: own))
      let arguments = ["--postgres-password-file", own]
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: own)
      do {
        _ = try DaemonProcess(store: url, arguments: arguments)
        Issue.record("a password that others may read was taken")
      } catch let failure as DaemonFailure {
        #expect(failure.description.contains("chmod 600 \(own)"))
      }
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: own)
      let daemon = try DaemonProcess(store: url, arguments: arguments, environment: ["PGPASSWORD": "wrong"])
      #expect(daemon.terminate() == 0)
    }
  }
}
