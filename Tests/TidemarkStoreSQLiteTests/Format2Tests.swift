import Testing
import TidemarkCore
import TidemarkSQLite
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStoreSQLite

/// Going to format 2 and back to format 1.
@Suite struct Format2Tests {
  @Test func storeOfFormat1GoesForwardAndBackToWhatItWas() throws {
    let folder = try FixtureTests.copy(1)
    let before = try dump(folder)
    let migrator = SQLiteMigrator(folder: folder.path)
    #expect(try migrator.status().pending.first == "2: schemas, unique keys, references, and how changes came about")
    #expect(try migrator.up().current == Migration.all.count)
    #expect(try dump(folder) != before)
    // What format 2 keeps for a space only while it has keys leaves names behind, which format 1 does not have.
    try write(folder) { transaction, space in
      let key = try HeldKey.sample("note", "title", [1])
      try transaction.moveKeys(released: [], taken: [(key, try EntityKey.sample("note", "a").id)], in: space.id)
      try transaction.moveKeys(released: [key], taken: [], in: space.id)
    }
    #expect(try migrator.down(to: 1).current == 1)
    #expect(try dump(folder) == before)
    #expect(try migrator.up().current == Migration.all.count)
  }

  /// What format 1 cannot hold, one thing at a time.
  static let tooMuch: [@Sendable (any StoreTransaction, SpaceRecord) throws -> Void] = [
    { transaction, space in
      try transaction.insertSchema(
        SchemaRecord(version: 1, content: [], appliedAt: Timestamp(rawValue: 1), appliedBy: .sample), in: space.id)
    },
    { transaction, space in
      var record = space
      record.schemaVersion = 1
      try transaction.updateSpace(record)
    },
    { transaction, space in
      try transaction.moveKeys(
        released: [], taken: [(.sample("note", "title", [1]), EntityKey.sample("note", "a").id)], in: space.id)
    },
    { transaction, space in
      try transaction.moveReferences(
        released: [], taken: [.sample(("note", "a"), "parent", ("note", "b"))], in: space.id)
    },
    { transaction, space in
      var script = SpaceScript(space)
      let entry = script.make(.create, try .sample("new", "a"), manner: .merged)
      try transaction.extend(script, [entry])
    },
    { transaction, space in
      var script = SpaceScript(space)
      let entry = script.make(.create, try .sample("new", "a"), editedAt: Timestamp(rawValue: 0))
      try transaction.extend(script, [entry])
    },
  ]

  @Test(arguments: tooMuch.indices) func storeThatFormat1CannotHoldStaysInFormat2(_ index: Int) throws {
    let folder = try FixtureTests.copy(1)
    try write(folder, Format2Tests.tooMuch[index])
    let migrator = SQLiteMigrator(folder: folder.path)
    _ = try migrator.down(to: 2)
    let before = try dump(folder)
    let error = #expect(throws: StoreError.self) { try migrator.down(to: 1) }
    #expect(error?.code == .unknownFormat)
    #expect(try migrator.status().current == 2)
    #expect(try dump(folder) == before)
  }

  @Test func keptStoreOfFormat2IsOfThatFormat() throws {
    let folder = try FixtureTests.copy(2)
    #expect(try Connection(path: "\(folder.path)/tidemark.db", mode: .readOnly).integer("PRAGMA user_version") == 2)
    let status = try SQLiteMigrator(folder: folder.path).status()
    #expect(status.current == 2 && status.pending.count == Migration.all.count - 2)
  }

  @Test func damagedSchemaIsCorruptAndFoundByVerification() throws {
    for change in ["content = x'01'", "version = 3", "applied_at_us = 7", "applied_by = 'other'", "checksum = 5"] {
      let folder = try FixtureTests.copy(2)
      try Connection(path: "\(folder.path)/tidemark.db", mode: .readWrite).execute(
        "UPDATE schema SET \(change) WHERE space = 1 AND version = 2")
      let reader = try SQLiteStore.open(folder: folder.path).openReader()
      let record = try #require(try reader.read { try $0.space(named: .default) })
      let asked: UInt64 = change == "version = 3" ? 3 : 2
      let error = #expect(throws: StoreError.self) { try reader.read { try $0.schema(version: asked, in: record.id) } }
      #expect(error?.code == .corrupt, "\(change)")
      var verifier = ChainVerifier(space: record.name)
      while !verifier.isDone { _ = try reader.read { try verifier.step($0, limit: 100) } }
      #expect(verifier.faults.contains { $0.kind == .space }, "\(change)")
    }
  }

  private func write(_ folder: TemporaryFolder, _ body: (any StoreTransaction, SpaceRecord) throws -> Void) throws {
    let writer = try SQLiteStore.open(folder: folder.path).openWriter()
    try writer.write { transaction in
      let space = try #require(try transaction.space(named: .default))
      try body(transaction, space)
    }
  }

  /// The columns, indexes and rows of every table.
  private func dump(_ folder: TemporaryFolder) throws -> [String] {
    let connection = try Connection(path: "\(folder.path)/tidemark.db", mode: .readWrite)
    func rows(_ sql: String) throws -> [String] {
      let statement = try connection.prepare(sql)
      var rows: [String] = []
      while try statement.step() { rows.append(statement.text(at: 0) ?? "?") }
      return rows
    }
    var lines: [String] = []
    for table in try rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
      let columns = try rows("SELECT name FROM pragma_table_xinfo('\(table)') ORDER BY cid")
      lines.append("table \(table)")
      lines += try rows("SELECT name||' '||type||' '||\"notnull\"||' '||pk FROM pragma_table_xinfo('\(table)') ORDER BY cid")
      lines += try rows("SELECT name||' '||\"unique\"||' '||origin FROM pragma_index_list('\(table)') ORDER BY name")
      let quoted = columns.map { "quote(\"\($0)\")" }.joined(separator: "||' '||")
      lines += try rows("SELECT \(quoted) FROM \"\(table)\" ORDER BY 1")
    }
    return lines
  }
}
