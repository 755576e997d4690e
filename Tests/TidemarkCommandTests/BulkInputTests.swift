import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

/// Rows of a bulk that come from standard input, and how the commands speak of what they could not read or find.
@Suite(.serialized, .ownThreads) struct BulkInputTests {
  private let rows = "id,title\n1,A\n2,B\n"

  private func exists(_ programs: Programs, _ name: String) -> Bool {
    FileManager.default.fileExists(atPath: programs.folder.appendingPathComponent(name).path)
  }

  @Test func rowsOfStandardInputAreWrittenAndNeverTwice() async throws {
    let programs = try await Programs()
    let made = try programs.run("bulk", "-", "--type", "t", "--format", "csv", input: rows)
    #expect(made.status == 0 && made.error.contains("2 rows: 2 applied"), "\(made.error)")
    let again = try programs.run("bulk", "--type", "t", "--format", "csv", input: rows)
    #expect(again.status == 0 && again.error.contains("2 of them had been done before"), "\(again.error)")
    #expect(!exists(programs, "-.results.ndjson") && !exists(programs, ".results.ndjson"))
    let partly = try programs.run(
      "bulk", "-", "--format", "jsonl", "--type", "t", input: #"{"id":"1","version":7,"title":"C"}"# + "\n")
    #expect(partly.status == 3 && partly.error.contains("No results were kept"), "\(partly.error)")
    #expect(!partly.error.contains("tidemark bulk retry"))
  }

  @Test func standardInputWithANameLeavesResultsToGoOnFrom() async throws {
    let programs = try await Programs()
    let name = try programs.file("nightly")
    let input = "id,version,title\n1,,A\n2,x,B\n"
    let made = try programs.run("bulk", "-", "--type", "t", "--format", "csv", "--name", name, input: input)
    #expect(made.status == 3 && made.error.contains("tidemark bulk undo \(name).results.ndjson"), "\(made.error)")
    #expect(try programs.text(of: "nightly.failed.csv").contains("2,x,B,3,unreadable,"))
    let again = try programs.run("bulk", "-", "--type", "t", "--format", "csv", "--name", name, input: input)
    #expect(again.error.contains("1 done by an earlier run"), "\(again.error)")
    #expect(try programs.run("bulk", "undo", name + ".results.ndjson").status == 0)
  }

  @Test func whatIsMissingIsAskedFor() async throws {
    let programs = try await Programs()
    let form = try programs.run("bulk", "-", "--type", "t", input: rows)
    #expect(form.status == 2 && form.error.contains("Say what standard input holds: --format csv"), "\(form.error)")
    let both = try programs.run("bulk", "-", "--type", "t", "--format", "csv", "--token-file", "-", input: rows)
    #expect(both.status == 2 && both.error.contains("both the rows and the token"), "\(both.error)")
  }

  @Test func aLineThatCannotBeReadIsNoWrite() async throws {
    let programs = try await Programs()
    let file = try programs.file("a.ndjson", "{\"id\":\"1\",\n[1]\n" + #"{"id":"2","title":"x"}"# + "\n")
    let partly = try programs.run("bulk", file, "--type", "room")
    #expect(partly.status == 3)
    #expect(partly.error.contains("\nline 1  unreadable: ") && partly.error.contains("\nline 2  unreadable: "), "\(partly.error)")
    let first = try #require(try programs.text(of: "a.results.ndjson").split(separator: "\n").dropFirst().first)
    let record = try JSONParser.parse(String(first))
    #expect(record["operation"] == .null && record["type"] == .null && record["id"] == .null)
  }

  /// Their members would become fields of entities.
  @Test func resultsAreNeverTakenForRows() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "t", "1", "title=A")
    let file = try programs.file("a.csv", "id,version,title\n1,7,B\n")
    #expect(try programs.run("bulk", file, "--type", "t").status == 3)
    let results = try programs.file("a.results.ndjson")
    let wrong = try programs.run("bulk", results, "--type", "t")
    #expect(wrong.status == 3 && wrong.error.contains("2 rows: 2 unreadable"), "\(wrong.error)")
    #expect(wrong.error.contains("this is a line of results, not a row; 'tidemark bulk retry' sends failed rows again"))
    #expect(try programs.run("get", "t", "1", "--ndjson", "--fields", "version").output == "{\"version\":1}\n")
    let reverse = try programs.run("bulk", "retry", file)
    #expect(reverse.status == 1 && reverse.error.contains("'\(file)' holds no results of a bulk"), "\(reverse.error)")
    let typo = try programs.run("bulk", "retry", results, "--only", "conflicts")
    #expect(typo.status == 2 && typo.error.contains("Is 'conflict' meant?"))
  }

  @Test func likelyMistakesAreToldSoThatTheyCanBeMended() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "t", "1", "title=A")
    let semicolons = try programs.run("bulk", programs.file("semi.csv", "id;version;title\n1;1;B\n"), "--type", "t")
    #expect(semicolons.status == 2 && semicolons.error.contains("here by semicolons"), "\(semicolons.error)")
    #expect(!semicolons.error.contains("0 rows") && !exists(programs, "semi.results.ndjson"))
    let list = try programs.run("bulk", "-", "--type", "t", "--format", "jsonl", input: "[{\"id\":\"1\"},\n{\"id\":\"2\"}]\n")
    #expect(list.error.contains("one object a line is expected, and no list around them"), "\(list.error)")
    let unnamed = try programs.run("bulk", programs.file("v.csv", "id,seen,title\n1,1,B\n"), "--type", "t")
    #expect(unnamed.status == 3 && unnamed.error.contains("name the version you saw in a column 'version'"), "\(unnamed.error)")
    let empty = try programs.run("bulk", programs.file("none.csv", "id,version\n"), "--type", "t")
    #expect(empty.status == 0 && empty.error.contains("0 rows: nothing\n"), "\(empty.error)")
  }

  @Test func anUndoOfAnUnknownWriteNamesIt() async throws {
    let programs = try await Programs()
    let unknown = "00000000-0000-4000-8000-000000000000"
    let undone = try programs.run("bulk", "undo", unknown)
    #expect(undone.status == 3 && undone.error.contains("\nundo \(unknown)  not found: There is no receipt"), "\(undone.error)")
    #expect(try programs.run("bulk", "undo", unknown, "--on-conflict", "overwrite").status == 2)
    #expect(try !programs.run("bulk", "undo", "--help").output.contains("overwrite"))
    #expect(try programs.run("bulk", "retry", "--help").output.contains("overwrite"))
  }

  @Test func spansOfTimeAreAsExactAsTheyMatter() {
    let texts = [(0.0, "1 ms"), (0.017, "17 ms"), (0.9999, "1 s"), (1.84, "1.8 s"), (9.99, "10 s"), (61, "1 min 1 s")]
    for (seconds, text) in texts { #expect(TimeSpan.text(seconds) == text) }
  }

  @Test func theVersionOfTheProgramAndOfASchemaAreTwoThings() async throws {
    let programs = try await Programs()
    let help = try programs.run("schema", "show", "--help").output
    #expect(help.components(separatedBy: "\n  --version ").count == 2, "\(help)")
    #expect(try programs.run("--version").output == "tidemark \(ToolVersion.text)\n")
    #expect(try programs.run("--help").output.contains("--version"))
  }
}
