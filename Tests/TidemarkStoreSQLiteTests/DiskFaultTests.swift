import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkSQLite
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting

/// What the engine does when the disk is full, and what verification finds when a row is gone.
@Suite(.serialized) struct DiskFaultTests {
  private func code(_ body: () throws -> Void) -> StoreError.Code? {
    do { try body() } catch let error as StoreError { return error.code } catch { return .failed }
    return nil
  }

  @Test func fullDiskRefusesCommitsUntilThereIsRoom() throws {
    #expect(FullDisk.isInstalled)
    let folder = try TemporaryFolder()
    let store = StoreUnderTest.sqlite(in: folder)
    var script = try store.makeSpace("full")
    let key = try EntityKey.sample("booking", "a")
    let kept = script
    let refused = FullDisk.filling("\(folder.path)/tidemark.db-wal") {
      code { try store.extend(&script) { [$0.make(.create, key)] } }
    }
    #expect(refused == .full)
    script = kept
    try store.extend(&script) { [$0.make(.create, key)] }
    #expect(try store.read { try $0.space(named: script.record.name)?.revision } == script.record.revision)
  }

  @Test func checkpointOnAFullDiskIsMadeUpFor() throws {
    #expect(FullDisk.isInstalled)
    let folder = try TemporaryFolder()
    var options = SQLiteStoreOptions()
    options.walPagesMax = 1
    let store = StoreUnderTest(open: { try SQLiteStore.open(folder: folder.path, options: options) }, damage: { _, _ in })
    var script = try store.makeSpace("full")
    let key = try EntityKey.sample("booking", "a")
    let changed = try CanonicalFields.sample("x")
    // The commit goes to the write-ahead log; the checkpoint after it finds no room in the database.
    try FullDisk.filling("\(folder.path)/tidemark.db") {
      try store.extend(&script) { [$0.make(.create, key)] }
      try store.extend(&script) { [$0.make(.update, key, fields: changed)] }
    }
    try store.extend(&script) { [$0.make(.delete, key)] }
    #expect(try store.read { try $0.space(named: script.record.name)?.revision.rawValue } == 3)
  }

  @Test func logStaysBoundedWhileSomebodyAlwaysReads() throws {
    let folder = try TemporaryFolder()
    var options = SQLiteStoreOptions()
    options.walPagesMax = 64
    let store = try SQLiteStore.open(folder: folder.path, options: options)
    let writer = try store.openWriter()
    var script = SpaceScript(try writer.write { try $0.makeSampleSpace("busy", seed: 1) })
    let (space, key) = (script.record.id, try EntityKey.sample("booking", "a"))
    let isDone = Atomic(false)
    let readers = try (0..<2).map { _ in
      // The reader belongs to its thread from here on.
      nonisolated(unsafe) let reader = try store.openReader()
      let ended = Waiting<Bool>()
      Thread {
        while !isDone.load(ordering: .acquiring) {
          try? reader.read { snapshot in for _ in 0..<200 { _ = try snapshot.entities([key], in: space) } }
        }
        ended.put(true)
      }.start()
      return ended
    }
    for _ in 0..<1_500 {
      let entry = script.make(script.log.isEmpty ? .create : .update, key)
      try writer.write { try $0.extend(script, [entry]) }
    }
    isDone.store(true, ordering: .releasing)
    for reader in readers { _ = reader.take() }
    let bytes = try #require(try FileManager.default.attributesOfItem(atPath: "\(folder.path)/tidemark.db-wal")[.size] as? Int)
    #expect(bytes < 4 * 64 * 4_096, "the log has \(bytes) bytes")
  }

  @Test func lostHeadIsFoundByVerification() throws {
    let folder = try TemporaryFolder()
    let store = StoreUnderTest.sqlite(in: folder)
    var script = try store.makeSpace("lost")
    let keys = try ["a", "b", "c"].map { try EntityKey.sample("booking", $0) }
    try store.extend(&script) { script in keys.map { script.make(.create, $0) } }
    store.close()
    try Connection(path: "\(folder.path)/tidemark.db", mode: .readWrite).execute("DELETE FROM head WHERE id = CAST('b' AS BLOB)")
    var verifier = ChainVerifier(space: script.record.name)
    while !verifier.isDone {
      guard try store.read({ try verifier.step($0, limit: 2) }) else { break }
    }
    // The script stores neither receipts nor counters, which verification misses, too.
    let heads = verifier.faults.filter { $0.kind == .head }
    #expect(heads.map(\.revision.rawValue) == [2] && heads.map(\.key) == [keys[1]])
  }
}
