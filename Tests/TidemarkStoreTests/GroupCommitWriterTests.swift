import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// What the writer answers when something is wrong, and that nothing is acknowledged that is not stored.
@Suite struct GroupCommitWriterTests {
  private func create(_ id: String, operation: UInt64) throws -> WriteItem {
    let id: EntityID = try #require(EntityID(id))
    return WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: operation)), type: try #require(TypeName("booking")), id: id,
      action: .create(Fields()))
  }

  private func codes(_ result: WriteResult?) -> [OutcomeCode]? {
    if case .outcomes(let outcomes)? = result { return outcomes.map(\.code) }
    return nil
  }

  @Test func expiredRequestsAreNotJudged() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    guard case .expired? = harness.submit([try create("a", operation: 1)], deadline: 1_000) else {
      Issue.record("a request past its deadline was judged")
      return
    }
    #expect(codes(harness.submit([try create("a", operation: 1)], deadline: 1_001)) == [.applied])
  }

  @Test func unknownSpaceIsNamed() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    let elsewhere = try #require(SpaceName("elsewhere"))
    guard case .unknownSpace? = harness.submit([try create("a", operation: 1)], space: elsewhere) else {
      Issue.record("a write to an unknown space was answered otherwise")
      return
    }
  }

  @Test func fullStoreKeepsNothingAndGoesOn() throws {
    let store = FaultyStore(MemoryStore())
    let harness = try WriterHarness(store, seed: 1)
    store.set(.commit(.full))
    guard case .full? = harness.submit([try create("a", operation: 1)]) else {
      Issue.record("a full store was answered otherwise")
      return
    }
    store.set(nil)
    #expect(codes(harness.submit([try create("a", operation: 1)])) == [.applied])
    #expect(try harness.faults() == [])
  }

  @Test func failedCommitStopsTheWriterAndAcknowledgesNothing() throws {
    let store = FaultyStore(MemoryStore())
    let harness = try WriterHarness(store, seed: 1)
    store.set(.commit(.failed))
    for operation in 1...2 as ClosedRange<UInt64> {
      guard case .unknown? = harness.submit([try create("a", operation: operation)]) else {
        Issue.record("a write after a failed commit was acknowledged")
        return
      }
      store.set(nil)
    }
  }

  @Test(arguments: [StoreError.Code.unavailable, .outcomeUnknown])
  func aDatabaseThatIsGoneForAWhileIsToldOnceAndTheWriterGoesOn(_ code: StoreError.Code) throws {
    let store = FaultyStore(MemoryStore())
    let troubles = Mutex<[StoreError.Code?]>([])
    let harness = try WriterHarness(store, seed: 1, onTrouble: { error in troubles.withLock { $0.append(error?.code) } })
    for round in 0..<2 as Range<UInt64> {
      store.set(.commit(code))
      for _ in 0..<2 {
        switch harness.submit([try create("a\(round)", operation: round)]) {
        case .unavailable: #expect(code == .unavailable)
        case .unknown: #expect(code == .outcomeUnknown)
        default: Issue.record("a write without a commit was answered otherwise")
        }
        #expect(throws: StoreError.self) { try harness.administer { _, _ in } }
      }
      store.set(nil)
      #expect(codes(harness.submit([try create("a\(round)", operation: round)])) == [.applied])
      #expect(troubles.withLock { $0 } == (0...round).flatMap { _ in [code, nil] })
    }
  }

  @Test func damageOfOneEntityFailsOnlyWhoNeedsIt() throws {
    let store = FaultyStore(MemoryStore())
    let harness = try WriterHarness(store, seed: 1)
    store.set(.damaged(id: "bad"))
    let sink = CollectingSink()
    // Both wait while the first request is committed, so they come in one batch, or in two: the answer is the same.
    for (ticket, id) in ["good", "bad", "fine"].enumerated() {
      let isQueued = harness.writer.submit(
        WriteSubmission(
          space: .default, principal: harness.principal, items: [try create(id, operation: UInt64(ticket + 10))],
          deadlineNanoseconds: nil, sink: sink, ticket: UInt64(ticket)))
      #expect(isQueued)
    }
    var applied = 0
    var corrupt = 0
    for _ in 0..<3 {
      switch sink.take() {
      case .outcomes: applied += 1
      case .corrupt: corrupt += 1
      default: Issue.record("neither applied nor corrupt")
      }
    }
    #expect(applied == 2 && corrupt == 1)
  }

  @Test func damageInOneItemUndoesTheWholeRequestAndNoOther() throws {
    let memory = MemoryStore()
    let harness = try WriterHarness(memory, seed: 1)
    #expect(codes(harness.submit([try create("a", operation: 1)])) == [.applied])
    let space = try #require(try harness.reader.read { try $0.space(named: .default) })
    memory.tamper(Revision(rawValue: 1), in: space.id, fields: CanonicalFields(unchecked: [0x7A, 9]))
    var update = try create("a", operation: 2)
    let name = try #require(FieldPath("n"))
    update.action = .update(try Patch([.init(name, .set(.int(1)))]), Expected(version: .first))
    guard case .corrupt? = harness.submit([try create("b", operation: 3), update]) else {
      Issue.record("a request that meets damage was answered otherwise")
      return
    }
    #expect(try harness.reader.read { try $0.space(named: .default)?.revision.rawValue } == 1)
    guard case .outcomes(let outcomes)? = harness.submit([try create("b", operation: 3)]) else {
      Issue.record("no outcomes")
      return
    }
    #expect(outcomes.first?.code == .applied && outcomes.first?.isReplay == false)
  }

  @Test func closedWriterTakesNothingAndFinishesWhatItTook() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    let sink = CollectingSink()
    for number in 0..<100 as Range<UInt64> {
      let isQueued = harness.writer.submit(
        WriteSubmission(
          space: .default, principal: harness.principal, items: [try create("e\(number)", operation: number)],
          deadlineNanoseconds: nil, sink: sink, ticket: number))
      #expect(isQueued)
    }
    harness.writer.close()
    for _ in 0..<100 { #expect(codes(sink.take()) == [.applied]) }
    let isTaken = harness.submit([try create("late", operation: 1_000)]) != nil
    #expect(!isTaken)
  }

  @Test func serverMakesTheIdThatACreateDoesNotName() throws {
    let harness = try WriterHarness(MemoryStore(), seed: 1)
    var item = try create("unused", operation: 5)
    item.id = nil
    guard case .outcomes(let first)? = harness.submit([item]), case .outcomes(let again)? = harness.submit([item]) else {
      Issue.record("no outcomes")
      return
    }
    #expect(first.first?.id?.text.count == 36)
    #expect(again.first?.isReplay == true && again.first?.id == first.first?.id)
  }
}
