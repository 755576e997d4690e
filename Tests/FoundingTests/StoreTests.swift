import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// The store behind the daemon: one URL chooses it, and it goes forward and back.
  @Suite struct Stores {
    /// The stores there are on this machine.
    enum Kind: CaseIterable, CustomTestStringConvertible {
      case sqlite, postgres
      static var available: [Kind] { PostgresServer.shared == nil ? [.sqlite] : allCases }
      var testDescription: String { "\(self)" }

      /// The URL of an empty store.
      func url(_ folder: TemporaryFolder) throws -> String {
        switch self {
        case .sqlite: "sqlite:\(folder.path)/store"
        case .postgres: try #require(PostgresServer.shared).makeSchema()
        }
      }
    }

    @Test(arguments: Kind.available) func a7OneURLChoosesTheStoreAndItGoesBackAndForwardWithAllItHolds(_ kind: Kind) throws {
      let folder = try TemporaryFolder()
      let url = try kind.url(folder)
      var maker = try WriteMaker(seed: 7)
      var before: [Entity] = []
      do {
        let daemon = try DaemonProcess(store: url)
        let client = try FramedConnection(port: daemon.port)
        for name in ["a", "b"] {
          #expect(try client.write(maker.create(name, [("n", .int(1))]), in: .default).code == .applied)
        }
        #expect(try client.write(maker.update("a", [("n", .int(2))], expected: 1), in: .default).code == .applied)
        before = try ["a", "b"].map { try client.entity(maker.key($0), in: .default) }
        #expect(daemon.terminate() == 0)
      }
      let latest = kind == .sqlite ? 3 : 2
      #expect(try migrate(url).hasPrefix("0 format \(latest) of \(latest)\n"))
      #expect(try migrate(url, "down", "--to", "1").hasPrefix("0 format 1 of \(latest)\n"))
      #expect(try migrate(url).contains("pending: 2: "))
      #expect(try migrate(url, "down", "--to", "0").hasPrefix("1 tidemarkd: The store cannot be opened: format 0 cannot hold"))
      #expect(try migrate(url, "up").hasPrefix("0 format \(latest) of \(latest)\n"))
      _ = try migrate(url, "down", "--to", "1")
      // A start brings it forward, too.
      let daemon = try DaemonProcess(store: url)
      let client = try FramedConnection(port: daemon.port)
      #expect(try ["a", "b"].map { try client.entity(maker.key($0), in: .default) } == before)
      #expect(try client.write(maker.update("a", [("n", .int(3))], expected: 2), in: .default).version?.rawValue == 3)
      let verified = try client.verify(.default)
      #expect(verified.faults.isEmpty && verified.changesChecked == 4)
    }

    @Test(arguments: Kind.available) func a7TheSchemaOfASpaceGoesForwardAndBack(_ kind: Kind) throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(store: try kind.url(folder))
      func run(_ arguments: String...) throws -> String {
        try program("tidemark", arguments + ["--url", "tidemark://127.0.0.1:\(daemon.port)/default"])
      }
      func schema(_ name: String, _ fields: String) throws -> String {
        let path = "\(folder.path)/\(name).yaml"
        try Data("types:\n  room:\n    fields:\n\(fields)".utf8).write(to: URL(fileURLWithPath: path))
        return path
      }
      let first = try schema("first", "      name: string!\n")
      let second = try schema("second", "      name: string!\n      floor: int\n")
      #expect(try run("schema", "apply", first, "--yes").hasPrefix("0 "))
      #expect(try run("create", "room", "7", "name=Blue").hasPrefix("0 "))
      #expect(try run("patch", "room", "7", "floor:=2", "--expected", "1").contains("floor"))
      #expect(try run("schema", "apply", second, "--yes").hasPrefix("0 "))
      #expect(try run("patch", "room", "7", "floor:=2", "--expected", "1").hasPrefix("0 "))
      // Back: what the later schema brought is refused, and what was written stays. Forward again: it is there.
      #expect(try run("schema", "rollback", "--to", "1", "--expected", "2").hasPrefix("0 "))
      #expect(!(try run("schema", "show")).contains("floor"))
      #expect(try run("patch", "room", "7", "floor:=3", "--expected", "2").contains("floor"))
      #expect(try run("schema", "rollback", "--to", "2", "--expected", "3").hasPrefix("0 "))
      #expect(try run("patch", "room", "7", "floor:=3", "--expected", "2").hasPrefix("0 "))
      #expect(try run("get", "room", "7", "--json").contains("\"version\": 3"))
      #expect(try run("verify").hasPrefix("0 "))
    }

    private func migrate(_ url: String, _ arguments: String...) throws -> String {
      try program("tidemarkd", ["migrate"] + arguments + ["--store", url])
    }

    /// Runs a program, and returns its exit status and all it wrote.
    private func program(_ name: String, _ arguments: [String]) throws -> String {
      let process = Process()
      process.executableURL = BuiltProducts.url(name)
      process.arguments = arguments
      let output = Pipe()
      process.standardOutput = output
      process.standardError = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return "\(process.terminationStatus) \(text)"
    }
  }
}
