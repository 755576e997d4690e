import Foundation
import Testing
import TidemarkCore
import TidemarkSQLite
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStoreSQLite

@Suite struct FaultTests {
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/tidemark.db" }

  init() throws { folder = try TemporaryFolder() }

  // MARK: Ownership

  @Test func secondHandleIsRefusedAndNamesFolderAndProcess() throws {
    let store = try SQLiteStore.open(folder: folder.path)
    let error = #expect(throws: StoreError.self) { try SQLiteStore.open(folder: folder.path) }
    #expect(error?.code == .locked)
    #expect(error?.message.contains(folder.path) == true)
    #expect(error?.message.contains(String(ProcessInfo.processInfo.processIdentifier)) == true)
    withExtendedLifetime(store) {}
  }

  @Test func folderOfAnotherProcessIsRefused() throws {
    _ = try SQLiteStore.open(folder: folder.path)
    let holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    holder.arguments = ["flock", "\(folder.path)/tidemark.lock", "sh", "-c", "echo locked; read line"]
    let output = Pipe()
    let input = Pipe()
    holder.standardOutput = output
    holder.standardInput = input
    try holder.run()
    defer {
      try? input.fileHandleForWriting.close()
      holder.waitUntilExit()
    }
    #expect(String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) == "locked\n")
    let error = #expect(throws: StoreError.self) { try SQLiteStore.open(folder: folder.path) }
    #expect(error?.code == .locked)
  }

  @Test func readerAloneKeepsTheFolderOwned() throws {
    var reader: (any StoreReader)? = try SQLiteStore.open(folder: folder.path).openReader()
    #expect(throws: StoreError.self) { try SQLiteStore.open(folder: folder.path) }
    #expect(try reader?.read { try $0.spaces() }.isEmpty == true)
    reader = nil
    _ = try SQLiteStore.open(folder: folder.path)
  }

  @Test func folderIsMadeForItsOwnerOnly() throws {
    let nested = "\(folder.path)/a/b"
    _ = try SQLiteStore.open(folder: nested)
    for made in [nested, "\(folder.path)/a"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: made)
      #expect(attributes[.posixPermissions] as? Int == 0o700)
    }
  }

  @Test func folderThatCannotBeMadeFails() throws {
    try Data().write(to: URL(fileURLWithPath: "\(folder.path)/file"))
    let error = #expect(throws: StoreError.self) { try SQLiteStore.open(folder: "\(folder.path)/file/data") }
    #expect(error?.code == .failed)
  }

  // MARK: Damage

  @Test func fileThatIsNoDatabaseIsCorrupt() throws {
    try Data("this is not a database, and it is long enough to have a header".utf8).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: StoreError.self) { try SQLiteStore.open(folder: folder.path) }
    #expect(error?.code == .corrupt)
  }

  @Test func changedFieldsStayReadableWithADigestThatDoesNotFit() throws {
    let id = try fill()
    try change("UPDATE log SET fields = CAST(x'00' || substr(fields, 2) AS BLOB) WHERE place & 0xFF = 3")
    try SQLiteStore.open(folder: folder.path).openReader().read { snapshot in
      let rows = try snapshot.logRows(after: .zero, in: id, limit: 100)
      for row in rows {
        guard case .intact(let entry) = row else {
          Issue.record("revision \(row.revision) is damaged")
          continue
        }
        let digest = Chain.contentDigest(salt: entry.salt, fields: entry.change.entity.fields)
        #expect((digest == entry.contentDigest) == (row.revision.rawValue != 3))
      }
    }
  }

  @Test(arguments: [
    "UPDATE log SET id = x'FF' WHERE place & 0xFF = 3", "UPDATE log SET id = x'' WHERE place & 0xFF = 3",
    "UPDATE log SET type = 99 WHERE place & 0xFF = 3", "UPDATE log SET updated_by = -1 WHERE place & 0xFF = 3",
    "UPDATE log SET salt = x'00' WHERE place & 0xFF = 3", "UPDATE log SET chain_hash = x'' WHERE place & 0xFF = 3",
    "UPDATE log SET kind = 0 WHERE place & 0xFF = 3", "UPDATE log SET kind = 0xC1 WHERE place & 0xFF = 3",
    "UPDATE log SET kind = 0x101 WHERE place & 0xFF = 3", "UPDATE log SET operation = zeroblob(17) WHERE place & 0xFF = 3",
  ])
  func columnThatDoesNotDecodeIsADamagedRow(_ sql: String) throws {
    let id = try fill()
    try change(sql)
    try SQLiteStore.open(folder: folder.path).openReader().read { snapshot in
      let rows = try snapshot.logRows(after: .zero, in: id, limit: 100)
      #expect(rows.count == 50)
      for row in rows {
        let isDamaged = if case .damaged = row { true } else { false }
        #expect(isDamaged == (row.revision.rawValue == 3))
      }
    }
  }

  @Test(arguments: [
    "UPDATE head SET revision = 4 WHERE revision = 3", "UPDATE head SET revision = 999 WHERE revision = 3",
    "UPDATE head SET version = 9 WHERE revision = 3", "UPDATE head SET life = 2 WHERE revision = 3",
    "DELETE FROM log WHERE place & 0xFF = 3",
  ])
  func headThatDisagreesWithTheLogIsCorrupt(_ sql: String) throws {
    let id = try fill()
    try change(sql)
    let key = try EntityKey.sample("note", "entity 3")
    let reader = try SQLiteStore.open(folder: folder.path).openReader()
    let error = #expect(throws: StoreError.self) { try reader.read { try $0.entities([key], in: id) } }
    #expect(error?.code == .corrupt)
  }

  @Test(arguments: [
    "content = zeroblob(32)", "code = code + 1", "version = version + 1", "revision = NULL", "at_us = at_us + 1",
    "checksum = checksum + 1", "content = x'00'", "code = 77",
  ])
  func damagedReceiptIsCorrupt(_ assignment: String) throws {
    let id = try fill()
    let receipt = Receipt(
      operation: OperationID(rawValue: Bytes16(high: 1, low: 2)), content: Digest32(words: (1, 2, 3, 4)), code: .applied,
      version: .first, revision: Revision(rawValue: 1))
    try SQLiteStore.open(folder: folder.path).openWriter().write {
      try $0.insertReceipts([receipt], of: .sample, in: id, at: Timestamp(rawValue: 7))
    }
    try change("UPDATE receipt SET \(assignment)")
    let reader = try SQLiteStore.open(folder: folder.path).openReader()
    let error = #expect(throws: StoreError.self) { try reader.read { try $0.receipts([receipt.operation], of: .sample, in: id) } }
    #expect(error?.code == .corrupt)
  }

  @Test func anyFlippedByteOfTheFileIsAnErrorOrAnAnswerAndNeverACrash() throws {
    let id = try fill()
    try change("VACUUM")
    let intact = try Data(contentsOf: URL(fileURLWithPath: path))
    var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
    print("flipped bytes with seed \(random.seed)")
    var errors = 0
    for _ in 0..<400 {
      var bytes = intact
      // Half of them in the headers of pages, where they do most.
      let page = Int.random(in: 0..<(bytes.count / 4_096), using: &random) * 4_096
      let offset = page + Int.random(in: 0..<(Bool.random(using: &random) ? 128 : 4_096), using: &random)
      bytes[offset] ^= UInt8.random(in: 1...255, using: &random)
      try bytes.write(to: URL(fileURLWithPath: path))
      do { try readAll(id) } catch let error as StoreError {
        errors += 1
        #expect(error.code == .corrupt || error.code == .unknownFormat || error.code == .failed, "byte \(offset): \(error)")
      }
    }
    #expect(errors > 20)
  }

  // MARK: A full disk

  @Test func fullDiskLosesNothingAndLaterWritesSucceed() throws {
    var options = SQLiteStoreOptions()
    options.pagesMax = 100
    let store = try SQLiteStore(folder: folder.path, options: options, migrations: Migration.all)
    let writer = try store.openSQLiteWriter()
    var script = try writer.write { SpaceScript(try $0.makeSampleSpace("s", seed: 1)) }
    let key = try EntityKey.sample("note", "a")
    let fields = CanonicalFields(unchecked: [UInt8](repeating: 7, count: 10_000))
    var error: StoreError?
    while error == nil, script.log.count < 1_000 {
      var next = script
      let entries = [next.make(next.log.isEmpty ? .create : .update, key, fields: fields)]
      do {
        try writer.write { try $0.extend(next, entries) }
        script = next
      } catch let caught as StoreError { error = caught }
    }
    #expect(error?.code == .full)
    #expect(script.log.count > 10)
    let reader = try store.openReader()
    let rows = try reader.read { try $0.logRows(after: .zero, in: script.record.id, limit: .max) }
    #expect(try reader.read { try $0.spaces() } == [script.record])
    #expect(rows == script.log.map { .intact($0) })
    try writer.setPagesMax(10_000)
    let entries = [script.make(.update, key, fields: fields)]
    try writer.write { try $0.extend(script, entries) }
    #expect(try reader.read { try $0.entities([key], in: script.record.id) } == [script.entities[key]])
  }

  // MARK: Helpers

  /// Fills the store with fifty entities of one version each and closes it.
  private func fill() throws -> SpaceID {
    let writer = try SQLiteStore.open(folder: folder.path).openWriter()
    return try writer.write { transaction in
      var script = SpaceScript(try transaction.makeSampleSpace("s", seed: 1))
      var entries: [LogEntry] = []
      for number in 1...50 {
        entries.append(script.make(.create, try .sample("note", "entity \(number)"), fields: try .sample("text", Int64(number))))
      }
      try transaction.extend(script, entries)
      let id = script.record.id
      try transaction.insertSchema(
        SchemaRecord(version: 1, content: [1, 2, 3], appliedAt: Timestamp(rawValue: 7), appliedBy: .sample), in: id)
      for number in 1...50 as ClosedRange<UInt8> {
        let reference = try HeldReference.sample(("note", "entity \(number)"), "parent", ("note", "entity 3"))
        try transaction.moveKeys(released: [], taken: [(.sample("note", "title", [number]), reference.source.id)], in: id)
        try transaction.moveReferences(released: [], taken: [reference], in: id)
      }
      return id
    }
  }

  private func change(_ sql: String) throws { try Connection(path: path, mode: .readWrite).execute(sql) }

  private func readAll(_ id: SpaceID) throws {
    let store = try SQLiteStore.open(folder: folder.path)
    let key = try EntityKey.sample("note", "entity 3")
    let reader = try store.openReader()
    try reader.read { snapshot in
      _ = try snapshot.spaces()
      _ = try snapshot.tokens()
      _ = try snapshot.logRows(after: .zero, in: id, limit: 100)
      _ = try snapshot.heads(after: nil, in: id, limit: 100)
      _ = try snapshot.entities([key], in: id)
      _ = try snapshot.entities(of: key.type, in: id, after: nil, deleted: .include, limit: 100, bytesMax: 1 << 20)
      _ = try snapshot.receipts([OperationID(rawValue: Bytes16(high: 1, low: 2))], of: .sample, in: id)
      _ = try snapshot.schema(version: 1, in: id)
      _ = try snapshot.holders(of: [try .sample("note", "title", [3])], in: id)
      _ = try snapshot.referrers(of: key, in: id, limit: 100)
    }
  }
}
