import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

@Suite(.serialized, .ownThreads) struct ImportCommandTests {
  private func summary(_ finished: Finished) throws -> [String: String] {
    let document = try JSONParser.parse(finished.output)
    var counts: [String: String] = [:]
    for name in ["created", "updated", "unchanged", "refused"] { counts[name] = document[name]?.compact }
    return counts
  }

  @Test func importingAgainChangesNothingAndUpdateChangesWhatDiffers() async throws {
    let programs = try await Programs()
    let rows = (1...300).map { "\($0),\"Title, \($0)\",2025-01-01,\($0)\r\n" }.joined()
    let file = try programs.file("a.csv", "\u{FEFF}id,title,start,seats\r\n" + rows)
    let map = "start:timestamp,seats:int"
    let first = try programs.run("import", file, "--type", "booking", "--map", map, "--json")
    #expect(first.status == 0, "\(first.error)")
    #expect(try summary(first) == ["created": "300", "updated": "0", "unchanged": "0", "refused": "0"])
    let again = try programs.run("import", file, "--type", "booking", "--map", map, "--json")
    #expect(try summary(again) == ["created": "0", "updated": "0", "unchanged": "300", "refused": "0"])
    #expect(
      try programs.run("get", "booking", "7", "--fields", "version,title,seats", "--ndjson").output
        == #"{"version":1,"title":"Title, 7","seats":7}"# + "\n")
    let changed = try programs.file(
      "b.csv", "id,title,start,seats\n1,New,2025-01-01,1\n2,\"Title, 2\",2025-01-01,2\n3,,2025-01-01,3\n")
    let refused = try programs.run(
      "import", changed, "--type", "booking", "--map", map, "--json", "--rejects", programs.file("r.csv"))
    #expect(refused.status == 3)
    #expect(try summary(refused) == ["created": "0", "updated": "0", "unchanged": "1", "refused": "2"])
    let rejects = try programs.text(of: "r.csv")
    #expect(rejects.hasPrefix("id,title,start,seats,_reject_line,_reject_outcome,_reject_reason\r\n"))
    #expect(rejects.contains("1,New,2025-01-01,1,2,conflict,"))
    let updated = try programs.run(
      "import", programs.file("r.csv"), "--type", "booking", "--map", map, "--json", "--update")
    #expect(updated.status == 0, "\(updated.error)")
    #expect(try summary(updated) == ["created": "0", "updated": "2", "unchanged": "0", "refused": "0"])
    #expect(
      try programs.run("get", "booking", "3", "--fields", "version,title", "--ndjson").output == #"{"version":2,"title":null}"#
        + "\n")
  }

  @Test func aRowDeletedSinceItsImportIsNotBroughtBackSilently() async throws {
    let programs = try await Programs()
    let file = try programs.file("a.csv", "id,a\n1,x\n")
    _ = try programs.run("import", file, "--type", "t")
    _ = try programs.run("delete", "t", "1", "--expected", "1", "--yes")
    let again = try programs.run("import", file, "--type", "t", "--json")
    #expect(again.status == 3)
    #expect(again.output.contains("deleted since"))
    #expect(try programs.run("get", "t", "1").status == 1)
  }

  @Test func aRefusedRowIsTakenOnceWhatStoodInItsWayIsGone() async throws {
    let programs = try await Programs()
    let schema = try programs.file(
      "schema.yaml", "types:\n  room:\n    fields:\n      name: string\n  booking:\n    fields:\n      room: string! -> room\n")
    #expect(try programs.run("schema", "apply", schema, "--yes").status == 0)
    let file = try programs.file("a.csv", "id,room\n1,7\n")
    for _ in 0..<3 {
      let refused = try programs.run("import", file, "--type", "booking")
      #expect(refused.status == 3 && refused.error.contains("reference violation"), "\(refused.error)")
    }
    #expect(try programs.run("create", "room", "7", "name=Blue").status == 0)
    let done = try programs.run("import", file, "--type", "booking", "--json")
    #expect(done.status == 0)
    #expect(try summary(done) == ["created": "1", "updated": "0", "unchanged": "0", "refused": "0"])
  }

  @Test func badRowsAreRefusedOneByOneAndABrokenFileStopsTheImport() async throws {
    let programs = try await Programs()
    let bad = try programs.file("a.csv", "id,n\n1,1\n2,x\n,3\n4\n5,5\n")
    let partly = try programs.run("import", bad, "--type", "t", "--map", "n:int", "--json")
    #expect(partly.status == 3)
    #expect(try summary(partly) == ["created": "2", "updated": "0", "unchanged": "0", "refused": "3"])
    #expect(partly.error.contains("line 3, id '2'"))
    let broken = try programs.file("b.csv", "id,n\n6,6\n7,\"7\n")
    let stopped = try programs.run("import", broken, "--type", "t", "--json")
    #expect(stopped.status == 1)
    #expect(try JSONParser.parse(stopped.output)["is_complete"] == .bool(false))
    #expect(try summary(stopped)["created"] == "1")
    #expect(try programs.run("import", bad, "--type", "t", "--id-column", "key").status == 2)
    #expect(try programs.run("import", programs.file("none.csv"), "--type", "t").status == 1)
  }

  @Test func anInterruptedImportEndsInGoodOrderAndContinues() async throws {
    let programs = try await Programs()
    let rows = (1...500).map { "\($0),x\n" }
    let running = try programs.start("import", "-", "--format", "csv", "--type", "t")
    try running.input.fileHandleForWriting.write(contentsOf: Data(("id,a\n" + rows.prefix(200).joined()).utf8))
    // An entity on the server shows that the import is under way.
    let start = ContinuousClock.now
    while try programs.run("get", "t", "1").status != 0, ContinuousClock.now - start < .seconds(30) {}
    running.process.interrupt()
    running.process.waitUntilExit()
    #expect(running.process.terminationReason == .exit)
    #expect(running.process.terminationStatus == 130)
    let error = String(decoding: try running.error.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    #expect(error.contains("run the same command again"))
    let whole = try programs.file("a.csv", "id,a\n" + rows.joined())
    let again = try programs.run("import", whole, "--type", "t", "--json")
    let counts = try summary(again)
    #expect((Int(counts["created"] ?? "") ?? 0) + (Int(counts["unchanged"] ?? "") ?? 0) == 500)
    #expect(counts["refused"] == "0" && counts["unchanged"] != "0")
    let versions = try programs.run("list", "t", "--fields", "version", "--ndjson").output.split(separator: "\n")
    #expect(versions.count == 500 && Set(versions) == ["{\"version\":1}"])
  }

  @Test func aServerThatGoesAwayDuringAnImportExitsWith6AndNothingIsDoneTwice() async throws {
    let programs = try await Programs()
    let running = try programs.start("import", "-", "--format", "csv", "--type", "t", "--timeout", "2")
    let input = running.input.fileHandleForWriting
    try input.write(contentsOf: Data("id,a\n1,x\n".utf8))
    let start = ContinuousClock.now
    while try programs.run("get", "t", "1").status != 0, ContinuousClock.now - start < .seconds(30) {}
    programs.stopDaemon()
    try input.write(contentsOf: Data("2,x\n".utf8))
    try input.close()
    running.process.waitUntilExit()
    #expect(running.process.terminationStatus == 6)
    let error = String(decoding: try running.error.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    #expect(error.contains("1 rows: 1 created") && error.contains("run the same command again"))
  }

  @Test func whatIsExportedIsImportedUnchanged() async throws {
    let programs = try await Programs()
    let lines = [
      #"{"id":"1","text":"a\nb","n":7,"d":7.5,"yes":true,"no":null,"tags":["x",1,null],"doc":{"a":[1,{"b":2}]}}"#,
      #"{"id":"2","fields":{"at":"2025-01-01T00:00:00.000001Z","blob":"AQI=","list":["2025-01-01T00:00:00Z","x"]},"#
        + #""kinds":{"at":"timestamp","blob":"bytes","list":["timestamp","string"]}}"#,
      #"{"id":"3"}"#,
    ]
    let made = try programs.run("import", programs.file("a.jsonl", lines.joined(separator: "\n")), "--type", "t")
    #expect(made.status == 0, "\(made.error)")
    let exported = try programs.run("export", "--type", "t")
    #expect(exported.status == 0)
    #expect(exported.output.split(separator: "\n").count == 3)
    _ = try programs.run("space", "create", "copy")
    let copied = try programs.run("import", programs.file("b.jsonl", exported.output), "--type", "t", "--space", "copy", "--json")
    #expect(try summary(copied)["created"] == "3")
    func fields(_ text: String) throws -> [JSON?] {
      try text.split(separator: "\n").flatMap { line in
        let entity = try JSONParser.parse(String(line))
        return [entity["fields"], entity["kinds"]]
      }
    }
    #expect(try fields(programs.run("export", "--type", "t", "--space", "copy").output) == fields(exported.output))
    let same = try programs.run("import", programs.file("b.jsonl"), "--type", "t", "--json")
    #expect(try summary(same)["unchanged"] == "3")
  }

  @Test func aCSVExportSaysHowToReadItBack() async throws {
    let programs = try await Programs()
    let text = "id,seats,title\r\n1,8,\"a, \"\"b\"\"\"\r\n2,,c\r\n"
    _ = try programs.run("import", programs.file("a.csv", text), "--type", "t", "--map", "seats:int")
    let exported = try programs.run("export", "--type", "t", "--format", "csv")
    #expect(exported.output == text)
    #expect(exported.error.contains("--map seats:int"))
    #expect(
      try programs.run("export", "--type", "t", "--format", "csv", "--columns", "title").output
        == "id,title\r\n1,\"a, \"\"b\"\"\"\r\n2,c\r\n")
  }

  @Test func theRealCalendarIsImportedAndUpdated() async throws {
    let programs = try await Programs()
    let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
      .appendingPathComponent("Examples/calendar")
    let map = "start:timestamp,end:timestamp"
    let file = examples.appendingPathComponent("public-holidays.csv").path
    let first = try programs.run("import", file, "--type", "holiday", "--map", map, "--json")
    #expect(first.status == 0, "\(first.error)")
    let rows = try #require(try summary(first)["created"].flatMap { Int($0) })
    #expect(rows > 1_000)
    let english = examples.appendingPathComponent("public-holidays-english.csv").path
    let second = try programs.run("import", english, "--type", "holiday", "--map", map, "--update", "--json")
    #expect(second.status == 0, "\(second.error)")
    let counts = try summary(second)
    let updated = try #require(counts["updated"].flatMap { Int($0) })
    let unchanged = try #require(counts["unchanged"].flatMap { Int($0) })
    #expect(updated > 0)
    #expect(counts["created"] == "0" && counts["refused"] == "0")
    let third = try programs.run("import", english, "--type", "holiday", "--map", map, "--update", "--json")
    #expect(try summary(third)["unchanged"] == "\(updated + unchanged)")
  }
}
