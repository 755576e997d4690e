import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

/// What a bulk leaves to go on from stays true and whole, whatever is run next.
@Suite(.serialized, .ownThreads) struct BulkRecordTests {
  private func outcomes(_ programs: Programs, _ name: String) throws -> [String] {
    try programs.text(of: name).split(separator: "\n").compactMap { try JSONParser.parse(String($0))["outcome"]?.string }
  }

  @Test func anotherBulkDoesNotReplaceTheResultsOfTheFirst() async throws {
    let programs = try await Programs()
    let file = try programs.file("h.csv", "id,a\n1,x\n2,x\n")
    #expect(try programs.run("bulk", file, "--type", "hh").status == 0)
    let known = try programs.text(of: "h.results.ndjson")
    let other = try programs.run("bulk", file, "--type", "hx")
    #expect(other.status == 2 && other.error.contains("tells of another bulk (2 applied)"), "\(other.error)")
    #expect(other.error.contains("--run NAME") && other.error.contains("tidemark bulk undo "))
    #expect(try programs.run("get", "hx", "1").status == 1)
    #expect(try programs.text(of: "h.results.ndjson") == known)
    #expect(try programs.run("bulk", file, "--type", "hx", "--run", "b").status == 0)
    // More rows of the same bulk are no other bulk.
    _ = try programs.file("h.csv", "id,a\n1,x\n2,x\n3,x\n")
    #expect(try programs.run("bulk", file, "--type", "hh").status == 0)
    #expect(try programs.run("bulk", "undo", programs.file("h.results.ndjson")).status == 0)
    #expect(try ["1", "2", "3"].allSatisfy { try programs.run("get", "hh", $0).status == 1 })
    // A pipe cannot be looked at before: its results keep what they told.
    let name = try programs.file("piped")
    for id in ["7", "8"] {
      let arguments = ["bulk", "-", "--format", "csv", "--name", name, "--type", "p"]
      let piped = try programs.run(arguments, input: "id,a\n\(id),x\n")
      #expect(piped.status == 0, "\(piped.error)")
    }
    #expect(try outcomes(programs, "piped.results.ndjson") == ["applied", "applied"])
  }

  @Test func aSecondRetryAndUndoKeepWhatTheFirstDid() async throws {
    let programs = try await Programs()
    let made = try programs.file("make.csv", "id,title,room\n1,old,A\n2,old,A\n")
    #expect(try programs.run("bulk", made, "--type", "t").status == 0)
    for id in ["1", "2"] { _ = try programs.run("patch", "t", id, "title=theirs", "--expected", "1") }
    let lines = [#"{"id":"1","version":1,"room":"B"}"#, #"{"id":"2","version":1,"title":"ours"}"#]
    let rows = try programs.file("q.ndjson", lines.joined(separator: "\n"))
    #expect(try programs.run("bulk", rows, "--type", "t").status == 3)
    let results = try programs.file("q.results.ndjson")
    let merged = try programs.run("bulk", "retry", results, "--only", "conflict", "--on-conflict", "merge")
    #expect(merged.error.contains("1 merged, 1 conflict"), "\(merged.error)")
    _ = try programs.run("bulk", "retry", results, "--only", "conflict")
    let told = try outcomes(programs, "q.retry.results.ndjson")
    #expect(told == ["merged", "conflict", "applied"])
    #expect(try programs.run("bulk", "undo", programs.file("q.retry.results.ndjson")).status == 0)
    #expect(try programs.run("bulk", "undo", programs.file("q.retry.results.ndjson"), "--on-conflict", "merge").status != 2)
    #expect(try outcomes(programs, "q.retry.undo.results.ndjson").filter { $0 == "applied" }.count >= 2)
    let now = try ["1", "2"].map { try programs.run("get", "t", $0, "--ndjson", "--fields", "title,room").output }
    #expect(now.allSatisfy { $0 == #"{"title":"theirs","room":"A"}"# + "\n" }, "\(now)")
  }

  @Test func resultsOfOneServerAreNotSentToAnother() async throws {
    let (programs, other) = (try await Programs(), try await Programs())
    for server in [programs, other] { _ = try server.run("create", "t", "1", "a=old") }
    _ = try programs.run("patch", "t", "1", "a=theirs", "--expected", "1")
    let rows = try programs.file("o.csv", "id,version,a\n1,1,new\n5,,x\n")
    #expect(try programs.run("bulk", rows, "--type", "t").status == 3)
    let results = try programs.file("o.results.ndjson")
    for command in ["retry", "undo"] {
      let refused = try programs.run("bulk", command, results, "--url", other.url)
      #expect(refused.status == 2, "\(refused.error)")
      #expect(refused.error.contains("o.results.ndjson' is of another server or space"), "\(refused.error)")
    }
    #expect(try programs.run("bulk", rows, "--type", "t", "--url", other.url).status == 2)
    #expect(try other.run("get", "t", "1", "--ndjson", "--fields", "version").output == "{\"version\":1}\n")
  }

  @Test func whatBelongsTogetherIsSentAgainTogether() async throws {
    let programs = try await Programs()
    let made = try programs.file("make.csv", "id,a\n1,old\n2,old\n")
    #expect(try programs.run("bulk", made, "--type", "t").status == 0)
    _ = try programs.run("patch", "t", "2", "a=theirs", "--expected", "1")
    let rows = try programs.file("at.csv", "id,version,a\n1,1,new\n2,1,new\n")
    let none = try programs.run("bulk", rows, "--type", "t", "--atomic")
    #expect(none.status == 5 && none.error.contains(" --only conflict,aborted --atomic\n"), "\(none.error)")
    let results = try programs.file("at.results.ndjson")
    let again = try programs.run("bulk", "retry", results, "--only", "conflict,aborted", "--atomic")
    #expect(again.status == 0 && again.error.contains("2 applied"), "\(again.error)")
    for id in ["1", "2"] { #expect(try programs.run("get", "t", id, "--ndjson", "--fields", "a").output.contains("\"new\"")) }
  }

  @Test func rowsThatWereTakenBackAreNotSaidToBeThere() async throws {
    let programs = try await Programs()
    let file = try programs.file("h.csv", "id,a\n1,x\n2,x\n")
    #expect(try programs.run("bulk", file, "--type", "t").status == 0)
    #expect(try programs.run("bulk", "undo", programs.file("h.results.ndjson")).status == 0)
    let again = try programs.run("bulk", file, "--type", "t")
    #expect(again.error.contains("2 done by an earlier run") && again.error.contains("taken back since"), "\(again.error)")
    #expect(again.error.contains("h.undo.results.ndjson") && again.error.contains("--run NAME"))
    #expect(try programs.run("bulk", "undo", programs.file("h.undo.results.ndjson")).status == 0)
    #expect(try programs.run("get", "t", "1").status == 0)
  }

  @Test func aFileWithoutATypeIsRefusedOnce() async throws {
    let programs = try await Programs()
    let file = try programs.file("titles.csv", "id,version,title\n1,1,a\n2,1,b\n")
    let refused = try programs.run("bulk", file)
    #expect(refused.status == 2, "\(refused.error)")
    #expect(refused.error.contains("To say the type:  tidemark bulk ") && refused.error.contains("titles.csv --type TYPE"))
    for name in ["titles.results.ndjson", "titles.results.ndjson.part"] {
      #expect(!FileManager.default.fileExists(atPath: programs.folder.appendingPathComponent(name).path))
    }
  }

  @Test func helpSaysThatCellsAreText() async throws {
    let programs = try await Programs()
    for help in [["bulk", "--help"], ["bulk", "run", "--help"]] {
      let words = try programs.run(help).output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(words.lowercased().contains("cells are text unless --map or --column says otherwise"), "\(words)")
    }
  }
}
