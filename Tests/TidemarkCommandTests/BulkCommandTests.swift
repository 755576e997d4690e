import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

/// Many writes from a file, each against the version that was seen.
@Suite(.serialized, .ownThreads) struct BulkCommandTests {
  private func counts(_ finished: Finished) throws -> JSON? { try JSONParser.parse(finished.output)["by_outcome"] }

  private func line(_ programs: Programs, _ id: String, _ names: String = "version,title") throws -> String {
    try programs.run("get", "t", id, "--include-deleted", "--ndjson", "--fields", names).output
  }

  private func results(_ programs: Programs, _ name: String) throws -> [JSON] {
    try programs.text(of: name).split(separator: "\n").map { try JSONParser.parse(String($0)) }
  }

  /// Five entities, of which somebody changed the second since.
  private func makeRows(_ programs: Programs) throws {
    let rows = (1...5).map { "\($0),old,A\n" }.joined()
    let made = try programs.run("bulk", programs.file("make.csv", "id,title,room\n" + rows), "--type", "t")
    #expect(made.status == 0, "\(made.error)")
    #expect(made.error.contains("5 rows: 5 applied"))
    #expect(try programs.run("patch", "t", "2", "title=theirs", "--expected", "1").status == 0)
  }

  private let moves = "id,version,title\n1,1,new\n2,1,new\n3,1,new\n4,x,new\n"

  @Test func whatFailsIsToldWithItsReasonAndLeftInAFileThatCanBeRunAgain() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    let file = try programs.file("moves.csv", moves)
    let partly = try programs.run("bulk", file, "--type", "t")
    #expect(partly.status == 3 && partly.output.isEmpty)
    #expect(partly.error.contains("4 rows: 2 applied, 1 conflict, 1 unreadable"))
    #expect(partly.error.contains("FIELD  YOU SAW  IT IS NOW  YOU WANT"))
    #expect(partly.error.contains("title  \"old\"    \"theirs\"   \"new\"     version 2 by developer; you change it too"))
    #expect(partly.error.contains("line 5  update t '4'  unreadable: 'x' is no version"))
    #expect(partly.error.contains("tidemark bulk retry ") && partly.error.contains("tidemark bulk undo "))
    let failed = try programs.text(of: "moves.failed.csv")
    #expect(failed.hasPrefix("id,version,title,_reject_line,_reject_outcome,_reject_reason\r\n2,1,new,3,conflict,"))
    let lines = try results(programs, "moves.results.ndjson")
    #expect(lines.compactMap { $0["outcome"]?.string } == ["applied", "conflict", "applied", "unreadable"])
    #expect(lines[1]["operation_id"]?.string?.count == 36)
    // The failed rows, edited: the version that was told.
    let mended = failed.replacingOccurrences(of: "\r\n2,1,", with: "\r\n2,2,").replacingOccurrences(
      of: "\r\n4,x,", with: "\r\n4,1,")
    let again = try programs.run("bulk", programs.file("mended.csv", mended), "--type", "t")
    #expect(again.status == 0, "\(again.error)")
    #expect(try line(programs, "2") == #"{"version":3,"title":"new"}"# + "\n")
    #expect(!FileManager.default.fileExists(atPath: programs.folder.appendingPathComponent("mended.failed.csv").path))
  }

  @Test func theSameCommandAgainContinuesAndDoesNothingTwice() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "t", "1", "n:=1")
    let rows = #"{"id":"1","version":1,"increment":{"n":1}}"# + "\n" + #"{"id":"9","title":"x"}"# + "\n"
    let file = try programs.file("a.ndjson", rows)
    #expect(try programs.run("bulk", file, "--type", "t").status == 0)
    let again = try programs.run("bulk", file, "--type", "t", "--on-conflict", "overwrite", "--json")
    #expect(again.status == 0)
    #expect(try JSONParser.parse(again.output)["done_before"] == .number("2"))
    // As after a crash: nothing is known here, and the receipts answer.
    try FileManager.default.removeItem(at: programs.folder.appendingPathComponent("a.results.ndjson"))
    let crashed = try programs.run("bulk", file, "--type", "t")
    #expect(crashed.status == 0 && crashed.error.contains("2 of them had been done before"))
    #expect(try line(programs, "1", "version,n") == #"{"version":2,"n":2}"# + "\n")
    // Another run of the same rows is another bulk, and stale.
    let first = try programs.text(of: "a.results.ndjson")
    #expect(try programs.run("bulk", file, "--type", "t", "--run", "second").status == 3)
    #expect(try programs.text(of: "a.results.ndjson") == first && !programs.text(of: "a.second.results.ndjson").isEmpty)
    #expect(try programs.run("bulk", file, "--type", "t", "--run", "../x").status == 2)
    #expect(try line(programs, "1", "version,n") == #"{"version":2,"n":2}"# + "\n")
  }

  @Test func aRetryWritesAgainstTheVersionThatWasTold() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    _ = try programs.run("bulk", programs.file("moves.csv", moves), "--type", "t")
    let results = try programs.file("moves.results.ndjson")
    // Somebody is faster once more: the retry is no silent overwrite.
    #expect(try programs.run("patch", "t", "2", "title=again", "--expected", "2").status == 0)
    let stale = try programs.run("bulk", "retry", results, "--only", "conflict", "--json")
    #expect(stale.status == 3, "\(stale.error)")
    #expect(try counts(stale) == .object([.init("conflict", .number("1"))]))
    let second = try programs.run("bulk", "retry", programs.file("moves.retry.results.ndjson"), "--only", "conflict")
    #expect(second.status == 0, "\(second.error)")
    #expect(try line(programs, "2") == #"{"version":4,"title":"new"}"# + "\n")
    #expect(try programs.run("bulk", "retry", results, "--only", "nonsense").status == 2)
    #expect(try programs.run("bulk", "retry", results, "--space", "other").status == 2)
    #expect(try programs.run("bulk", "retry", programs.file("make.results.ndjson")).status == 1)
  }

  @Test func mergeTakesRowsWhoseFieldsNobodyElseChanged() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    let room = try programs.file("room.csv", "id,version,room\n2,1,C\n")
    #expect(try programs.run("bulk", room, "--type", "t").status == 3)
    let merged = try programs.run("bulk", "retry", programs.file("room.results.ndjson"), "--on-conflict", "merge")
    #expect(merged.status == 0 && merged.error.contains("1 merged"), "\(merged.error)")
    #expect(try line(programs, "2", "title,room") == #"{"title":"theirs","room":"C"}"# + "\n")
    let clash = try programs.file("clash.csv", "id,version,title\n2,1,ours\n")
    #expect(try programs.run("bulk", clash, "--type", "t", "--on-conflict", "merge").status == 3)
    let forced = try programs.file("force.csv", "id,version,title\n2,1,mine\n")
    #expect(try programs.run("bulk", forced, "--type", "t", "--on-conflict", "overwrite").status == 0)
    #expect(try line(programs, "2", "title").contains("mine"))
    #expect(try programs.run("bulk", forced, "--type", "t", "--on-conflict", "win").status == 2)
  }

  @Test func validateOnlyTellsAndLeavesEverythingAlone() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    let file = try programs.file("moves.csv", moves)
    let told = try programs.run("bulk", file, "--type", "t", "--validate-only")
    #expect(told.status == 3)
    #expect(told.output.hasPrefix("LINE  OUTCOME"))
    #expect(told.output.split(separator: "\n").count == 5)
    #expect(told.error.contains("would be: 2 applied"))
    #expect(try line(programs, "1") == #"{"version":1,"title":"old"}"# + "\n")
    #expect(!FileManager.default.fileExists(atPath: programs.folder.appendingPathComponent("moves.results.ndjson").path))
    #expect(try programs.run("bulk", file, "--type", "t").status == 3)
    #expect(try line(programs, "1") == #"{"version":2,"title":"new"}"# + "\n")
  }

  @Test func allOrNothingEndsWithTheStatusOfTheRowThatFailed() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    let file = try programs.file("all.csv", "id,version,title\n1,1,new\n2,1,new\n3,1,new\n")
    let none = try programs.run("bulk", file, "--type", "t", "--atomic")
    #expect(none.status == 5, "\(none.error)")
    #expect(none.error.contains("2 aborted") && none.error.contains("It depends on line 3, which failed."))
    #expect(try line(programs, "1") == #"{"version":1,"title":"old"}"# + "\n")
    let mended = try programs.file("all.csv", "id,version,title\n1,1,new\n2,2,new\n3,1,new\n")
    #expect(try programs.run("bulk", mended, "--type", "t", "--atomic").status == 0)
    // Neighbours of one group belong together, also when one of them cannot be read.
    let groups = try programs.file("groups.csv", "id,version,title,group\n1,2,x,a\n3,none,x,a\n2,3,x,b\n")
    let partly = try programs.run("bulk", groups, "--type", "t", "--json")
    #expect(partly.status == 3)
    #expect(try line(programs, "1").contains("new"))
    #expect(try line(programs, "2").contains("\"x\""))
  }

  @Test func whatWasAppliedIsTakenBackAndDoneAgain() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    _ = try programs.run("bulk", programs.file("moves.csv", moves), "--type", "t")
    #expect(try programs.run("patch", "t", "3", "title=later", "--expected", "2").status == 0)
    let results = try programs.file("moves.results.ndjson")
    let undone = try programs.run("bulk", "undo", results)
    #expect(undone.status == 3, "\(undone.error)")
    #expect(undone.error.contains("2 writes to take back: 1 applied, 1 conflict"))
    #expect(try line(programs, "1") == #"{"version":3,"title":"old"}"# + "\n")
    #expect(try line(programs, "3").contains("later"))
    #expect(try programs.run("bulk", "undo", results).error.contains("had been done before"))
    #expect(try line(programs, "1", "version") == "{\"version\":3}\n")
    #expect(try programs.run("bulk", "undo", programs.file("moves.undo.results.ndjson")).status == 0)
    #expect(try line(programs, "1") == #"{"version":4,"title":"new"}"# + "\n")
    let made = try JSONParser.parse(try programs.run("create", "t", "solo", "a=1", "--json").output)
    #expect(try programs.run("bulk", "undo", made["operation_id"]?.string ?? "").status == 0)
    #expect(try programs.run("get", "t", "solo").status == 1)
    #expect(try programs.run("bulk", "undo", "00000000-0000-4000-8000-000000000000").status == 3)
  }

  @Test func manyRowsGoInPartsAndAMissingServerExitsWith6() async throws {
    let programs = try await Programs()
    let rows = (1...1_300).map { "\($0),x\n" }.joined()
    let file = try programs.file("many.csv", "id,title\n" + rows)
    let made = try programs.run("bulk", file, "--type", "t", "--json")
    #expect(made.status == 0, "\(made.error)")
    #expect(try counts(made) == .object([.init("applied", .number("1300"))]))
    #expect(try programs.run("bulk", file, "--type", "t", "--atomic", "--run", "b").status == 1)
    programs.stopDaemon()
    let lost = try programs.run("bulk", file, "--type", "t", "--timeout", "2", "--run", "c")
    #expect(lost.status == 6 && !lost.error.isEmpty)
  }

  @Test func afterCtrlCTheSameCommandContinues() async throws {
    let programs = try await Programs()
    let rows = (1...900).map { "\($0),x\n" }
    let path = try programs.file("slow.csv")
    #expect(mkfifo(path, 0o600) == 0)
    let running = try programs.start("bulk", path, "--type", "t")
    let input = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try input.write(contentsOf: Data(("id,a\n" + rows.prefix(700).joined()).utf8))
    // An entity on the server shows that the first part was sent.
    let start = ContinuousClock.now
    while try programs.run("get", "t", "1").status != 0, ContinuousClock.now - start < .seconds(30) {}
    running.process.interrupt()
    running.process.waitUntilExit()
    #expect(running.process.terminationStatus == 130)
    try input.close()
    try FileManager.default.removeItem(atPath: path)
    try Data(("id,a\n" + rows.joined()).utf8).write(to: URL(fileURLWithPath: path))
    let again = try programs.run("bulk", path, "--type", "t", "--json")
    #expect(again.status == 0, "\(again.error)")
    #expect(try JSONParser.parse(again.output)["done_before"] == .number("500"))
    #expect(try counts(again) == .object([.init("applied", .number("400"))]))
  }

  @Test func aRunThatContinuesKeepsTheResultsOfTheOneBefore() async throws {
    let programs = try await Programs()
    let file = try programs.file("two.csv", "id,a\n1,x\n2,x\n")
    #expect(try programs.run("bulk", file, "--type", "t").status == 0)
    let known = try results(programs, "two.results.ndjson").compactMap { $0["operation_id"]?.string }
    #expect(try programs.run("bulk", file, "--type", "t").status == 0)
    let after = try results(programs, "two.results.ndjson").compactMap { $0["operation_id"]?.string }
    #expect(known.count == 2 && after == known)
    let undone = try programs.run("bulk", "undo", programs.file("two.results.ndjson"))
    #expect(undone.error.contains("2 writes to take back: 2 applied"), "\(undone.error)")
  }

  @Test func aRowThatStandsInTheFileTwiceIsTwoWrites() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "t", "1", "n:=1")
    let row = #"{"id":"1","version":1,"increment":{"n":1}}"# + "\n"
    let file = try programs.file("twice.ndjson", row + row)
    let made = try programs.run("bulk", file, "--type", "t")
    #expect(made.status == 3 && made.error.contains("2 rows: 1 applied, 1 conflict"), "\(made.error)")
    #expect(try programs.run("bulk", file, "--type", "t").error.contains("1 done by an earlier run, 1 conflict"))
    #expect(try line(programs, "1", "version,n") == #"{"version":2,"n":2}"# + "\n")
  }

  @Test func aGroupIsNotCutWhereAPartEnds() async throws {
    let programs = try await Programs()
    // The group stands on both sides of the place where a part is full, and its second row fails.
    let rows = (1..<BulkJob.partRowsMax).map { "\($0),x,\n" }.joined()
    let file = try programs.file("long.csv", "id,a,group\n" + rows + "last,x,g\n1,x,g\nmore,x,\n")
    #expect(try programs.run("bulk", file, "--type", "t").status == 3)
    #expect(try programs.run("get", "t", "last").status == 1)
    #expect(try programs.run("get", "t", "more").status == 0)
  }

  @Test func anAtomicBulkOfAFileThatCannotBeReadToItsEndIsNotSent() async throws {
    let programs = try await Programs()
    let file = try programs.file("torn.csv", "id,a\n1,x\n2,\"x\n")
    #expect(try programs.run("bulk", file, "--type", "t", "--atomic").status != 0)
    #expect(try programs.run("get", "t", "1").status == 1)
  }

  @Test func resultsOfAnotherHistoryOfTheSpaceHideNothing() async throws {
    let programs = try await Programs()
    let file = try programs.file("a.csv", "id,a\n1,x\n")
    _ = try programs.run("space", "create", "hotel")
    #expect(try programs.run("bulk", file, "--type", "t", "--space", "hotel").status == 0)
    #expect(try programs.run("bulk", file, "--type", "t", "--space", "hotel").error.contains("1 done by an earlier run"))
    _ = try programs.run("space", "delete", "hotel", "--confirm=hotel")
    _ = try programs.run("space", "create", "hotel")
    #expect(try programs.run("bulk", file, "--type", "t", "--space", "hotel").error.contains("1 row: 1 applied"))
    #expect(try programs.run("get", "t", "1", "--space", "hotel").status == 0)
  }

  @Test func theCommandForMendingReadsRowsAsTheFirstDid() async throws {
    let programs = try await Programs()
    let file = try programs.file("kinds.csv", "id,version,seats\n1,,4\n2,x,6\n")
    let first = try programs.run("bulk", file, "--type", "t", "--map", "seats:int")
    #expect(first.status == 3)
    #expect(first.error.contains("kinds.failed.csv --type t --map seats:int"))
  }

  @Test func aRunThatSendsNothingKeepsWhatIsKnown() async throws {
    let programs = try await Programs()
    try makeRows(programs)
    let known = try programs.text(of: "make.results.ndjson")
    let nothing = try programs.run("bulk", programs.file("make.csv", "id,operation,title\n1,make,x\n"), "--type", "t")
    #expect(nothing.status == 3 && nothing.error.contains("still tells of the earlier run"), "\(nothing.error)")
    #expect(try programs.text(of: "make.results.ndjson") == known)
  }

  @Test func namesOfFilesStandBesideTheFile() {
    #expect(BulkFileNames(of: "a/moves.csv", format: .csv).results == "a/moves.results.ndjson")
    #expect(BulkFileNames(of: "a.b/moves", format: .jsonl).failed == "a.b/moves.failed.ndjson")
    #expect(BulkFileNames(of: "moves.csv", format: .csv, run: ".b").failed == "moves.b.failed.csv")
    #expect(BulkFileNames(of: ".csv", format: .csv).results == ".csv.results.ndjson")
    #expect(BulkFileNames(ofResults: "moves.results.ndjson", "undo").results == "moves.undo.results.ndjson")
  }
}
