import Foundation
import Testing

@testable import tidemark

/// Schemas of a space from YAML files, and completion that knows their types.
@Suite(.serialized) struct SchemaCommandTests {
  private let first = "types:\n  room:\n    fields:\n      name: string!\n      seats: int\n"

  @Test func aSchemaIsComparedAppliedShownAndRolledBack() async throws {
    let programs = try await Programs()
    #expect(try programs.run("schema", "show").status == 1)
    let file = try programs.file("hotel.yaml", first)
    let would = try programs.run("schema", "diff", file)
    #expect(would.status == 0 && would.output.contains("schema_added"), "\(would.output)\(would.error)")
    #expect(try programs.run("schema", "apply", file).status == 2)
    let applied = try programs.run("schema", "apply", file, "--yes")
    #expect(applied.status == 0 && applied.error.contains("Version 1 is in force."), "\(applied.error)")
    let shown = try programs.run("schema", "show")
    #expect(shown.output.hasPrefix("# version 1 of 'default', by developer at "))
    #expect(shown.output.contains("name: string!"))
    #expect(try programs.run("create", "room", "1", "seats:=2").status == 1)
    #expect(try programs.run("create", "room", "1", "name=A", "seats:=2").status == 0)
    // An edited copy is checked against what it was made from.
    let edited = shown.output.replacingOccurrences(of: "seats: int", with: "seats: int!")
    let copy = try programs.file("edited.yaml", edited)
    #expect(try programs.run("schema", "diff", copy, "--json").output.contains("\"needs_check\""))
    #expect(try programs.run("schema", "apply", copy).status == 0)
    #expect(try programs.run("schema", "apply", copy).status == 5)
    #expect(try programs.run("schema", "rollback", "--expected", "2").status == 0)
    #expect(try programs.run("schema", "show").output.hasPrefix("# version 3 "))
    #expect(try programs.run("schema", "show", "--version", "2").output.contains("seats: int!"))
  }

  @Test func whatStandsInTheWayIsTold() async throws {
    let programs = try await Programs()
    _ = try programs.run("create", "room", "1", "seats:=2")
    let file = try programs.file("hotel.yaml", first)
    let refused = try programs.run("schema", "diff", file)
    #expect(refused.status == 3 && refused.error.contains("room '1' at version 1: name"), "\(refused.error)")
    #expect(try programs.run("schema", "apply", file, "--yes").status == 3)
    let typo = try programs.file("typo.yaml", "types:\n  room:\n    feilds: {}\n")
    let unread = try programs.run("schema", "diff", typo)
    #expect(unread.status == 1 && unread.error.contains("is 'fields' meant?"))
  }

  @Test func completionKnowsSpacesTypesAndContexts() async throws {
    let programs = try await Programs()
    _ = try programs.run("schema", "apply", programs.file("hotel.yaml", first), "--yes")
    _ = try programs.run("space", "create", "hotel")
    #expect(try programs.run("names", "spaces").output == "default\nhotel\n")
    #expect(try programs.run("names", "types").output == "room\n")
    _ = try programs.run("context", "add", "home", programs.url)
    #expect(try programs.run("names", "contexts").output == "home\n")
    for shell in ["bash", "zsh", "fish"] {
      let script = try programs.run("--generate-completion-script", shell)
      #expect(script.status == 0 && script.output.contains("tidemark names types"))
    }
    let bash = try programs.file("complete.bash", try programs.run("--generate-completion-script", "bash").output)
    let check = Process()
    check.executableURL = URL(fileURLWithPath: "/bin/bash")
    check.arguments = ["-n", bash]
    try check.run()
    check.waitUntilExit()
    #expect(check.terminationStatus == 0)
    #expect(try programs.run("--help").output.contains("names") == false)
    programs.stopDaemon()
    let silent = try programs.run("names", "spaces")
    #expect(silent.status == 0 && silent.output.isEmpty && silent.error.isEmpty)
  }
}
