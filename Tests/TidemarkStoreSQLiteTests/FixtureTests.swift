import Foundation
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting

/// A store of each released format is kept under `Tests/Fixtures/stores`, with a text of everything in it. It must stay readable
/// for ever.
///
/// A fixture is made once, by the program that introduced the format: run this suite with `TIDEMARK_MAKE_FIXTURE=1` and no file
/// there.
@Suite struct FixtureTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/stores")

  @Test(arguments: [1, 2, 3]) func storeOfEveryReleasedFormatIsReadable(_ format: Int) throws {
    let fixture = FixtureTests.fixtures.appendingPathComponent("format-\(format)")
    if ProcessInfo.processInfo.environment["TIDEMARK_MAKE_FIXTURE"] != nil { try FixtureTests.make(fixture) }
    let folder = try FixtureTests.copy(format)
    let expected = try String(contentsOf: fixture.appendingPathComponent("content.txt"), encoding: .utf8)
    let store = try SQLiteStore.open(folder: folder.path)
    #expect(try FixtureTests.describe(store) == expected)
    try FixtureTests.verify(store)
    // It can be written, too.
    let key = try EntityKey.sample("note", "made by a later program")
    let writer = try store.openWriter()
    try writer.write { transaction in
      for space in try transaction.spaces() {
        var script = SpaceScript(space)
        let entry = script.make(.create, key)
        try transaction.extend(script, [entry])
        #expect(try transaction.entities([key], in: space.id) == [script.entities[key]])
      }
    }
  }

  /// A folder with a copy of the kept store of a format.
  static func copy(_ format: Int) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let file = fixtures.appendingPathComponent("format-\(format)/tidemark.db").path
    try FileManager.default.copyItem(atPath: file, toPath: "\(folder.path)/tidemark.db")
    return folder
  }

  /// The chain is computed today as it was by the program that made the fixture.
  private static func verify(_ store: SQLiteStore) throws {
    let reader = try store.openReader()
    let spaces = try reader.read { try $0.spaces() }
    #expect(!spaces.isEmpty)
    for space in spaces {
      var verifier = ChainVerifier(space: space.name)
      while !verifier.isDone { #expect(try reader.read { try verifier.step($0, limit: 100) }) }
      #expect(verifier.changesChecked == space.revision.rawValue)
      // Its receipts were not made by its changes.
      #expect(verifier.faults.filter { $0.kind != .receipt } == [])
    }
  }

  // MARK: Making

  private static func make(_ fixture: URL) throws {
    let file = fixture.appendingPathComponent("tidemark.db").path
    guard !FileManager.default.fileExists(atPath: file) else { return }
    let folder = try TemporaryFolder()
    try fill(folder.path)
    try FileManager.default.createDirectory(at: fixture, withIntermediateDirectories: true)
    // The writer was the last to close, so everything is in the file and the write-ahead log is gone.
    try FileManager.default.copyItem(atPath: "\(folder.path)/tidemark.db", toPath: file)
    let content = try describe(try SQLiteStore.open(folder: folder.path))
    try content.write(to: fixture.appendingPathComponent("content.txt"), atomically: true, encoding: .utf8)
  }

  private static func fill(_ folder: String) throws {
    let writer = try SQLiteStore.open(folder: folder).openWriter()
    try writer.write { transaction in
      for (number, name) in ["default", "gone", "kept"].enumerated() {
        var script = SpaceScript(try transaction.makeSampleSpace(name, seed: UInt64(number) + 1))
        let keys = try ["a", "é", "e\u{301}", "😀"].map { try EntityKey.sample("note", $0) } + [try .sample("Other", "a")]
        var entries: [LogEntry] = []
        for (index, key) in keys.enumerated() {
          entries.append(script.make(.create, key, fields: try .sample("text \(index)", Int64(index))))
        }
        entries.append(script.make(.update, keys[0], fields: try .sample("changed", -1)))
        entries.append(script.make(.delete, keys[1]))
        entries.append(script.make(.delete, keys[2]))
        entries.append(script.make(.purge, keys[2]))
        entries.append(script.make(.delete, keys[3]))
        entries.append(script.make(.restore, keys[3]))
        for (index, manner) in ChangeManner.allCases.enumerated() {
          let editedAt = index == 0 ? nil : Timestamp(rawValue: Int64(index) * 1_000)
          let fields = try CanonicalFields.sample("\(manner)", Int64(index))
          entries.append(script.make(.update, keys[0], fields: fields, manner: manner, editedAt: editedAt))
        }
        try transaction.extend(script, entries)
        if name != "kept" { try addSchemas(transaction, script.record) }
        var receipts: [Receipt] = []
        for code in OutcomeCode.allCases where code.leavesReceipt {
          receipts.append(
            Receipt(
              operation: operation(code), content: Chain.genesis(script.record.epoch), code: code,
              version: code == .invalid ? nil : .first, revision: code == .invalid ? nil : script.record.revision))
        }
        try transaction.insertReceipts(receipts, of: .sample, in: script.record.id, at: script.record.changedAt)
      }
      if let gone = try transaction.spaces().first(where: { $0.name.text == "gone" }) { try transaction.deleteSpace(gone.id) }
      try transaction.insertSecret([0, 1, 255], named: "sample")
      for (id, role) in [("one", Role.admin), ("two", nil)] {
        try transaction.insertToken(
          TokenRecord(
            id: id, secretHash: Digest32(words: (1, 2, 3, 4)), principal: .sample, roleEverywhere: role,
            roles: role == nil ? [.default: .writer] : [:], createdAt: Timestamp(rawValue: 1_700_000_000_000_000)))
      }
    }
  }

  /// Keys and references that `describe` asks for.
  private static let keys = [[], [1, 2, 3], [255]].flatMap { value in
    [("note", "title"), ("Other", "place")].compactMap { try? HeldKey.sample($0, $1, value) }
  }
  private static let references = [("note", "parent"), ("Other", "parent"), ("note", "a.b")].compactMap {
    try? HeldReference.sample(($0, "😀"), $1, ("note", "é"))
  }

  private static func addSchemas(_ transaction: any StoreTransaction, _ record: SpaceRecord) throws {
    for version in [1, 2] as [UInt64] {
      try transaction.insertSchema(
        SchemaRecord(
          version: version, content: [0, 1, 255, UInt8(version)], appliedAt: Timestamp(rawValue: Int64(version)),
          appliedBy: .sample),
        in: record.id)
    }
    var record = record
    record.schemaVersion = 2
    try transaction.updateSpace(record)
    try transaction.moveKeys(released: [], taken: keys.dropLast().map { ($0, references[0].target.id) }, in: record.id)
    try transaction.moveReferences(released: [], taken: references, in: record.id)
  }

  private static func operation(_ code: OutcomeCode) -> OperationID {
    OperationID(rawValue: Bytes16(high: 1, low: UInt64(code.rawValue)))
  }

  // MARK: Describing

  private static func describe(_ store: SQLiteStore) throws -> String {
    try store.openReader().read { snapshot in
      var lines: [String] = []
      for space in try snapshot.spaces() {
        lines.append(
          "space \(space.id.rawValue) \(space.name) epoch \(hex(space.epoch.rawValue.bytes)) created \(space.createdAt.rawValue)"
            + " revision \(space.revision) changed \(space.changedAt.rawValue) alive \(space.aliveCount)"
            + " chain \(hex(space.chainHash.bytes))" + (space.schemaVersion == 0 ? "" : " schema \(space.schemaVersion)"))
        lines += try describeSchemas(snapshot, space)
        lines += try snapshot.logRows(after: .zero, in: space.id, limit: .max).map { describe($0) }
        for head in try snapshot.heads(after: nil, in: space.id, limit: .max) {
          lines.append("head \(head.key.type)/\(head.key.id) version \(head.version) revision \(head.revision) \(head.life)")
        }
        let codes = OutcomeCode.allCases
        for receipt in try snapshot.receipts(codes.map { operation($0) }, of: .sample, in: space.id) {
          guard let receipt else { continue }
          lines.append(
            "receipt \(receipt.operation) \(receipt.code) version \(receipt.version?.description ?? "-")"
              + " revision \(receipt.revision?.description ?? "-") content \(hex(receipt.content.bytes))")
        }
      }
      if let secret = try snapshot.secret(named: "sample") { lines.append("secret sample \(hex(secret))") }
      for token in try snapshot.tokens() {
        let roles = token.roles.map { "\($0.key):\($0.value)" }.sorted().joined(separator: ",")
        lines.append(
          "token \(token.id) of \(token.principal) everywhere \(token.roleEverywhere.map { "\($0)" } ?? "-") roles \(roles)"
            + " created \(token.createdAt.rawValue) secret \(hex(token.secretHash.bytes))")
      }
      return lines.joined(separator: "\n") + "\n"
    }
  }

  private static func describeSchemas(_ snapshot: any StoreSnapshot, _ space: SpaceRecord) throws -> [String] {
    guard space.schemaVersion > 0 else { return [] }
    var lines: [String] = []
    for version in 1...space.schemaVersion {
      guard let schema = try snapshot.schema(version: version, in: space.id) else { continue }
      lines.append(
        "schema \(version) \(hex(schema.content)) applied \(schema.appliedAt.rawValue) by \(schema.appliedBy)")
    }
    for (key, holder) in try zip(keys, snapshot.holders(of: keys, in: space.id)) {
      lines.append("key \(key.type) \(key.key) [\(hex(key.value))] holder \(holder?.text ?? "-")")
    }
    for reference in try snapshot.referrers(of: references[0].target, in: space.id, limit: .max) {
      lines.append(
        "reference \(reference.source.type)/\(reference.source.id) \(reference.field) to"
          + " \(reference.target.type)/\(reference.target.id)")
    }
    return lines
  }

  private static func describe(_ row: LogRow) -> String {
    guard case .intact(let entry) = row else { return "damaged \(row.revision)" }
    let entity = entry.change.entity
    return "change \(entity.revision) \(entry.change.kind) \(entity.key.type)/\(entity.key.id) version \(entity.version)"
      + " previous \(entry.change.previous) created \(entity.created.at.rawValue) \(entity.created.by)"
      + " updated \(entity.updated.at.rawValue) \(entity.updated.by) operation \(entry.change.operation)"
      + " fields \(hex(entity.fields.bytes)) salt \(hex(entry.salt.bytes)) content \(hex(entry.contentDigest.bytes))"
      + " chain \(hex(entry.chainHash.bytes))" + (entry.change.manner == .plain ? "" : " \(entry.change.manner)")
      + (entry.change.editedAt.map { " edited \($0.rawValue)" } ?? "")
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
}
