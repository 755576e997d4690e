import Testing
import TidemarkSQLite
import TidemarkStoreSQLite
import TidemarkTesting

@Suite struct DurabilityTests {
  /// A killed process loses nothing also without a flush, so no kill shows that one is missing: the setting is looked at.
  @Test func writersConnectionFlushesEveryCommit() throws {
    let folder = try TemporaryFolder()
    let writer = try SQLiteStore.open(folder: folder.path).openWriter()
    let connection = try #require(Mirror(reflecting: writer).descendant("connection") as? Connection)
    #expect(try connection.integer("PRAGMA synchronous") == 2)
    #expect(try connection.text("PRAGMA journal_mode") == "wal")
  }
}
