import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

/// `scripts/run` with the programs built beside the test, on a copy with few rows.
@Suite(.serialized, .ownThreads) struct RunScriptTests {
  private final class Copy {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tidemark-run-\(UUID().uuidString)")
    let port: Int
    private var started: [Process] = []

    init() throws {
      let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      // A port that was free a moment ago.
      let probe = try DaemonProcess(folder: "\(folder.path)/probe")
      port = probe.port
      _ = probe.terminate()
      for name in ["scripts", "Examples/calendar", "bin"] {
        try FileManager.default.createDirectory(at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
      }
      try FileManager.default.copyItem(
        at: repository.appendingPathComponent("scripts/run"), to: folder.appendingPathComponent("scripts/run"))
      let rows = try String(
        contentsOf: repository.appendingPathComponent("Examples/calendar/public-holidays.csv"), encoding: .utf8)
      let few = rows.split(separator: "\n", omittingEmptySubsequences: false).prefix(20).joined(separator: "\n") + "\n"
      try Data(few.utf8).write(to: folder.appendingPathComponent("Examples/calendar/public-holidays.csv"))
      for name in ["tidemark", "tidemarkd"] {
        try FileManager.default.createSymbolicLink(
          at: folder.appendingPathComponent("bin/\(name)"), withDestinationURL: BuiltProducts.url(name))
      }
    }

    deinit {
      for process in started where process.isRunning { kill(process.processIdentifier, SIGKILL) }
      try? FileManager.default.removeItem(at: folder)
    }

    /// Starts the script; its words go to a file.
    func start(_ name: String, failingImport: Bool = false) throws -> Process {
      var bin = folder.appendingPathComponent("bin")
      if failingImport {
        bin = folder.appendingPathComponent("broken")
        try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
          at: bin.appendingPathComponent("tidemarkd"), withDestinationURL: BuiltProducts.url("tidemarkd"))
        let fake = "#!/bin/sh\nexit 1\n"
        _ = FileManager.default.createFile(
          atPath: bin.appendingPathComponent("tidemark").path, contents: Data(fake.utf8), attributes: [.posixPermissions: 0o755])
      }
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = [folder.appendingPathComponent("scripts/run").path]
      process.environment = [
        "PATH": "/usr/bin:/bin", "HOME": folder.path, "TIDEMARK_PORT": "\(port)", "TIDEMARK_BIN": bin.path,
      ]
      let path = folder.appendingPathComponent(name).path
      _ = FileManager.default.createFile(atPath: path, contents: Data())
      let output = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      process.standardOutput = output
      process.standardError = output
      // A child inherits the signals that its parent's thread blocks, and the threads of a test run block nearly all.
      var (none, former) = (sigset_t(), sigset_t())
      sigemptyset(&none)
      pthread_sigmask(SIG_SETMASK, &none, &former)
      defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
      try process.run()
      started.append(process)
      return process
    }

    func text(_ name: String) -> String {
      (try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)) ?? ""
    }

    /// Waits until the script says that it serves, or ends.
    func waitUntilServing(_ process: Process, _ name: String) {
      let start = ContinuousClock.now
      while !text(name).contains("Ctrl-C ends it"), process.isRunning, ContinuousClock.now - start < .seconds(60) {}
    }

    /// Runs a command as the script's text says it.
    func run(_ line: String) throws -> Int32 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["-c", line]
      process.environment = [
        "PATH": "\(folder.path)/bin:/usr/bin:/bin", "HOME": folder.path, "TIDEMARK_URL": "tidemark://127.0.0.1:\(port)/default",
      ]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus
    }
  }

  private func patches(in text: String) -> [String] {
    text.split(separator: "\n").filter { $0.contains("tidemark patch") && !$0.hasPrefix("run") }
      .map { String($0.prefix { $0 != "#" }) }
  }

  @Test func aFailedSeedLeavesNoDaemonAndTheNextRunsPrintCommandsThatWork() throws {
    let copy = try Copy()
    let failed = try copy.start("failed", failingImport: true)
    failed.waitUntilExit()
    #expect(failed.terminationStatus == 1)
    // Twice, with edits between: what is printed is true each time.
    for name in ["first", "second"] {
      let serving = try copy.start(name)
      copy.waitUntilServing(serving, name)
      let lines = patches(in: copy.text(name))
      #expect(lines.count == 2, "\(copy.text(name))")
      #expect(try lines.map { try copy.run($0) } == [5, 0], "\(lines)")
      let other = try copy.start("other-\(name)")
      other.waitUntilExit()
      #expect(other.terminationStatus == 1 && copy.text("other-\(name)").contains("is serving on"))
      #expect(serving.isRunning)
      #expect(try copy.run("tidemark get event x; [ $? = 1 ]") == 0)
      serving.terminate()
      serving.waitUntilExit()
      #expect(serving.terminationStatus == 0)
      #expect(try copy.run("tidemark ping --count 1 --timeout 1") == 6)
    }
  }
}
