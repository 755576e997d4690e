import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

@Suite(.serialized, .ownThreads) struct EntityCommandTests {
  @Test func anEntityLivesItsLifeFromTheCommandLine() async throws {
    let programs = try await Programs()
    let made = try programs.run("create", "booking", "17", "title=Board", "seats:=8", "start@=2025-01-01T00:00:00Z", "--json")
    #expect(made.status == 0, "\(made.error)")
    #expect(try JSONParser.parse(made.output)["outcome"] == .string("applied"))
    #expect(made.error.isEmpty)
    let got = try programs.run("get", "booking", "17", "--json")
    let entity = try JSONParser.parse(got.output)
    #expect(entity["version"] == .number("1"))
    #expect(
      entity["fields"]
        == .object([
          .init("seats", .number("8")), .init("start", .string("2025-01-01T00:00:00Z")), .init("title", .string("Board")),
        ]))
    #expect(entity["kinds"] == .object([.init("start", .string("timestamp"))]))
    #expect(try programs.run("patch", "booking", "17", "seats+=1", "start!", "--expected", "1").status == 0)
    #expect(
      try programs.run("get", "booking", "17", "--fields", "version,seats,start", "--ndjson").output
        == #"{"version":2,"seats":9,"start":null}"# + "\n")
    #expect(try programs.run("delete", "booking", "17", "--expected", "2", "--yes").status == 0)
    #expect(try programs.run("get", "booking", "17").status == 1)
    #expect(
      try programs.run("get", "booking", "17", "--include-deleted", "--fields", "state", "--ndjson").output
        == "{\"state\":\"deleted\"}\n")
    #expect(try programs.run("restore", "booking", "17", "--expected-current").status == 0)
    let table = try programs.run("list", "booking")
    #expect(table.output.hasPrefix("ID  VERSION  UPDATED_AT"))
    #expect(table.output.split(separator: "\n").count == 2)
  }

  @Test func aConflictExitsWith5AndItsRepairCommandWorks() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "booking", "1", "title=A")
    _ = try programs.run("patch", "booking", "1", "title=B", "--expected", "1")
    let stale = try programs.run("patch", "booking", "1", "title=C", "--expected", "1")
    #expect(stale.status == 5)
    #expect(stale.output.isEmpty)
    #expect(stale.error.contains("title: \"A\" -> \"B\""))
    #expect(stale.error.contains("tidemark patch booking 1 title=C --expected 2"))
    let document = try programs.run("patch", "booking", "1", "title=C", "--expected", "1", "--json")
    #expect(document.status == 5)
    #expect(try JSONParser.parse(document.output)["conflict"]?["overlapping_fields"] == .array([.string("title")]))
    #expect(try programs.run("patch", "booking", "1", "title=C", "--expected", "2").status == 0)
    #expect(try programs.run("create", "booking", "1").status == 5)
  }

  @Test func aWrongUsageExitsWith2AndNeverReachesTheServer() async throws {
    let programs = try await Programs()
    programs.stopDaemon()
    let noVersion = try programs.run("patch", "booking", "1", "title=C")
    #expect(noVersion.status == 2)
    #expect(noVersion.error.contains("--expected VERSION") && noVersion.error.contains("tidemark get booking 1"))
    let wrong: [[String]] = [
      ["nonsense"], ["get", "booking"], ["get", "9type", "1"], ["patch", "booking", "1", "title", "--expected", "1"],
      ["delete", "booking", "1", "--expected", "1"], ["space", "delete", "hotel"], ["space", "delete", "hotel", "--confirm=hot"],
      ["list", "booking", "--json", "--ndjson"], ["token", "create", "desk"], ["get", "booking", "1", "--url", "http://x"],
    ]
    for arguments in wrong {
      let finished = try programs.run(arguments)
      #expect(finished.status == 2, "\(arguments): \(finished.error)")
      #expect(finished.output.isEmpty && !finished.error.isEmpty)
    }
    #expect(try programs.run("get", "booking", "1", environment: ["TIDEMARK_URL": ""]).status == 2)
  }

  @Test func anUnreachableServerExitsWith6AndErrorsObeyJSON() async throws {
    let programs = try await Programs()
    programs.stopDaemon()
    let finished = try programs.run("get", "booking", "1", "--json")
    #expect(finished.status == 6)
    #expect(finished.output.isEmpty)
    #expect(try JSONParser.parse(finished.error)["error"]?["code"] == .string("unavailable"))
    #expect(try programs.run("doctor").status == 6)
  }

  @Test func aTokenGivesItsRoleAndNoMore() async throws {
    let programs = try await Programs()
    let made = try programs.run("token", "create", "desk", "--grant", "default=reader")
    #expect(made.status == 0 && made.output.hasPrefix("tmk_"))
    let file = try programs.file("desk.token", made.output)
    #expect(try programs.run("list", "booking", "--token-file", file).status == 0)
    #expect(try programs.run("list", "booking", environment: ["TIDEMARK_TOKEN_FILE": file]).status == 0)
    #expect(try programs.run("list", "booking", "--token-file", "-", input: made.output).status == 0)
    #expect(try programs.run("create", "booking", "1", "--token-file", file).status == 4)
    #expect(try programs.run("space", "create", "hotel", "--token-file", file).status == 4)
    #expect(try programs.run("list", "booking", environment: ["TIDEMARK_TOKEN": "tmk_wrong"]).status == 4)
    let listed = try JSONParser.parse(try programs.run("token", "list", "--ndjson").output)
    #expect(listed["principal"] == .string("desk") && listed["grants"] == .array([.string("default=reader")]))
    #expect(try programs.run("token", "revoke", listed["id"]?.string ?? "", "--yes").status == 0)
    #expect(try programs.run("list", "booking", "--token-file", file).status == 4)
  }

  @Test func spacesAreMadeCheckedAndDeleted() async throws {
    let programs = try await Programs()
    #expect(try programs.run("space", "create", "hotel").status == 0)
    #expect(try programs.run("space", "create", "hotel").status == 5)
    #expect(try programs.run("create", "room", "1", "--space", "hotel").status == 0)
    let verified = try programs.run("verify", "hotel", "--json")
    #expect(verified.status == 0, "\(verified.error)")
    #expect(try JSONParser.parse(verified.output)["changes_checked"] == .number("1"))
    #expect(
      try programs.run("space", "list", "--fields", "name", "--ndjson").output == "{\"name\":\"default\"}\n{\"name\":\"hotel\"}\n"
    )
    #expect(try programs.run("space", "delete", "hotel", "--confirm=hotel", "--expected-revision", "0").status != 0)
    #expect(try programs.run("space", "delete", "hotel", "--confirm=hotel").status == 0)
    #expect(try programs.run("get", "room", "1", "--space", "hotel").status == 1)
  }

  @Test func contextsAreKeptForTheOwnerOnlyAndSendTheirTokenToTheirServerOnly() async throws {
    let programs = try await Programs()
    let none = ["TIDEMARK_URL": ""]
    #expect(
      try programs.run("context", "add", "here", programs.url, "--token-stdin", environment: none, input: "tmk_bad\n").status == 0
    )
    let path = programs.folder.appendingPathComponent(".config/tidemark/contexts.json").path
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let listed = try programs.run("context", "list", "--json", environment: none)
    #expect(listed.output.contains("kept") && !listed.output.contains("tmk_bad"))
    #expect(try programs.run("list", "booking", environment: none).status == 4)
    // Another name of the same machine is another server: the token stays here.
    #expect(
      try programs.run("list", "booking", "--url", "tidemark://localhost:\(programs.port)/default", environment: none).status == 0
    )
    #expect(try programs.run("context", "use", "nowhere", environment: none).status == 2)
    #expect(try programs.run("context", "remove", "here", environment: none).status == 0)
    #expect(try programs.run("list", "booking", environment: none).status == 2)
  }

  @Test(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)))
  func doctorTellsOfTheConnectionsToADatabase() async throws {
    let programs = try await Programs(store: try #require(PostgresServer.shared).makeSchema())
    let doctor = try programs.run("doctor")
    #expect(doctor.status == 0, "\(doctor.error)")
    let line = try #require(doctor.output.split(separator: "\n").first { $0.contains(" database ") })
    #expect(line.hasPrefix("ok") && line.contains(" connections of at most 12, ") && line.contains("0 in vain"))
  }

  @Test func anAddressOfSeveralServersWorksWhileOneOfThemAnswers() async throws {
    let programs = try await Programs()
    let several = ["TIDEMARK_URL": "tidemark://127.0.0.1:1,127.0.0.1:\(programs.port)/default"]
    for number in 0..<6 {
      let made = try programs.run("create", "booking", "b-\(number)", "n=\(number)", environment: several)
      #expect(made.status == 0, "\(made.error)")
    }
    #expect(try programs.run("list", "booking", "--ndjson", environment: several).output.split(separator: "\n").count == 6)
    let doctor = try programs.run("doctor", environment: several)
    #expect(doctor.status == 0, "\(doctor.error)")
    let servers = doctor.output.split(separator: "\n").filter { $0.dropFirst(9).hasPrefix("server ") }
    #expect(servers.count == 2 && servers[0].hasPrefix("warning") && servers[1].hasPrefix("ok"), "\(doctor.output)")
    // Remembered as one context.
    let added = try programs.run("context", "add", "both", several["TIDEMARK_URL"] ?? "", "--use")
    #expect(added.status == 0, "\(added.error)")
    #expect(try programs.run("get", "booking", "b-3", environment: ["TIDEMARK_URL": ""]).status == 0)
    programs.stopDaemon()
    #expect(try programs.run("get", "booking", "b-3", "--timeout", "2", environment: several).status == 6)
  }

  @Test func doctorPingAndTheSheetsSayWhatTheyShould() async throws {
    let programs = try await Programs()
    let doctor = try programs.run("doctor", "--ndjson")
    #expect(doctor.status == 0, "\(doctor.error)")
    let lines = doctor.output.split(separator: "\n").map(String.init)
    let checks = try lines.map { try JSONParser.parse($0)["check"]?.string }
    #expect(checks == ["address", "connection", "handshake", "privacy", "token", "clock", "versions", "space"])
    let ping = try programs.run("ping", "--count", "3", "--json")
    guard case .array(let calls) = try JSONParser.parse(ping.output) else { throw JSONError(what: "no list", offset: 0) }
    #expect(calls.count == 3)
    #expect(try programs.run("outcomes").output.split(separator: "\n").count == 16)
    #expect(try programs.run("cheat").status == 0)
    #expect(try programs.run("--version").output.hasPrefix("tidemark "))
    #expect(try programs.run("--help").output.contains("130 interrupted"))
    #expect(try programs.run("get", "booking", "1", "--fields", "?").output.hasPrefix("type\nid\nversion\n"))
  }
}
