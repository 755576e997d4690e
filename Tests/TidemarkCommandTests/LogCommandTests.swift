import Foundation
import Testing
import TidemarkTestTraits
import TidemarkTesting

@testable import tidemark

/// `tidemark log` against a real daemon.
@Suite(.serialized, .ownThreads) struct LogCommandTests {
  private func rows(_ text: String, _ names: String...) throws -> [String] {
    try text.split(separator: "\n").map { line in
      let record = try JSONParser.parse(String(line))
      return names.map { record[$0]?.cell ?? "-" }.joined(separator: " ")
    }
  }

  private func fill(_ programs: Programs) throws {
    for arguments in [
      ["create", "booking", "a", "room=A1"], ["create", "guest", "g", "name=first"],
      ["patch", "booking", "a", "room=B2", "--expected", "1"],
      ["delete", "booking", "a", "--expected", "2", "--yes"],
    ] {
      let done = try programs.run(arguments)
      #expect(done.status == 0, "\(done.error)")
    }
  }

  @Test func changesAreShownInOrderWithWhatWasThere() async throws {
    let programs = try await Programs()
    try fill(programs)
    let all = try programs.run("log", "--ndjson")
    #expect(
      try rows(all.output, "revision", "change", "type", "id", "version") == [
        "1 create booking a 1", "2 create guest g 1", "3 update booking a 2", "4 delete booking a 3",
      ])
    #expect(all.output.contains(#""fields":{"room":"A1"}"#))
    let table = try programs.run("log")
    #expect(table.output.split(separator: "\n").count == 5 && table.output.hasPrefix("REVISION"), "\(table.output)")
    #expect(try rows(programs.run("log", "guest", "--ndjson").output, "revision") == ["2"])
    #expect(
      try rows(programs.run("log", "booking", "--where", "room=A1", "--ndjson").output, "revision", "left") == ["1 -", "3 true"])
    #expect(try rows(programs.run("log", "--limit", "2", "--ndjson").output, "revision") == ["1", "2"])
    #expect(try programs.run("log", "--new", "--ndjson").output == "")
    let json = try JSONParser.parse(programs.run("log", "--json").output)
    if case .array(let list) = json { #expect(list.count == 4) } else { Issue.record("no list") }
  }

  @Test func placeIsKeptInAFileSoThatTheNextRunGoesOn() async throws {
    let programs = try await Programs()
    try fill(programs)
    let file = try programs.file("place")
    #expect(try rows(programs.run("log", "--cursor-file", file, "--ndjson").output, "revision") == ["1", "2", "3", "4"])
    #expect(try programs.run("log", "--cursor-file", file, "--ndjson").output == "")
    _ = try programs.run("create", "guest", "h")
    #expect(try rows(programs.run("log", "--cursor-file", file, "--ndjson").output, "revision") == ["5"])
    let other = try programs.run("log", "guest", "--cursor-file", file)
    #expect(
      other.status == 1 && other.error.contains("kept for other types") && other.error.contains("Remove '\(file)'"),
      "\(other.error)")
    let broken = try programs.file("broken", "not a place\n")
    let refused = try programs.run("log", "--cursor-file", broken)
    #expect(refused.status == 64 || refused.status == 2)
    #expect(refused.error.contains("holds no place of a log"), "\(refused.error)")
  }

  @Test func followedLogShowsWhatIsWrittenMeanwhile() async throws {
    let programs = try await Programs()
    try fill(programs)
    // Made once and only asked to run programs, which the other thread does, too.
    nonisolated(unsafe) let shared = programs
    let watching = Task.detached { try shared.run("log", "--follow", "--limit", "6", "--ndjson") }
    for id in ["h", "i"] { _ = try programs.run("create", "guest", id) }
    let seen = try await watching.value
    #expect(seen.status == 0, "\(seen.error)")
    #expect(try rows(seen.output, "revision") == ["1", "2", "3", "4", "5", "6"])
  }

  @Test func wrongUseIsSaidBeforeAnythingIsAsked() async throws {
    let programs = try await Programs()
    for arguments in [
      ["log", "--where", "room=A1"], ["log", "a", "b", "--where", "room=A1"], ["log", "a", "--where", "room+=1"],
      ["log", "--limit", "0"], ["log", "9x"],
    ] {
      let done = try programs.run(arguments)
      #expect(done.status != 0 && done.output.isEmpty && !done.error.isEmpty, "\(arguments)")
    }
  }
}
