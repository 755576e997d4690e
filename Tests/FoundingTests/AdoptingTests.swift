import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

@testable import tidemark

extension FoundingTests {
  /// Versions for rows that were there before.
  @Suite struct Adopting {
    @Test(arguments: PlainDatabase.available)
    func c1RowsOfAPlainTableGetVersionsWhileTheirProgramGoesOnAndAreRolledBack(_ kind: PlainDatabase) throws {
      let folder = try TemporaryFolder()
      let place = try kind.make(in: folder.path)
      let store = kind == .sqlite ? "sqlite:\(folder.path)/store" : try #require(PostgresServer.shared).makeSchema()
      let daemon = try DaemonProcess(store: store)
      let client = try FramedConnection(port: daemon.port)
      let count = 3_000
      try place.execute(
        "CREATE TABLE resource_assignment (id integer PRIMARY KEY, hours integer NOT NULL, note text, version integer NOT NULL)")
      let rows = (1...count).map { "(\($0), 8, 'week \($0 % 52)', 17)" }
      try place.execute("INSERT INTO resource_assignment VALUES \(rows.joined(separator: ", "))")

      // The program that owns the table moves hours between rows, and books more; the hours of the first rows are always the same together.
      let isOver = Mutex(false)
      let moved = Mutex(0)
      let ended = Waiting<String?>()
      Thread {
        do {
          while !isOver.withLock({ $0 }) {
            let number = moved.withLock { moved in
              moved += 1
              return moved
            }
            try place.execute(
              """
              BEGIN; UPDATE resource_assignment SET hours = hours - 1 WHERE id = \(number % count + 1);
              UPDATE resource_assignment SET hours = hours + 1 WHERE id = \((number + count / 2) % count + 1);
              INSERT INTO resource_assignment VALUES (\(count + number), 0, 'booked meanwhile', 1); COMMIT
              """)
          }
          ended.put(nil)
        } catch { ended.put("\(error)") }
      }.start()
      func adopt(_ arguments: String...) throws -> (status: Int32, text: String) {
        let url = "tidemark://127.0.0.1:\(daemon.port)/default"
        return try run(["adopt", place.url, "resource_assignment", "--type", "resource_assignment", "--url", url] + arguments)
      }
      let first = try adopt()
      isOver.withLock { $0 = true }
      #expect(ended.take() == nil)
      #expect(first.status == 0, "\(first.text)")
      let adopted = try entities(daemon.port)
      #expect(adopted.count >= count && adopted.allSatisfy { $0.version == "1" })
      // One state of the table: no move was seen by half.
      #expect(adopted.reduce(0) { $0 + $1.hours } == 8 * count)

      // What was written meanwhile is found, and what is missing taken.
      let more = try adopt()
      #expect(more.status == 0 || more.text.contains("changed in source"), "\(more.text)")
      let verified = try client.verify(.default)
      #expect(verified.faults.isEmpty)
      #expect(try entities(daemon.port).count == count + moved.withLock { $0 })
      #expect(try entities(daemon.port).allSatisfy { $0.version == "1" })
      let stale = WriteItem(
        operation: OperationID(rawValue: Bytes16(high: 1, low: 1)), type: try #require(TypeName("resource_assignment")),
        id: EntityID("1"), action: .update(try Patch([.init(try #require(FieldPath("hours")), .set(.int(1)))]), .at(17)))
      #expect(try client.write(stale, in: .default).code == .conflict)

      // Back to where it was; the table is as its program left it.
      let content = "SELECT id || ' ' || hours || ' ' || note || ' ' || version FROM resource_assignment ORDER BY id"
      let before = try place.texts(content)
      let undone = try adopt("--undo", "--yes")
      #expect(undone.status == 0, "\(undone.text)")
      #expect(try entities(daemon.port).isEmpty)
      #expect(try place.texts(content) == before && before.count == count + moved.withLock { $0 })
      #expect(try client.verify(.default).faults.isEmpty)
    }

    /// The version and the hours of every entity.
    private func entities(_ port: Int) throws -> [(version: String, hours: Int)] {
      let url = "tidemark://127.0.0.1:\(port)/default"
      return try run(["export", "--type", "resource_assignment", "--url", url]).text.split(separator: "\n").map { line in
        let entity = try JSONParser.parse(String(line))
        return (entity["version"]?.compact ?? "", Int(entity["fields"]?["hours"]?.compact ?? "") ?? 0)
      }
    }

    private func run(_ arguments: [String]) throws -> (status: Int32, text: String) {
      let process = Process()
      process.executableURL = BuiltProducts.url("tidemark")
      process.arguments = arguments
      let output = Pipe()
      process.standardOutput = output
      process.standardError = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return (process.terminationStatus, text)
    }
  }
}
