import Foundation
import TidemarkCore
import TidemarkWire
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

/// Schemas of a space from YAML files, and completion that knows their types.
@Suite(.serialized, .ownThreads) struct SchemaCommandTests {
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
    #expect(unread.status == 1 && unread.error.hasSuffix("is 'fields' meant?\n"), "\(unread.error)")
  }

  @Test func aSchemaGoesOutAndInAsProtobuf() async throws {
    let programs = try await Programs()
    #expect(try programs.run("schema", "apply", programs.file("hotel.yaml", first), "--yes").status == 0)
    let shown = try programs.run("schema", "show", "--format", "protobuf")
    #expect(shown.status == 0 && shown.error.contains("--expected 1"), "\(shown.error)")
    let bytes = shown.outputBytes
    #expect(try Schema.decode(bytes) == SchemaText.read(first))
    let copy = try programs.file("hotel.binpb", bytes: bytes)
    let same = try programs.run("schema", "diff", copy)
    #expect(same.status == 0 && same.error.contains("Nothing differs."), "\(same.error)")
    // The name of the file says what it is, unless --format does.
    let named = try programs.file("hotel.dat", bytes: bytes)
    #expect(try programs.run("schema", "diff", named).status == 1)
    #expect(try programs.run("schema", "diff", named, "--format", "protobuf").status == 0)
    let summary = String(repeating: "ä", count: 150)
    let more = try SchemaText.read(
      "types:\n  room:\n    summary: \(summary)\n    fields:\n      name: string!\n      seats: int\n      beds: int\n")
    let wider = try programs.file("wider.pb", bytes: try more.encode())
    #expect(try programs.run("schema", "apply", wider).status == 2)
    #expect(try programs.run("schema", "apply", wider, "--expected", "1").status == 0)
    #expect(try programs.run("schema", "show").output.contains("beds: int"))
    let piped = try programs.run("schema", "diff", "-", input: first)
    #expect(piped.status == 3 && piped.output.contains("field_removed"), "\(piped.output)\(piped.error)")
    #expect(try programs.run("schema", "show", "--format", "xml").status == 2)
  }

  @Test func whatIsNoSchemaIsNeverTakenForAnEmptyOne() async throws {
    let programs = try await Programs()
    #expect(try programs.run("schema", "apply", programs.file("hotel.yaml", first), "--yes").status == 0)
    _ = FileManager.default.createFile(atPath: programs.folder.path + "/empty.pb", contents: Data())
    let empty = try programs.run("schema", "apply", programs.file("empty.pb"), "--yes", "--allow-breaking")
    #expect(empty.status == 1 && empty.error.contains("it has no types"), "\(empty.error)")
    let text = try programs.run("schema", "apply", programs.file("text.pb", first), "--yes", "--allow-breaking")
    #expect(text.status == 1 && text.error.contains("is no schema: "), "\(text.error)")
    #expect(try programs.run("schema", "show").output.contains("name: string!"))
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
    #expect(try programs.text(of: "complete.bash").contains("\ncomplete -o default -o filenames -F _tidemark tidemark"))
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
