import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

/// scripts/test, with a program of our own in place of `swift`.
@Suite(.ownThreads) struct TestScriptTests {
  private static let skipping = """
    ➜ Test one() skipped: "PostgreSQL: not installed"
    ✔ Test two() passed after 0.1 seconds.
    ➜ Test three(_:) skipped: "PostgreSQL: not installed"
    ➜ Test four() skipped: "on a Tuesday"
    ✔ Test run with 4 tests in 1 suite passed after 0.1 seconds.

    """

  @Test func whatWasSkippedIsCountedBeforeTheLastLine() throws {
    let (status, lines) = try run("cat <<'END'\n\(Self.skipping)END")
    #expect(status == 0)
    #expect(lines.count == 7)
    #expect(lines[4...] == ["PostgreSQL: 2 tests skipped: not installed", "1 tests skipped: on a Tuesday", lines[6]])
    #expect(lines[6].contains("Test run with 4 tests"))
  }

  @Test func aFailureStaysOne() throws {
    let (status, lines) = try run("echo 'Test run with 1 test failed'; exit 3")
    #expect(status == 3 && lines == ["Test run with 1 test failed"])
  }

  private func run(_ body: String) throws -> (status: Int32, lines: [String]) {
    let folder = try TemporaryFolder()
    let fake = "\(folder.path)/swift"
    try Data("#!/usr/bin/env bash\n\(body)\n".utf8).write(to: URL(fileURLWithPath: fake))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fake)
    let process = Process()
    process.executableURL = Repository.root.appending(path: "scripts/test")
    process.environment = ["PATH": "\(folder.path):/usr/bin:/bin"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output.split(separator: "\n").map(String.init))
  }
}
