import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// Times, replays and the bounds of the queue.
@Suite struct WriterQueueTests {
  private func item(_ id: String, operation: UInt64, _ action: WriteAction = .create(Fields())) throws -> WriteItem {
    let id: EntityID = try #require(EntityID(id))
    return WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: operation)), type: try #require(TypeName("booking")), id: id,
      action: action)
  }

  private func outcome(_ result: WriteResult?) throws -> Outcome {
    guard case .outcomes(let outcomes)? = result else { throw StoreError(.failed, "no outcomes") }
    return try #require(outcomes.first)
  }

  @Test func timesNeverGoBackWhenTheClockDoes() throws {
    let time = Mutex<Int64>(9_000)
    let harness = try WriterHarness(MemoryStore(), seed: 1, now: { Timestamp(rawValue: time.withLock { $0 }) })
    let first = try outcome(harness.submit([try item("a", operation: 1)]))
    time.withLock { $0 = 5 }
    let second = try outcome(harness.submit([try item("b", operation: 2)]))
    #expect(first.appliedAt == Timestamp(rawValue: 9_000))
    #expect(second.appliedAt == Timestamp(rawValue: 9_000) && second.entity?.created.at == second.appliedAt)
  }

  @Test func replayTellsWhatTheWriteLeftNotWhatCameAfter() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    let name = try #require(FieldPath("n"))
    let made = try item("a", operation: 1, .create(try Fields([Field(name, .int(1))])))
    let first = try outcome(harness.submit([made]))
    let patch = try Patch([.init(name, .set(.int(2)))])
    let stale = try item("a", operation: 3, .update(patch, Expected(version: EntityVersion(rawValue: 7))))
    let refused = try outcome(harness.submit([stale]))
    #expect(
      try outcome(harness.submit([try item("a", operation: 2, .update(patch, Expected(version: .first)))])).code == .applied)
    var expected = first
    expected.isReplay = true
    #expect(try outcome(harness.submit([made])) == expected)
    let again = try outcome(harness.submit([stale]))
    #expect(again.code == .conflict && again.isReplay && again.version == refused.version && again.appliedAt == nil)
  }

  /// Holds the writer's thread until the gate is opened; returns when it is held.
  private func hold(_ writer: GroupCommitWriter, _ gate: Waiting<Bool>) {
    let isHeld = Waiting<Bool>()
    let isQueued = writer.administer { _, _ in
      isHeld.put(true)
      _ = gate.take()
    } completion: { _ in
    }
    if isQueued { _ = isHeld.take() }
  }

  private func queue(_ harness: WriterHarness, _ count: UInt64, _ sink: CollectingSink) throws -> UInt64 {
    var taken: UInt64 = 0
    for number in 0..<count {
      let submission = WriteSubmission(
        space: .default, principal: harness.principal, items: [try item("e\(number)", operation: number)],
        deadlineNanoseconds: nil, sink: sink, ticket: number)
      if harness.writer.submit(submission) { taken += 1 }
    }
    return taken
  }

  @Test func fullQueueIsAnAnswerAndNobodyWaits() throws {
    var options = GroupCommitWriter.Options()
    options.queuedRequestsMax = 3
    let harness = try WriterHarness(MemoryStore(), seed: 1, options: options)
    let gate = Waiting<Bool>()
    let sink = CollectingSink()
    hold(harness.writer, gate)
    #expect(try queue(harness, 5, sink) == 3)
    #expect(harness.writer.queueDepth == 3)
    gate.put(true)
    for _ in 0..<3 { #expect(try outcome(sink.take()).code == .applied) }
    #expect(try harness.reader.read { try $0.space(named: .default)?.revision.rawValue } == 3)
  }

  @Test func commitTakesNoMoreItemsThanItMay() throws {
    var options = GroupCommitWriter.Options()
    options.itemsPerCommitMax = 2
    let harness = try WriterHarness(MemoryStore(), seed: 1, options: options)
    let gate = Waiting<Bool>()
    let sink = CollectingSink()
    hold(harness.writer, gate)
    #expect(try queue(harness, 5, sink) == 5)
    gate.put(true)
    for _ in 0..<5 { #expect(try outcome(sink.take()).code == .applied) }
    #expect(harness.writer.statistics.commits == 3 && harness.writer.statistics.changes == 5)
  }
}
