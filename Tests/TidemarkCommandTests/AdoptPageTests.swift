import Foundation
import Testing
import TidemarkTestTraits
import TidemarkTesting

@testable import tidemark

/// docs/ADOPTING.md says what happens.
@Suite(.ownThreads) struct AdoptPageTests {
  private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("docs/ADOPTING.md")

  /// A command and what it says.
  private struct Step {
    var command: String
    var output: [String] = []
  }

  @Test func everyCommandOfThePageSaysWhatThePageSays() async throws {
    let programs = try await Programs()
    let place = PlainDatabase.Place(kind: .sqlite, url: "sqlite:\(programs.folder.path)/shop.db")
    try place.execute("PRAGMA journal_mode = WAL")
    var block: String?
    var statements = ""
    var steps: [Step] = []
    var commands = 0
    for line in try String(contentsOf: AdoptPageTests.page, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
    {
      if line.hasPrefix("```") {
        if block == "sql" { try place.execute(statements) }
        if block == "console" {
          for step in steps { try run(step, programs) }
          commands += steps.count
        }
        (statements, steps) = ("", [])
        block = block == nil ? String(line.dropFirst(3)) : nil
      } else if block == "sql" {
        statements += line + "\n"
      } else if block == "console" {
        if line.hasPrefix("$ ") {
          steps.append(Step(command: String(line.dropFirst(2))))
        } else {
          steps[steps.count - 1].output.append(String(line))
        }
      }
    }
    #expect(commands == 7)
  }

  private func run(_ step: Step, _ programs: Programs) throws {
    let folder = programs.folder.path
    let words = step.command.replacing("sqlite:shop.db", with: "sqlite:\(folder)/shop.db")
      .replacing("refused.jsonl", with: "\(folder)/refused.jsonl").split(separator: " ").map(String.init)
    #expect(words.first == "tidemark")
    let done = try programs.run(Array(words.dropFirst()))
    let said = (done.output + done.error).replacing("\(folder)/", with: "")
      .replacing(/; [0-9.]+ (ms|s)(?=\n)/, with: "; 12 ms").split(separator: "\n").map(String.init)
    // The page shows some lines of an entity.
    let isEntity = words[1] == "get"
    #expect(
      isEntity
        ? step.output.allSatisfy { line in said.contains { $0.split(separator: " ") == line.split(separator: " ") } }
        : said == step.output, "\(step.command): \(said)")
  }
}
