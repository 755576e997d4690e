import Synchronization
import Testing
import TidemarkCore
import TidemarkPostgres
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTestTraits
import TidemarkTesting

/// Different spaces commit side by side; each keeps its order.
@Suite(needsPostgres, .ownThreads) struct LaneTests {
  private static let lanes = GroupCommitWriter.Options().writerLanes

  /// A space in each lane.
  private static func makeSpaces(_ store: StoreUnderTest) throws -> [SpaceName] {
    var found: [Int: SpaceName] = [:]
    for number in 0..<1_000 where found.count < lanes {
      let name = try #require(SpaceName("s\(number)"))
      let lane = GroupCommitWriter.lane(of: name, among: lanes)
      if found[lane] == nil { found[lane] = name }
    }
    #expect(found.count == lanes)
    let names = found.values.sorted()
    for name in names { _ = try store.makeSpace(name.text) }
    store.close()
    return names
  }

  private static func makeWriter(_ url: String, _ trouble: @escaping @Sendable (StoreError?) -> Void = { _ in }) throws
    -> GroupCommitWriter
  {
    try GroupCommitWriter(
      store: try PostgresStore.open(url: url), clock: StoreClock(now: { Timestamp(rawValue: 9) }, uptimeNanoseconds: { 1 }),
      random: SeededGenerator(seed: 1), onTrouble: trouble, onFatal: { _ in })
  }

  private static func create(_ number: UInt64, in space: SpaceName, _ sink: Sink) throws -> WriteSubmission {
    let item = WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: number)), type: try #require(TypeName("note")),
      id: EntityID("\(number)"), action: .create(Fields()))
    return WriteSubmission(
      space: space, principal: Principal(name: .sample, roleEverywhere: .admin), items: [item], deadlineNanoseconds: nil,
      sink: sink, ticket: number)
  }

  @Test func aStalledSpaceHoldsUpNoSpaceOfAnotherLane() throws {
    let url = try makeSchema()
    let spaces = try LaneTests.makeSpaces(.postgres(url))
    let writer = try LaneTests.makeWriter(url)
    let foreign = try PostgresConnection(url: url)
    try foreign.execute("BEGIN; SELECT 1 FROM space WHERE name = '\(spaces[0].text)' FOR UPDATE")
    let (stalled, others) = (Sink(), Sink())
    #expect(writer.submit(try LaneTests.create(1, in: spaces[0], stalled)))
    for number in 2...20 as ClosedRange<UInt64> {
      let space = spaces[1 + Int(number) % (spaces.count - 1)]
      #expect(writer.submit(try LaneTests.create(number, in: space, others)))
      #expect(others.take().applied)
    }
    #expect(stalled.count == 0)
    try foreign.execute("ROLLBACK")
    #expect(stalled.take() == (1, true))
    writer.close()
  }

  @Test func eachSpaceKeepsItsOrderAndClosingFinishesAllLanes() throws {
    let url = try makeSchema()
    let spaces = try LaneTests.makeSpaces(.postgres(url))
    let writer = try LaneTests.makeWriter(url)
    let sink = Sink()
    let count: UInt64 = 400
    for number in 1...count {
      #expect(writer.submit(try LaneTests.create(number, in: spaces[Int(number) % spaces.count], sink)))
    }
    let administered = Waiting<Bool>()
    for space in [nil] + spaces.map({ $0 }) as [SpaceName?] {
      let isQueued = writer.administer(only: space, { _, _ in }, completion: { administered.put($0 == nil) })
      #expect(isQueued)
    }
    writer.close()
    for _ in 0...spaces.count { #expect(administered.take()) }
    #expect(sink.count == Int(count))
    #expect(!writer.submit(try LaneTests.create(count + 1, in: spaces[0], sink)))
    let reader = try PostgresStore.open(url: url).openReader()
    for (index, name) in spaces.enumerated() {
      let operations = try reader.read { snapshot in
        let space = try #require(try snapshot.space(named: name))
        return try snapshot.logRows(after: .zero, in: space.id, limit: Int(count)).compactMap { row in
          if case .intact(let entry) = row { entry.change.operation.rawValue.low } else { nil as UInt64? }
        }
      }
      #expect(operations == (1...count).filter { Int($0) % spaces.count == index })
    }
  }

  @Test func aDatabaseThatIsGoneIsToldOnceAndNotOnceALane() throws {
    let server = try #require(PostgresServer.make())
    let url = server.url(schema: "public")
    let spaces = try LaneTests.makeSpaces(.postgres(url))
    let troubles = Mutex<[StoreError.Code?]>([])
    let writer = try LaneTests.makeWriter(url) { error in troubles.withLock { $0.append(error?.code) } }
    let sink = Sink()
    var number: UInt64 = 0
    func submitToAll() throws {
      for space in spaces {
        number += 1
        #expect(writer.submit(try LaneTests.create(number, in: space, sink)))
      }
    }
    try submitToAll()
    for _ in spaces { #expect(sink.take().applied) }
    server.stop()
    try submitToAll()
    for _ in spaces { #expect(!sink.take().applied) }
    #expect(troubles.withLock { $0 } == [.unavailable])
    server.start()
    try submitToAll()
    for _ in spaces { #expect(sink.take().applied) }
    #expect(troubles.withLock { $0 } == [.unavailable, nil])
    writer.close()
  }

  /// Keeps answers until they are asked for.
  private final class Sink: WriteSink {
    private let waiting = Waiting<(ticket: UInt64, applied: Bool)>()
    private let delivered = Mutex(0)

    var count: Int { delivered.withLock { $0 } }

    func deliver(_ answers: [WriteAnswer]) {
      for answer in answers {
        delivered.withLock { $0 += 1 }
        if case .outcomes(let outcomes) = answer.result {
          waiting.put((answer.ticket, outcomes.allSatisfy { $0.code == .applied }))
        } else {
          waiting.put((answer.ticket, false))
        }
      }
    }

    func take() -> (ticket: UInt64, applied: Bool) { waiting.take() }
  }
}
