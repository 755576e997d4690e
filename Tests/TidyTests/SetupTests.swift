import Foundation
import TidemarkTestTraits
import TidemarkTesting
import Testing

/// scripts/setup, with programs of our own in place of the machine's.
@Suite(.ownThreads) struct SetupTests {
  private static let swift = "echo 'Swift version 6.3 (swift-6.3-RELEASE)'"
  private static let missingSQLite = "[[ $2 == libsqlite3-dev ]] && exit 1; echo 'Status: install ok installed'"
  private static let noPackageList = "[[ $1 == update ]] && { touch \"$FAKES/updated\"; exit; }; [[ -e $FAKES/updated ]]"

  @Test func nothingMissingSaysNothing() throws {
    let run = try setup(["swift": Self.swift, "dpkg": "echo 'Status: install ok installed'", "apt-get": "exit 1"])
    #expect(run == Run(status: 0, output: "", calls: []))
  }

  @Test func rootInstallsOnlyWhatIsMissing() throws {
    let run = try setup(["swift": Self.swift, "dpkg": Self.missingSQLite, "apt-get": "exit 0", "id": "echo 0"])
    #expect(run.status == 0)
    #expect(run.calls == ["apt-get install -y --no-install-recommends libsqlite3-dev"])
  }

  @Test func packageListsAreFetchedOnlyWhenInstallingFails() throws {
    let run = try setup(["swift": Self.swift, "dpkg": Self.missingSQLite, "apt-get": Self.noPackageList, "id": "echo 0"])
    #expect(run.status == 0)
    let install = "apt-get install -y --no-install-recommends libsqlite3-dev"
    #expect(run.calls == [install, "apt-get update", install])
  }

  @Test(arguments: [["sudo": "exit 1"], [:]]) func withoutRightsItSaysWhatToAskFor(_ sudo: [String: String]) throws {
    let fakes = ["swift": Self.swift, "dpkg": Self.missingSQLite, "apt-get": "exit 0", "id": "echo 1000"]
    let run = try setup(fakes.merging(sudo) { $1 })
    #expect(run.status == 1)
    #expect(run.output.contains("apt-get install libsqlite3-dev"))
    #expect(!run.calls.contains { $0.hasPrefix("apt-get") })
  }

  @Test func sudoIsUsedWhenItWorks() throws {
    let sudo = "[[ $1 == -n ]] && shift; \"$@\""
    let run = try setup(["swift": Self.swift, "dpkg": Self.missingSQLite, "apt-get": "exit 0", "id": "echo 1000", "sudo": sudo])
    #expect(run.status == 0)
    #expect(run.calls.contains("apt-get install -y --no-install-recommends libsqlite3-dev"))
  }

  @Test(arguments: [[:], ["swift": "echo 'Swift version 5.10'"]]) func anUnfitToolchainIsNamed(_ fakes: [String: String]) throws {
    let run = try setup(fakes)
    #expect(run.status == 1)
    #expect(run.output.contains("6.2 or later"))
  }

  // MARK: Running it

  private struct Run: Equatable {
    var status: Int32
    var output: String
    /// What was called of `apt-get` and `sudo`, in order.
    var calls: [String]
  }

  /// Runs `scripts/setup run` where only harmless programs and these fakes can be found.
  private func setup(_ fakes: [String: String]) throws -> Run {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tidemark-setup-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for name in ["bash", "dirname", "env", "touch", "true"] {
      let found = try #require(["/bin", "/usr/bin"].map { "\($0)/\(name)" }.first { FileManager.default.fileExists(atPath: $0) })
      try FileManager.default.createSymbolicLink(atPath: folder.appending(path: name).path, withDestinationPath: found)
    }
    for (name, body) in fakes {
      let file = folder.appending(path: name)
      let note = ["apt-get", "sudo"].contains(name) ? "echo \"\(name) $*\" >>\"$FAKES/calls\"\n" : ""
      try Data("#!/usr/bin/env bash\n\(note)\(body)\n".utf8).write(to: file)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    }
    let process = Process()
    process.executableURL = folder.appending(path: "bash")
    process.arguments = [Repository.root.appending(path: "scripts/setup").path, "run"]
    process.environment = ["PATH": folder.path, "FAKES": folder.path]
    process.standardInput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let calls = (try? String(contentsOf: folder.appending(path: "calls"), encoding: .utf8)) ?? ""
    return Run(status: process.terminationStatus, output: output, calls: calls.split(separator: "\n").map(String.init))
  }
}
