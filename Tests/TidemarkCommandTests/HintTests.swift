import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

/// What the commands say when something is probably not meant as it was typed.
@Suite(.serialized, .ownThreads) struct HintTests {
  @Test func aMistypedCommandIsNamedWithTheOneThatWasMeant() async throws {
    let programs = try await Programs()
    programs.stopDaemon()
    for (arguments, meant) in [
      (["gte", "event", "1"], "'get'"), (["help", "gte"], "'get'"), (["lst"], "'list'"), (["tokn"], "'token'"),
      (["token", "creat", "x"], "'create'"), (["help", "token", "lits"], "'list'"),
    ] {
      let finished = try programs.run(arguments)
      #expect(finished.status == 2, "\(arguments)")
      #expect(finished.output.isEmpty && finished.error.contains("Did you mean \(meant)?"), "\(arguments): \(finished.error)")
    }
    #expect(try programs.run("help", "get").status == 0)
    #expect(try programs.run("help", "token", "create").status == 0)
    let far = try programs.run("xylophone", "--json")
    #expect(far.status == 2)
    #expect(try JSONParser.parse(far.error)["error"]?["exit_status"] == .number("2"))
  }

  @Test func distancesCountLettersAndSwaps() {
    #expect(Spelling.distance(Array("get"), Array("gte")) == 1)
    #expect(Spelling.distance(Array(""), Array("ab")) == 2)
    #expect(Spelling.distance(Array("patch"), Array("path")) == 1)
    #expect(Spelling.nearest("q", ["get", "list"]).isEmpty)
    #expect(Spelling.nearest("exp", ["export", "list"]) == ["export"])
  }

  @Test func nothingFoundAndUnknownNamesAreSaidOnStandardError() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "t", "1", "a=x")
    let none = try programs.run("list", "tt")
    #expect(none.status == 0 && none.output.isEmpty && none.error.contains("no entity of the type 'tt'"))
    let typo = try programs.run("list", "t", "--fields", "id,nosuch,deleted_at", "--ndjson")
    #expect(typo.status == 0 && typo.output.contains("\"nosuch\":null"))
    #expect(typo.error.contains("'nosuch'") && !typo.error.contains("deleted_at"))
    #expect(try programs.run("get", "t", "1", "--fields", "nosuch").error.contains("'nosuch'"))
    #expect(try programs.run("list", "t", "--fields", "id,a").error.isEmpty)
    let missing = try programs.run("get", "t", "2")
    #expect(missing.status == 1 && missing.error.contains("Either it never was, or it is deleted"))
  }

  @Test func aGrantInASpaceThatIsNotThereIsWarnedOf() async throws {
    let programs = try await Programs()
    let made = try programs.run("token", "create", "desk", "--grant", "hotel=writer", "--grant", "default=reader")
    #expect(made.status == 0 && made.output.hasPrefix("tmk_"))
    #expect(made.error.contains("no space 'hotel'") && !made.error.contains("'default'"))
  }

  @Test func aTokenThatIsNotAcceptedIsNamedByItsSource() async throws {
    let programs = try await Programs()
    let wrong = try programs.run("list", "t", environment: ["TIDEMARK_TOKEN": "tmk_wrong"])
    #expect(wrong.status == 4)
    #expect(wrong.error.contains("The token from TIDEMARK_TOKEN was not accepted") && !wrong.error.contains("tmk_wrong"))
    let file = try programs.file("t.token", "tmk_wrong\n")
    #expect(try programs.run("list", "t", "--token-file", file).error.contains("the file '\(file)'"))
    let doctor = try programs.run("doctor", environment: ["TIDEMARK_TOKEN_FILE": file])
    #expect(doctor.status == 4 && doctor.output.contains("TIDEMARK_TOKEN_FILE was not accepted"))
  }

  @Test func aContextThatIsReplacedOrHasNoTokenYetIsSaid() async throws {
    let programs = try await Programs()
    #expect(try programs.run("context", "add", "a", "tidemark://one:1/x").error.contains("replaced") == false)
    let again = try programs.run("context", "add", "a", "tidemark://two:2/x", "--token-file", "/nowhere/token")
    #expect(again.status == 0)
    #expect(again.error.contains("It replaced the one of this name, which was tidemark://one:1/x"))
    #expect(again.error.contains("Warning: ") && again.error.contains("/nowhere/token"))
  }

  @Test func doctorWithoutAnAddressExitsAsItsHelpSays() async throws {
    let programs = try await Programs()
    let lost = try programs.run("doctor", environment: ["TIDEMARK_URL": ""])
    #expect(lost.status == 2)
    let lines = lost.output.split(separator: "\n")
    #expect(lines.first?.hasPrefix("failed   address     No server is given.") == true)
    #expect(lines.count == 3 && lines.dropFirst().allSatisfy { $0.hasPrefix("          ") })
    #expect(try programs.run("doctor", "--help").output.contains("2 when no server is given"))
  }

  @Test func conflictsTellWhatIsAbsentAndWhatIsNotThereYet() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "t", "1", "a=x")
    _ = try programs.run("patch", "t", "1", "b:=null", "a!", "--expected", "1")
    let stale = try programs.run("patch", "t", "1", "a=y", "--expected", "1", "--json")
    let changes = try JSONParser.parse(stale.output)["conflict"]?["changes"]
    guard case .array(let list)? = changes, list.count == 2 else {
      Issue.record("\(stale.output)")
      return
    }
    #expect(list[0]["before"] == .string("x") && list[0]["after"] == nil)
    #expect(list[1]["before"] == nil && list[1]["after"] == .null)
    let early = try programs.run("patch", "t", "1", "a=y", "--expected", "99")
    #expect(early.status == 5 && early.error.contains("has no version 99 yet: it is at version 2"))
    #expect(!early.error.contains("developer since"))
    let live = try programs.run("restore", "t", "1", "--expected", "2")
    #expect(live.status == 0 && live.error.contains("not deleted"))
  }
}
