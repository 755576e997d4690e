import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkPostgres
import TidemarkStore
import TidemarkTestTraits
import TidemarkTesting
import TidemarkWire

@testable import TidemarkStorePostgres

/// The tables of a PostgreSQL store change while daemons run.
@Suite(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)), .ownThreads)
struct PostgresMigrationTests {
  private static let expanding = Migration(
    number: 3, summary: "a table for a test", lowest: 1,
    forward: { try $0.execute("CREATE TABLE later (a int8); ALTER TABLE log ADD COLUMN later int8") },
    back: { try $0.execute("DROP TABLE later; ALTER TABLE log DROP COLUMN later") })
  private static let contracting = Migration(
    number: 4, summary: "shuts out format 2", lowest: 3, forward: { _ in }, back: { _ in })

  private func migrator(_ url: String) -> PostgresMigrator {
    PostgresMigrator(
      url: url, migrations: Migration.all + [PostgresMigrationTests.expanding, PostgresMigrationTests.contracting])
  }

  private static func makeKeptStore() throws -> String {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/stores/postgres-1/store.sql")
    let url = try #require(PostgresServer.shared).makeSchema()
    try PostgresServer.execute(url, try String(contentsOf: file, encoding: .utf8))
    return url
  }

  /// Runs bodies at once, each on a thread of its own, and waits for all.
  private static func atOnce(_ bodies: [@Sendable () throws -> Void]) -> [String] {
    let ended = Waiting<String?>()
    for body in bodies {
      Thread {
        do {
          try body()
          ended.put(nil)
        } catch { ended.put("\(error)") }
      }.start()
    }
    return bodies.compactMap { _ in ended.take() }
  }

  private static func checkKept(_ port: Int) throws {
    let client = try FramedConnection(port: port)
    for name in ["default", "hotel"] {
      let verified = try client.verify(try #require(SpaceName(name)))
      #expect(verified.faults.isEmpty)
      #expect(verified.changesChecked == (name == "hotel" ? 12 : 2))
    }
  }

  @Test func daemonsThatStartAtOnceOnAnEmptyDatabaseAndOnAnOldOneBothServe() throws {
    for url in [try #require(PostgresServer.shared).makeSchema(), try PostgresMigrationTests.makeKeptStore()] {
      let space = SpaceName.default
      let failures = PostgresMigrationTests.atOnce(
        (0..<3).map { number in
          {
            let daemon = try DaemonProcess(store: url)
            let client = try FramedConnection(port: daemon.port)
            var maker = try WriteMaker(seed: UInt64(number))
            guard try client.write(maker.create("started \(number)", [("n", .int(1))]), in: space).code == .applied else {
              throw StoreError(.failed, "daemon \(number) did not write")
            }
            guard try client.verify(space).faults.isEmpty, daemon.terminate() == 0 else {
              throw StoreError(.failed, "daemon \(number) found faults")
            }
          }
        })
      #expect(failures == [])
      #expect(try PostgresServer.texts(url, "SELECT format::text, program FROM migration").count == 1)
      #expect(try PostgresServer.texts(url, "SELECT name FROM space WHERE name = 'default'").count == 1)
    }
  }

  @Test func daemonServesWithoutAFailureWhileTheTablesGrowAndShrinkUnderIt() throws {
    let url = try #require(PostgresServer.shared).makeSchema()
    let daemon = try DaemonProcess(store: url)
    let port = daemon.port
    let isOver = Mutex(false)
    let calls = Mutex(0)
    let started = Waiting<Bool>()
    let clients: [@Sendable () throws -> Void] = (0..<3).map { number in
      {
        defer { isOver.withLock { $0 = true } }
        let client = try FramedConnection(port: port)
        var maker = try WriteMaker(seed: UInt64(number))
        var version: UInt64 = 1
        #expect(try client.write(maker.create("\(number)", [("n", .int(0))]), in: .default).code == .applied)
        started.put(true)
        while !isOver.withLock({ $0 }) {
          let update = try maker.update("\(number)", [("n", .int(Int64(version)))], expected: version)
          let outcome = try client.write(update, in: .default)
          guard outcome.code == .applied else { throw StoreError(.failed, "\(outcome.code)") }
          version += 1
          guard try client.entity(maker.key("\(number)"), in: .default).version.rawValue == version else {
            throw StoreError(.failed, "version \(version) was not read")
          }
          calls.withLock { $0 += 2 }
        }
      }
    }
    let failures = PostgresMigrationTests.atOnce(
      clients + [
        { [self] in
          defer { isOver.withLock { $0 = true } }
          for _ in 0..<3 { _ = started.take() }
          for _ in 0..<5 {
            let before = calls.withLock { $0 }
            _ = try PostgresMigrator(url: url, migrations: Migration.all + [PostgresMigrationTests.expanding]).up()
            _ = try migrator(url).down(to: 2)
            while calls.withLock({ $0 }) < before + 20, !isOver.withLock({ $0 }) {}
          }
        }
      ])
    #expect(failures == [])
    #expect(calls.withLock { $0 } >= 100)
    #expect(try FramedConnection(port: port).verify(.default).faults.isEmpty)
    #expect(daemon.terminate() == 0)
    #expect(!daemon.log.contains("cannot be written"))
  }

  @Test func daemonThatAMigrationShutsOutRefusesTheWriteAndEndsAndDoesNotStartAgain() throws {
    let url = try #require(PostgresServer.shared).makeSchema()
    let daemon = try DaemonProcess(store: url)
    let client = try FramedConnection(port: daemon.port)
    var maker = try WriteMaker(seed: 1)
    #expect(try client.write(maker.create("a", [("n", .int(1))]), in: .default).code == .applied)
    _ = try migrator(url).up()
    let read = try client.call(.get, GetRequest(space: .default, key: maker.key("a")))
    #expect(read.code == .unavailable)
    let update = try maker.update("a", [("n", .int(2))], expected: 1)
    let write = try client.reply(to: client.start(update, in: .default))
    #expect(write.code == .unavailable)
    #expect(write.status?.details.contains { String(decoding: $0.value, as: UTF8.self).contains("NOT_EXECUTED") } == true)
    #expect(daemon.waitForExit() == 1)
    daemon.waitForLog()
    #expect(daemon.log.contains("for programs that know format 3 or a later one"), "\(daemon.log)")
    let failure = #expect(throws: DaemonFailure.self) { try DaemonProcess(store: url) }
    #expect(failure?.description.contains("this program knows formats up to 2") == true)
    #expect(failure?.description.contains("Start the version of tidemarkd that made it") == true)
    _ = try migrator(url).down(to: 2)
    let again = try DaemonProcess(store: url)
    #expect(try FramedConnection(port: again.port).write(update, in: .default).code == .applied)
  }

  @Test func daemonThatIsKilledInTheMiddleOfAStepLeavesNothingHalfDone() throws {
    let url = try PostgresMigrationTests.makeKeptStore()
    let reader = try PostgresConnection(url: url)
    try reader.execute("BEGIN; SELECT * FROM space")
    let process = Process()
    process.executableURL = BuiltProducts.url("tidemarkd")
    process.arguments = ["serve", "--store", url, "--listen", "127.0.0.1:0"]
    process.standardError = FileHandle.nullDevice
    try process.run()
    // It has made the table of the steps, which nobody sees, and waits for the table of spaces.
    let waits = "SELECT 1::text FROM pg_locks WHERE NOT granted AND relation = 'space'::regclass"
    while try PostgresServer.texts(url, waits).isEmpty, process.isRunning {}
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(try PostgresMigrator(url: url).status().current == 1)
    #expect(try PostgresServer.texts(url, "SELECT 'made' WHERE to_regclass('migration') IS NOT NULL") == [])
    try reader.execute("COMMIT")
    let daemon = try DaemonProcess(store: url)
    #expect(try PostgresMigrator(url: url).status().current == 2)
    try PostgresMigrationTests.checkKept(daemon.port)
  }

  @Test func theCommandShowsAndChangesTheFormat() throws {
    let url = try PostgresMigrationTests.makeKeptStore()
    #expect(try run(url, "status") == "0 format 1 of 2\npending: 2: \(Migration.format2.summary)\n")
    let done = "0 format 2 of 2\nmay be served by programs that know format 1\n"
    #expect(try run(url, "up") == done)
    #expect(try run(url, "up") == done)
    #expect(try run(url, "down", "--to", "1").hasPrefix("0 format 1 of 2\n"))
    #expect(try run(url, "down", "--to", "0").contains("format 0 cannot hold entities"))
    #expect(try run(url, "up") == done)
    let empty = try #require(PostgresServer.shared).makeSchema()
    #expect(try run(empty, "status").hasPrefix("1 tidemarkd: There is no store in that database."))
    #expect(try run(empty, "down", "--to", "0").hasPrefix("1 tidemarkd: There is no store in that database."))
    #expect(try run(empty, "up") == done)
    let daemon = try DaemonProcess(store: url)
    try PostgresMigrationTests.checkKept(daemon.port)
  }

  /// Runs `tidemarkd migrate`, and returns its exit status and all it wrote.
  private func run(_ url: String, _ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = BuiltProducts.url("tidemarkd")
    process.arguments = ["migrate"] + arguments + ["--store", url]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return "\(process.terminationStatus) \(text)"
  }
}
