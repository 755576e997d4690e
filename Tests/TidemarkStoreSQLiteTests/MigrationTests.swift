import Foundation
import Testing
import TidemarkCore
import TidemarkSQLite
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStoreSQLite

@Suite struct MigrationTests {
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/tidemark.db" }

  /// A format that never was: it shows that steps go both ways.
  private static let later = Migration(
    number: known + 1, summary: "a table for a test",
    forward: { try $0.execute("CREATE TABLE later (a INTEGER) STRICT; INSERT INTO later SELECT count(*) FROM log") },
    back: { try $0.execute("DROP TABLE later") })
  private static let all = Migration.all + [later]
  private static let known = Migration.all.count

  init() throws { folder = try TemporaryFolder() }

  @Test func storeGoesForwardAndBackWithItsContent() throws {
    let script = try makeStore()
    let known = MigrationTests.known
    let migrator = SQLiteMigrator(folder: folder.path, migrations: MigrationTests.all)
    #expect(try migrator.status() == .init(current: known, latest: known + 1, pending: ["\(known + 1): a table for a test"]))
    #expect(try migrator.up() == .init(current: known + 1, latest: known + 1, pending: []))
    #expect(try migrator.up().current == known + 1)
    #expect(try count("later") == 1)
    #expect(try migrator.down(to: known).current == known)
    #expect(throws: SQLiteError.self) { try count("later") }
    let reader = try SQLiteStore.open(folder: folder.path).openReader()
    let rows = try reader.read { try $0.logRows(after: .zero, in: script.record.id, limit: 9) }
    #expect(rows == script.log.map { .intact($0) })
  }

  @Test func openingMigratesUnlessToldNotTo() throws {
    _ = try makeStore()
    var options = SQLiteStoreOptions()
    options.migratesOnOpen = false
    let error = #expect(throws: StoreError.self) {
      try SQLiteStore(folder: folder.path, options: options, migrations: MigrationTests.all)
    }
    #expect(error?.code == .unknownFormat)
    _ = try SQLiteStore(folder: folder.path, options: SQLiteStoreOptions(), migrations: MigrationTests.all)
    #expect(try count("later") == 1)
  }

  @Test func storeOfALaterFormatIsRefusedUntouched() throws {
    _ = try makeStore()
    _ = try SQLiteMigrator(folder: folder.path, migrations: MigrationTests.all).up()
    // Nothing may lie in the write-ahead log, so that the file holds everything that is compared.
    try Connection(path: path, mode: .readWrite).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    for attempt in [
      { _ = try SQLiteStore.open(folder: folder.path) }, { _ = try SQLiteMigrator(folder: folder.path).up() },
      { _ = try SQLiteMigrator(folder: folder.path).down(to: 0) }, { _ = try SQLiteMigrator(folder: folder.path).status() },
    ] as [() throws -> Void] {
      let error = #expect(throws: StoreError.self) { try attempt() }
      #expect(error?.code == .unknownFormat)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test func databaseOfAnotherProgramIsRefused() throws {
    try Connection(path: path, mode: .readWriteCreate).execute("CREATE TABLE theirs (a)")
    let error = #expect(throws: StoreError.self) { try SQLiteStore.open(folder: folder.path) }
    #expect(error?.code == .unknownFormat)
  }

  @Test func emptyStoreGoesBackToNothingAndAFullOneIsRefused() throws {
    _ = try SQLiteStore.open(folder: folder.path)
    let migrator = SQLiteMigrator(folder: folder.path)
    #expect(try migrator.down(to: 0).current == 0)
    #expect(try migrator.status().pending.count == Migration.all.count)
    _ = try makeStore()
    let error = #expect(throws: StoreError.self) { try migrator.down(to: 0) }
    #expect(error?.code == .unknownFormat)
    // The steps down to 1 were done, and lose nothing.
    #expect(try migrator.status().current == 1)
    #expect(throws: StoreError.self) { try migrator.down(to: 2) }
    #expect(throws: StoreError.self) { try migrator.down(to: -1) }
  }

  @Test func stepThatFailsLeavesTheFormatBefore() throws {
    _ = try makeStore()
    let broken = Migration(
      number: Migration.all.count + 1, summary: "breaks half way",
      forward: { try $0.execute("CREATE TABLE later (a); INSERT INTO nowhere VALUES (1)") }, back: { _ in })
    let migrator = SQLiteMigrator(folder: folder.path, migrations: Migration.all + [broken])
    #expect(throws: StoreError.self) { try migrator.up() }
    #expect(try migrator.status().current == Migration.all.count)
    #expect(throws: SQLiteError.self) { try count("later") }
  }

  @Test func statusOfNoStoreMakesNothing() throws {
    let nowhere = "\(folder.path)/nowhere"
    #expect(try SQLiteMigrator(folder: nowhere).status().current == 0)
    #expect(!FileManager.default.fileExists(atPath: nowhere))
  }

  @Test func versionsWithTheWALResetBugAreKnown() {
    for version in [3_040_001, 3_051_002, 3_050_006, 3_044_005, 3_045_000, 3_007_000] {
      #expect(SQLiteStore.hasWALResetBug(version), "\(version)")
    }
    for version in [3_051_003, 3_052_000, 3_050_007, 3_044_006, 3_006_023] {
      #expect(!SQLiteStore.hasWALResetBug(version), "\(version)")
    }
    #expect(SQLiteStore.sqliteVersion.hasPrefix("3."))
  }

  private func makeStore() throws -> SpaceScript {
    let writer = try SQLiteStore.open(folder: folder.path).openWriter()
    return try writer.write { transaction in
      var script = SpaceScript(try transaction.makeSampleSpace("s", seed: 1))
      let entry = script.make(.create, try .sample("note", "a"))
      try transaction.extend(script, [entry])
      return script
    }
  }

  private func count(_ table: String) throws -> Int64? {
    try Connection(path: path, mode: .readOnly).integer("SELECT count(*) FROM \(table)")
  }
}
