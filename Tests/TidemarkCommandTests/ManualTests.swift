import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

/// The manual pages of `docs/man`.
@Suite(.ownThreads) struct ManualTests {
  private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func run(_ program: URL, _ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return output
  }

  @Test(arguments: [("tidemark", "1"), ("tidemarkd", "8")])
  func thePageSaysWhatTheProgramSays(_ name: String, _ section: String) throws {
    let made = try run(
      Self.repository.appendingPathComponent("scripts/manual"), BuiltProducts.url(name).path, section)
    let kept = try String(contentsOf: Self.repository.appendingPathComponent("docs/man/\(name).\(section)"), encoding: .utf8)
    #expect(made == kept, "docs/man is not current: run `make man`")
  }

  @Test func everyCommandHasASection() throws {
    let text = try run(BuiltProducts.url("tidemark"), "--experimental-dump-help")
    let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let page = try String(contentsOf: Self.repository.appendingPathComponent("docs/man/tidemark.1"), encoding: .utf8)
    var sections = 0
    func check(_ command: [String: Any], _ path: [String]) {
      for inner in command["subcommands"] as? [[String: Any]] ?? [] {
        guard let name = inner["commandName"] as? String, name != "help", inner["shouldDisplay"] as? Bool == true else {
          continue
        }
        #expect(page.contains("\n.SS \((path + [name]).joined(separator: " "))\n"), "\(path) \(name)")
        sections += 1
        check(inner, path + [name])
      }
    }
    check(try #require(document["command"] as? [String: Any]), ["tidemark"])
    #expect(sections > 25)
    #expect(page.contains("\n.SH EXIT STATUS\n"))
  }
}
