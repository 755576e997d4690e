import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

/// The client of `Clients/Python`, which was written from `docs/PROTOCOL.md` and `Proto/` alone, against the daemon built here.
@Suite(.ownThreads) struct PythonClientTests {
  @Test func pythonClientPassesItsTestsAgainstThisDaemon() throws {
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    guard let python = pythonPath(repository) else {
      Issue.record("There is no Python to test with: `make test` sets it up in .tools/venv, or name one in TIDEMARK_PYTHON.")
      return
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-m", "pytest", "Clients/Python/tests", "-q"]
    process.currentDirectoryURL = repository
    // Empty stores that several daemons may share; none where PostgreSQL is not installed, which is said.
    let stores = try (0..<4).compactMap { _ in try PostgresServer.shared?.makeSchema() }
    process.environment = ProcessInfo.processInfo.environment.merging([
      "TIDEMARKD_BINARY": BuiltProducts.url("tidemarkd").path, "PYTHONDONTWRITEBYTECODE": "1",
      "TIDEMARK_POSTGRES_STORES": stores.joined(separator: " "),
    ]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(output)")
  }

  /// The Python to use: that of the environment, or that of `scripts/setup test`; `nil` when there is neither.
  private func pythonPath(_ repository: URL) -> String? {
    if let chosen = ProcessInfo.processInfo.environment["TIDEMARK_PYTHON"] { return chosen }
    let path = repository.appendingPathComponent(".tools/venv/bin/python").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }
}
