import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

@testable import tidemark

/// An import that updates is no exception to the promise that no edit is lost.
@Suite(.serialized, .ownThreads) struct EditedSinceTests {
  private func summary(_ finished: Finished) throws -> [String: String] {
    let document = try JSONParser.parse(finished.output)
    var counts: [String: String] = [:]
    for name in ["updated", "overwritten", "unchanged", "refused"] { counts[name] = document[name]?.compact }
    return counts
  }

  private func title(_ programs: Programs, _ id: String) throws -> String {
    try programs.run("get", "t", id, "--ndjson", "--fields", "title").output
  }

  @Test func editsMadeSinceTheImportAreKeptUnlessOverwriteIsSaid() async throws {
    let programs = try await Programs()
    let first = try programs.file("a.csv", "id,title\n1,a\n2,a\n3,a\n")
    #expect(try programs.run("import", first, "--type", "t").status == 0)
    #expect(try programs.run("patch", "t", "2", "title=by hand", "--expected", "1").status == 0)
    let second = try programs.file("b.csv", "id,title\n1,b\n2,b\n3,b\n")
    let refused = try programs.run("import", second, "--type", "t", "--update", "--json", "--rejects", programs.file("r.csv"))
    #expect(refused.status == 3)
    #expect(try summary(refused) == ["updated": "2", "overwritten": "0", "unchanged": "0", "refused": "1"])
    #expect(refused.error.contains("edited since: version 2 by developer at "))
    #expect(refused.error.contains("somebody edited them since their import: 1;") && refused.error.contains("--overwrite"))
    #expect(try title(programs, "2").contains("by hand"))
    // What imports did themselves counts as no edit, this time and the next.
    let third = try programs.file("c.csv", "id,title\n1,c\n2,c\n3,c\n")
    #expect(try summary(programs.run("import", third, "--type", "t", "--update", "--json"))["updated"] == "2")
    let forced = try programs.run("import", programs.file("r.csv"), "--type", "t", "--overwrite", "--json")
    #expect(forced.status == 0, "\(forced.error)")
    #expect(try summary(forced) == ["updated": "1", "overwritten": "1", "unchanged": "0", "refused": "0"])
    #expect(try title(programs, "2").contains("\"b\""))
    #expect(try summary(programs.run("import", third, "--type", "t", "--update", "--json"))["updated"] == "1")
  }

  @Test func withoutItsMemoryAnImportRefusesMoreAndOverwritesNothing() async throws {
    let programs = try await Programs()
    for text in ["a", "b"] {
      let file = try programs.file("\(text).csv", "id,title\n1,\(text)\n")
      #expect(try programs.run("import", file, "--type", "t", "--update").status == 0)
    }
    try FileManager.default.removeItem(at: programs.folder.appendingPathComponent(".local"))
    let file = try programs.file("c.csv", "id,title\n1,c\n")
    #expect(try programs.run("import", file, "--type", "t", "--update").status == 3)
    #expect(try title(programs, "1").contains("\"b\""))
  }
}
