import Testing
import TidemarkCore
import TidemarkSQLite
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting

/// A space that has used all its revisions.
@Suite struct RevisionLimitTests {
  private func item(_ id: String, operation: UInt64, _ action: WriteAction = .create(Fields())) throws -> WriteItem {
    let id: EntityID = try #require(EntityID(id))
    return WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: operation)), type: try #require(TypeName("booking")), id: id,
      action: action)
  }

  /// The code of the one outcome, with whether it is a replay; a word for what was not judged.
  private func answer(_ result: WriteResult?) -> String {
    switch result {
    case .outcomes(let outcomes)?: outcomes.map { "\($0.code)\($0.isReplay ? " again" : "")" }.joined(separator: ", ")
    case .revisionsUsedUp?: "used up"
    default: "other"
    }
  }

  private func setRevision(_ revision: UInt64, _ harness: WriterHarness) throws {
    try harness.administer { transaction, _ in
      guard var record = try transaction.space(named: .default) else { throw StoreError(.failed, "no space") }
      record.revision = Revision(rawValue: revision)
      try transaction.updateSpace(record)
    }
  }

  @Test func memoryRefusesWritesAfterTheLastRevisionAndLosesNothing() throws { try check(MemoryStore()) }

  @Test func sqliteRefusesWritesAfterTheLastRevisionAndLosesNothing() throws {
    let folder = try TemporaryFolder()
    try check(SQLiteStore.open(folder: folder.path))
  }

  private func check(_ store: any EntityStore) throws {
    let harness = try WriterHarness(store, seed: 1)
    #expect(answer(harness.submit([try item("a", operation: 1)])) == "applied")
    try setRevision(Limits.revisionMax, harness)
    #expect(answer(harness.submit([try item("b", operation: 2)])) == "used up")
    #expect(answer(harness.submit([try item("b", operation: 3), try item("c", operation: 4)])) == "used up")
    // What needs no revision is answered.
    #expect(answer(harness.submit([try item("a", operation: 1)])) == "applied again")
    #expect(answer(harness.submit([try item("a", operation: 5)])) == "alreadyExists")
    try setRevision(1, harness)
    #expect(try harness.faults() == [])
    #expect(answer(harness.submit([try item("b", operation: 2)])) == "applied")
    #expect(answer(harness.submit([try item("a", operation: 1), try item("b", operation: 2)])) == "applied again, applied again")
    #expect(try harness.faults() == [])
    harness.writer.close()
  }

  @Test func requestsOfTheSameCommitAreAnsweredAllTheSame() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    let other = try #require(SpaceName("other"))
    try harness.administer { transaction, _ in
      let epoch = Epoch(rawValue: Bytes16(high: 1, low: 2))
      _ = try transaction.insertSpace(
        named: other, epoch: epoch, createdAt: Timestamp(rawValue: 1), genesis: Chain.genesis(epoch))
    }
    #expect(answer(harness.submit([try item("a", operation: 1)])) == "applied")
    try setRevision(Limits.revisionMax, harness)
    // While the writer is kept busy the requests gather, and are committed together.
    let gate = Waiting<Bool>()
    let isBusy = harness.writer.administer({ _, _ in _ = gate.take() }, completion: { _ in })
    #expect(isBusy)
    let requests = [
      (SpaceName.default, try item("b", operation: 2)), (.default, try item("a", operation: 1)),
      (other, try item("b", operation: 2)),
    ]
    let sinks = requests.map { _ in CollectingSink() }
    let commits = harness.writer.statistics.commits
    for ((space, item), sink) in zip(requests, sinks) {
      let isQueued = harness.writer.submit(
        WriteSubmission(
          space: space, principal: harness.principal, items: [item], deadlineNanoseconds: nil, sink: sink, ticket: 1))
      #expect(isQueued)
    }
    gate.put(true)
    #expect(sinks.map { answer($0.take()) } == ["used up", "applied again", "applied"])
    #expect(harness.writer.statistics.commits == commits + 1)
    harness.writer.close()
  }

  /// The engine keeps the log's places in 40 bits of a number: the last one belongs to this space and to no other.
  @Test func sqliteUsesTheLastRevisionAndNoneAfterIt() throws {
    let folder = try TemporaryFolder()
    let harness = try WriterHarness(SQLiteStore.open(folder: folder.path), seed: 1)
    #expect(answer(harness.submit([try item("a", operation: 1)])) == "applied")
    try harness.administer { transaction, _ in
      let epoch = Epoch(rawValue: Bytes16(high: 1, low: 2))
      guard let name = SpaceName("next") else { throw StoreError(.failed, "no name") }
      _ = try transaction.insertSpace(named: name, epoch: epoch, createdAt: Timestamp(rawValue: 1), genesis: Chain.genesis(epoch))
    }
    let space = try #require(try harness.reader.read { try $0.space(named: .default) })
    let before = Limits.revisionMax - 1
    do {
      let connection = try Connection(path: "\(folder.path)/tidemark.db", mode: .readWrite)
      try connection.execute("UPDATE log SET place = \(UInt64(space.id.rawValue) << 40 | before)")
      try connection.execute("UPDATE head SET revision = \(before)")
      try connection.execute("UPDATE space SET revision = \(before) WHERE id = \(space.id.rawValue)")
    }
    let expected = Expected(version: .first)
    #expect(answer(harness.submit([try item("a", operation: 2, .replace(Fields(), expected))])) == "unchanged")
    #expect(answer(harness.submit([try item("a", operation: 3, .delete(expected))])) == "applied")
    #expect(answer(harness.submit([try item("b", operation: 4)])) == "used up")
    #expect(answer(harness.submit([try item("a", operation: 3, .delete(expected))])) == "applied again")
    try harness.reader.read { snapshot in
      #expect(try snapshot.space(named: .default)?.revision.rawValue == Limits.revisionMax)
      let rows = try snapshot.logRows(after: Revision(rawValue: before - 1), in: space.id, limit: 9)
      #expect(rows.map(\.revision.rawValue) == [before, Limits.revisionMax])
      #expect(try snapshot.spaces().last?.revision == .zero)
    }
    harness.writer.close()
  }
}
