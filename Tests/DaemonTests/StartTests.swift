import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

/// How the daemon starts, and what it says when it cannot.
@Suite(.serialized, .ownThreads) struct StartTests {
  private struct Finished {
    var status: Int32
    var output: String
    var error: String
  }

  /// Runs `tidemarkd` until it ends by itself.
  private func run(_ arguments: String...) throws -> Finished { try run(arguments) }

  private func run(_ arguments: [String]) throws -> Finished {
    let process = Process()
    process.executableURL = BuiltProducts.url("tidemarkd")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("TIDEMARKD_") }
    let (output, error) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = error
    try process.run()
    // What goes to standard error is less than a pipe holds.
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complaint = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Finished(status: process.terminationStatus, output: text, error: complaint)
  }

  @Test func aStartOnATakenPortSaysSoAndKeepsTheFirstToken() throws {
    try withFolder { folder in
      let other = try DaemonProcess(folder: "\(folder.path)/other")
      let store = "sqlite:\(folder.path)/store"
      let failed = try run("--store", store, "--listen", "127.0.0.1:\(other.port)")
      #expect(failed.status == 1)
      #expect(failed.error.contains("127.0.0.1:\(other.port) is in use") && failed.error.contains("--listen"))
      #expect(!failed.error.contains("tmk_") && !failed.error.contains("errno"))
      let daemon = try DaemonProcess(folder: "\(folder.path)/store", isDevelopment: false)
      #expect(daemon.log.contains("tmk_"))
    }
  }

  @Test func aFolderInUseIsNamedWithWhatToDo() throws {
    try withFolder { folder in
      let daemon = try DaemonProcess(folder: folder.path)
      for arguments in [["serve", "--listen", "127.0.0.1:0"], ["migrate"], ["token", "--principal", "a", "--role", "reader"]] {
        let words = arguments + ["--store", "sqlite:\(folder.path)"]
        let failed = try run(words)
        #expect(failed.status == 1, "\(arguments)")
        #expect(failed.error.contains("in use by process \(daemon.processID)"), "\(arguments): \(failed.error)")
        #expect(failed.error.contains("End that process") && !failed.error.contains("locked:"))
      }
    }
  }

  @Test func wrongUsageExitsWith2AsTheHelpSays() throws {
    for arguments in [["--nonsense"], ["token"], ["migrate", "sideways"], ["--threads"], ["--threads", "0"]] {
      let failed = try run(arguments)
      #expect(failed.status == 2, "\(arguments): \(failed.error)")
      #expect(failed.output.isEmpty && !failed.error.isEmpty)
    }
    let help = try run("--help")
    #expect(help.status == 0 && help.error.isEmpty)
    for flag in ["--store", "--listen", "--development", "--idle-timeout-ms"] { #expect(help.output.contains(flag)) }
    let token = try run("token", "--help")
    #expect(token.output.contains("--store") && !token.output.contains("--threads"))
    #expect(try run("migrate", "--help").output.contains("--store"))
  }

  @Test func theDevelopmentSwitchMayStandAlone() throws {
    try withFolder { folder in
      let portFile = "\(folder.path)/port"
      let process = Process()
      process.executableURL = BuiltProducts.url("tidemarkd")
      process.arguments = [
        "--development", "--store", "sqlite:\(folder.path)/store", "--listen", "127.0.0.1:0", "--port-file", portFile,
      ]
      let error = Pipe()
      process.standardError = error
      try process.run()
      var log = ""
      while !log.contains(" ready") {
        let piece = error.fileHandleForReading.availableData
        guard !piece.isEmpty else { break }
        log += String(decoding: piece, as: UTF8.self)
      }
      #expect(log.contains("calls without a token are taken"))
      process.terminate()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
    #expect(try run("--development", "perhaps").status == 2)
  }

  @Test func migratingAStoreThatIsNotThereSaysSo() throws {
    try withFolder { folder in
      for command in [["migrate"], ["migrate", "down", "--to", "0"]] {
        let failed = try run(command + ["--store", "sqlite:\(folder.path)/none"])
        #expect(failed.status == 1 && failed.output.isEmpty)
        #expect(failed.error.contains("There is no store in '\(folder.path)/none'"))
      }
      #expect(try run("migrate", "up", "--store", "sqlite:\(folder.path)/new").status == 0)
      #expect(try run("migrate", "--store", "sqlite:\(folder.path)/new").output.hasPrefix("format "))
    }
  }

  @Test func theFirstCallOfTheProtocolDocumentIsAnsweredAsItSays() throws {
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: repository.appendingPathComponent("docs/PROTOCOL.md"), encoding: .utf8)
    let start = try #require(text.range(of: "## 1. A first call"))
    let end = try #require(text.range(of: "## 2. Frames"))
    var sent: [UInt8] = []
    var answers: [[UInt8]] = []
    for line in text[start.upperBound..<end.lowerBound].split(separator: "\n") {
      guard let arrow = line.firstIndex(of: "→"), line.hasPrefix("client") || line.hasPrefix("server") else { continue }
      // Hexadecimal words, until the explanation begins.
      let words = line[line.index(after: arrow)...].split(separator: " ").prefix {
        $0.allSatisfy(\.isHexDigit) && $0.count % 2 == 0
      }
      let digits = Array(words.joined())
      let bytes = stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
      if line.hasPrefix("client") { sent += bytes } else { answers.append(bytes) }
    }
    #expect(sent.count == 8 + 12 + 18 && answers.count == 2)
    try withFolder { folder in
      let daemon = try DaemonProcess(folder: folder.path)
      let connection = try RawConnection(port: daemon.port)
      #expect(connection.send(sent))
      // The length of the HELLO is what the document says, so the whole answer has a known length, too.
      let helloBytes = answers[0].prefix(4).reduce(0) { $0 << 8 | Int($1) }
      let answer = try #require(connection.receive(count: 12 + helloBytes + answers[1].count))
      #expect(answer.starts(with: answers[0]))
      #expect(Array(answer.dropFirst(12 + helloBytes)) == answers[1])
    }
  }

  private func withFolder(_ body: (TemporaryFolder) throws -> Void) throws {
    let folder = try TemporaryFolder()
    try withExtendedLifetime(folder) { try body(folder) }
  }
}
