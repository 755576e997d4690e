import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting
import TidemarkTestTraits

/// Two processes on one database are two stores that know nothing of each other.
@Suite(needsPostgres, .ownThreads) struct SeveralWritersTests {
  private static func key(_ node: Int, _ number: Int) throws -> EntityKey { try .sample("note", "\(node) \(number)") }

  /// Appends one change, as whoever writes to a space does: the space's row first.
  private static func appendOne(_ transaction: any StoreTransaction, _ space: SpaceName, _ key: EntityKey) throws {
    let record = try #require(try transaction.space(named: space))
    var script = SpaceScript(record)
    let entry = script.make(.create, key)
    try transaction.extend(script, [entry])
  }

  @Test func aReaderOfTheLogMeetsEveryRevisionInOrderWhoeverWrites() throws {
    let url = try makeSchema()
    let space = try StoreUnderTest.postgres(url).makeSpace("s").record
    let perNode = 60
    let workers = (0..<3).map { node in
      Worker {
        let writer = try PostgresStore.open(url: url).openWriter()
        for number in 0..<perNode {
          try writer.write { try SeveralWritersTests.appendOne($0, space.name, SeveralWritersTests.key(node, number)) }
        }
      }
    }
    let reader = try PostgresStore.open(url: url).openReader()
    var seen = Revision.zero
    while seen.rawValue < UInt64(3 * perNode), workers.allSatisfy({ !$0.hasFailed }) {
      let rows = try reader.read { try $0.logRows(after: seen, in: space.id, limit: 1_000) }
      for row in rows {
        #expect(row.revision == seen.next)
        seen = row.revision
      }
    }
    for worker in workers { #expect(worker.end() == nil) }
    var verifier = ChainVerifier(space: space.name)
    while !verifier.isDone { _ = try reader.read { try verifier.step($0, limit: 100) } }
    // These changes were made without a receipt.
    #expect(verifier.faults.allSatisfy { $0.kind == .receipt })
  }

  @Test func aStalledWriterHoldsUpItsSpaceAndNoOther() throws {
    let url = try makeSchema()
    var options = PostgresStoreOptions()
    options.lockTimeoutMS = 100
    let store = StoreUnderTest.postgres(url, options: options)
    let (one, two) = (try store.makeSpace("one").record, try store.makeSpace("two").record)
    let (appended, goOn) = (Waiting<Bool>(), Waiting<Bool>())
    let worker = Worker {
      let writer = try PostgresStore.open(url: url).openWriter()
      try writer.write { transaction in
        try SeveralWritersTests.appendOne(transaction, one.name, SeveralWritersTests.key(0, 0))
        _ = try transaction.logEntry(at: Revision(rawValue: 1), in: one.id)
        appended.put(true)
        _ = goOn.take()
      }
    }
    _ = appended.take()
    #expect(
      code { try store.write { try SeveralWritersTests.appendOne($0, one.name, SeveralWritersTests.key(1, 0)) } } == .unavailable)
    try store.write { try SeveralWritersTests.appendOne($0, two.name, SeveralWritersTests.key(1, 1)) }
    #expect(try store.read { try $0.logRows(after: .zero, in: one.id, limit: 9) } == [])
    #expect(try store.read { try $0.logRows(after: .zero, in: two.id, limit: 9).count } == 1)
    goOn.put(true)
    #expect(worker.end() == nil)
    try store.write { try SeveralWritersTests.appendOne($0, one.name, SeveralWritersTests.key(1, 0)) }
    #expect(try store.read { try $0.logRows(after: .zero, in: one.id, limit: 9).map(\.revision.rawValue) } == [1, 2])
  }

  @Test func whoMakesASpaceThatAnotherMakesAtTheSameMomentFindsIt() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url)
    _ = try store.makeSpace("before")
    let (made, goOn) = (Waiting<Bool>(), Waiting<Bool>())
    let worker = Worker {
      let writer = try PostgresStore.open(url: url).openWriter()
      try writer.write { transaction in
        _ = try transaction.makeSampleSpace("s", seed: 1)
        made.put(true)
        _ = goOn.take()
      }
    }
    _ = made.take()
    var runs = 0
    try store.write { transaction in
      runs += 1
      guard try transaction.space(named: try #require(SpaceName("s"))) == nil else { return }
      goOn.put(true)
      _ = try transaction.makeSampleSpace("s", seed: 2)
    }
    #expect(worker.end() == nil)
    #expect(runs == 2)
    #expect(try store.read { try $0.spaces().map(\.id.rawValue) } == [1, 2])
  }

  @Test func aTransactionThatWasUndoneToEndADeadlockIsRunAgain() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url)
    let names = [try store.makeSpace("one").record.name, try store.makeSpace("two").record.name]
    let (first, second) = (Waiting<Bool>(), Waiting<Bool>())
    let worker = Worker {
      let writer = try PostgresStore.open(url: url).openWriter()
      var isFirstRun = true
      try writer.write { transaction in
        try SeveralWritersTests.appendOne(transaction, names[1], SeveralWritersTests.key(0, 1))
        if isFirstRun {
          first.put(true)
          _ = second.take()
        }
        isFirstRun = false
        try SeveralWritersTests.appendOne(transaction, names[0], SeveralWritersTests.key(0, 0))
      }
    }
    _ = first.take()
    try store.write { transaction in
      try SeveralWritersTests.appendOne(transaction, names[0], SeveralWritersTests.key(1, 0))
      second.put(true)
      try SeveralWritersTests.appendOne(transaction, names[1], SeveralWritersTests.key(1, 1))
    }
    #expect(worker.end() == nil)
    #expect(try store.read { try $0.spaces().map(\.revision.rawValue) } == [2, 2])
  }
}

/// A thread that runs one body.
private final class Worker: Sendable {
  private let failure = Mutex<String?>(nil)
  private let ended = Waiting<Bool>()

  init(_ body: @escaping @Sendable () throws -> Void) {
    Thread { [self] in
      do { try body() } catch { failure.withLock { $0 = "\(error)" } }
      ended.put(true)
    }.start()
  }

  var hasFailed: Bool { failure.withLock { $0 != nil } }

  /// Waits for the body, and returns why it failed; `nil` when it did not.
  func end() -> String? {
    _ = ended.take()
    return failure.withLock { $0 }
  }
}
