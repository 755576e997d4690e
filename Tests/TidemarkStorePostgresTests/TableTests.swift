import Testing
import TidemarkCore
import TidemarkPostgres
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStorePostgres

@Suite(needsPostgres) struct TableTests {
  /// What belongs to no space, and a space itself.
  private static let tablesWithoutSpace: Set<String> = ["store", "space", "token", "token_role", "migration", "secret"]

  /// Each index is one line: its table, and its columns in order.
  private static let indexes = """
    SELECT t.relname || ' ' || string_agg(a.attname, ' ' ORDER BY k.place)
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
    WHERE t.relnamespace = current_schema()::regnamespace GROUP BY t.relname, i.indexrelid
    """

  @Test func everyKeyBeginsWithTheSpace() throws {
    let url = try makeSchema()
    _ = try PostgresStore.open(url: url)
    let tables = Set(
      try PostgresServer.texts(
        url, "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"))
    let indexes = try PostgresServer.texts(url, TableTests.indexes).map { $0.split(separator: " ").map(String.init) }
    #expect(tables.isSuperset(of: TableTests.tablesWithoutSpace))
    for table in tables.subtracting(TableTests.tablesWithoutSpace) {
      let keys = indexes.filter { $0[0] == table }
      #expect(!keys.isEmpty, "\(table) has no key")
      for key in keys { #expect(key[1] == "space", "\(key)") }
    }
  }

  @Test func namesAreOrderedByBytesWhateverTheLocale() throws {
    let url = try makeSchema()
    _ = try PostgresStore.open(url: url)
    let others = try PostgresServer.texts(
      url,
      """
      SELECT a.attname::text FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
      JOIN pg_collation c ON c.oid = a.attcollation
      WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND c.collname <> 'C'
      """)
    #expect(others == [])
  }

  @Test func storesThatAreOpenedAtOnceMakeTheTablesOnce() async throws {
    let url = try makeSchema()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { _ = try PostgresStore.open(url: url) } }
      try await group.waitForAll()
    }
    #expect(try PostgresServer.texts(url, "SELECT key FROM store ORDER BY key") == ["format", "last_space", "lowest_format"])
  }

  @Test func tablesOfALaterFormatAndOfAnotherProgramAreLeftAlone() throws {
    let later = try makeSchema()
    _ = try PostgresStore.open(url: later)
    try PostgresServer.execute(later, "UPDATE store SET value = \(Migration.latest + 1)")
    #expect(code { _ = try PostgresStore.open(url: later) } == .unknownFormat)
    for statement in ["CREATE TABLE log (line text)", "CREATE TABLE store (name text)"] {
      let other = try makeSchema()
      try PostgresServer.execute(other, statement)
      #expect(code { _ = try PostgresStore.open(url: other) } == .unknownFormat, "\(statement)")
    }
  }

  @Test func longValuesOfKeysFitAnIndexAndStayApart() throws {
    var random = SeededGenerator(seed: 1)
    let longest = (0..<4_400).map { _ in UInt8.random(in: 0...255, using: &random) }
    var values = [longest, longest.dropLast() + [longest[4_399] &+ 1], Array(longest.prefix(1_023))]
    values.append(KeyValue.stored(longest))
    values.append(Array(longest.prefix(KeyValue.bytesMax)))
    let keys = try values.map { try HeldKey.sample("note", "title", $0) }
    let holders = try keys.indices.map { try EntityKey.sample("note", "\($0)").id }
    let store = StoreUnderTest.postgres(try makeSchema())
    let id = try store.makeSpace("s").record.id
    try store.write { try $0.moveKeys(released: [], taken: Array(zip(keys, holders)), in: id) }
    #expect(try store.read { try $0.holders(of: keys, in: id) } == holders)
  }

  @Test func aReceiptThatWasChangedIsNoAnswer() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url)
    let id = try store.makeSpace("s").record.id
    let operation = OperationID(rawValue: Bytes16(high: 1, low: 2))
    let receipt = Receipt(operation: operation, content: .zero, code: .applied, version: .first, revision: nil)
    try store.write { try $0.insertReceipts([receipt], of: .sample, in: id, at: Timestamp(rawValue: 5)) }
    for change in ["code = 3", "version = 2", "revision = 1", "at_us = 6", "checksum = 0"] {
      #expect(try store.read { try $0.receipts([operation], of: .sample, in: id) } == [receipt])
      try PostgresServer.execute(url, "CREATE TABLE kept AS TABLE receipt; UPDATE receipt SET \(change)")
      #expect(code { _ = try store.read { try $0.receipts([operation], of: .sample, in: id) } } == .corrupt, "\(change)")
      try PostgresServer.execute(url, "DELETE FROM receipt; INSERT INTO receipt SELECT * FROM kept; DROP TABLE kept")
    }
  }

  @Test func damageLeavesTheSnapshotUsable() throws {
    let store = StoreUnderTest.postgres(try makeSchema())
    var script = try store.makeSpace("s")
    let keys = try ["a", "b"].map { try EntityKey.sample("note", $0) }
    try store.extend(&script) { script in keys.map { script.make(.create, $0) } }
    try store.damage(Revision(rawValue: 1), in: script.record.id)
    try store.read { snapshot in
      #expect(code { _ = try snapshot.entities([keys[0]], in: script.record.id) } == .corrupt)
      let found = try snapshot.entities([keys[1]], in: script.record.id)
      #expect(found == [script.entities[keys[1]]])
    }
  }
}
