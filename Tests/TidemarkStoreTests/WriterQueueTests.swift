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

  /// Tiny requests about large entities: what they load or make is more than one transaction may hold.
  @Test func commitHoldsNoMoreThanItMay() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    let data = Value.bytes([UInt8](repeating: 7, count: 1_000_000))
    let (name, other) = (try #require(FieldPath("data")), try #require(FieldPath("n")))
    for number in 0..<40 {
      let made = try item("e\(number)", operation: UInt64(number), .create(try Fields([Field(name, data)])))
      #expect(try outcome(harness.submit([made])).code == .applied)
    }
    let before = harness.writer.statistics.commits
    let gate = Waiting<Bool>()
    let sink = CollectingSink()
    hold(harness.writer, gate)
    for number: UInt64 in 0..<80 {
      // Each entity twice: a patch, and a stale delete.
      let patch = try Patch([.init(other, .set(.int(1)))])
      let action = number < 40 ? WriteAction.update(patch, Expected(version: .first)) : .delete(Expected(version: .first))
      let submission = WriteSubmission(
        space: .default, principal: harness.principal, items: [try item("e\(number % 40)", operation: 100 + number, action)],
        deadlineNanoseconds: nil, entityBytesMax: 1_000, sink: sink, ticket: number)
      #expect(harness.writer.submit(submission))
    }
    gate.put(true)
    for number in 0..<80 {
      let outcome = try outcome(sink.take())
      #expect(outcome.code == (number < 40 ? .applied : .conflict), "\(number)")
      #expect(outcome.entity == nil && outcome.version?.rawValue == 2)
    }
    #expect((4...20).contains(harness.writer.statistics.commits - before))
    #expect(try harness.faults().isEmpty)
  }

  @Test func aBulkIsNotHeldAgainstThoseAfterIt() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    let name = try #require(FieldPath("data"))
    let fields = try Fields([Field(name, .bytes([UInt8](repeating: 7, count: 1_000_000)))])
    for number: UInt64 in 0..<70 {
      #expect(try outcome(harness.submit([try item("e\(number)", operation: number, .create(fields))])).code == .applied)
    }
    let gate = Waiting<Bool>()
    let sink = CollectingSink()
    hold(harness.writer, gate)
    let stale = WriteAction.delete(Expected(version: EntityVersion(rawValue: 9)))
    let bulks = [
      try (0..<70).map { try item("e\($0)", operation: 100 + $0, stale) },
      [try item("a", operation: 200), try item("b", operation: 201)],
    ]
    for (ticket, items) in bulks.enumerated() {
      let submission = WriteSubmission(
        space: .default, principal: harness.principal, items: items, deadlineNanoseconds: nil, entityBytesMax: 0, sink: sink,
        ticket: UInt64(ticket))
      #expect(harness.writer.submit(submission))
    }
    gate.put(true)
    guard case .outcomes(let large) = sink.take(), case .outcomes(let small) = sink.take() else {
      throw StoreError(.failed, "no outcomes")
    }
    #expect(large.first?.code == .conflict && large.last?.code == .aborted)
    #expect(small.map(\.code) == [.applied, .applied])
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
