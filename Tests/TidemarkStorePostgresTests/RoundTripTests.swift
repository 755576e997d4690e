import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTestTraits
import TidemarkTesting

/// How often a batch waits for the server, all of it while it holds the row of its space.
@Suite(needsPostgres, .ownThreads) struct RoundTripTests {
  /// What will be read is asked for together with the lock; then all changes go together; then the commit.
  private static let perBatch = 3

  @Test func aBulkOfAnySizeWaitsThreeTimes() throws {
    let bench = try Bench()
    let people = try (0..<10).map { try bench.item("person", "p\($0)", .create(try Bench.fields(["email": "\($0)@example"]))) }
    #expect(try bench.run([people]).applied == 10)
    for count in [2, 1_000] {
      let names = (0..<count).map { "\(count)-\($0)" }
      let creates = try names.enumerated().map { number, name in
        let fields = try Bench.fields(["title": name, "owner": "p\(number % 10)"])
        return try bench.item("note", name, .create(fields))
      }
      let updates = try names.map { name in
        let entries = try Bench.fields(["title": "new \(name)"]).sorted.map { Patch.Entry($0.name, .set($0.value)) }
        return try bench.item("note", name, .update(try Patch(entries), Expected(version: .first)))
      }
      let deletes = try names.map { try bench.item("note", $0, .delete(Expected(version: EntityVersion(rawValue: 2)))) }
      for (what, items) in [("creates", creates), ("updates", updates), ("deletes", deletes)] {
        let done = try bench.run([items])
        #expect(done.applied == count && done.waits == RoundTripTests.perBatch, "\(what) of \(count): \(done)")
      }
    }
    // Entities that something may point to, and nothing does any more.
    let gone = try bench.run([try (0..<10).map { try bench.item("person", "p\($0)", .delete(Expected(version: .first))) }])
    #expect(gone.applied == 10 && gone.waits == RoundTripTests.perBatch, "\(gone)")
  }

  @Test func singleWritesOfSeveralPrincipalsWaitThreeTimesTogether() throws {
    let bench = try Bench()
    #expect(try bench.run([[try bench.item("person", "first", .create(Fields()))]]).applied == 1)
    let items = try (0..<200).map { [try bench.item("person", "\($0)", .create(Bench.fields(["email": "\($0)@example"])))] }
    let done = try bench.run(items)
    #expect(done.applied == 200 && done.waits == RoundTripTests.perBatch, "\(done)")
  }
}

/// A writer of a typed space, on this thread, whose connection goes through a proxy that counts.
private final class Bench {
  private let proxy: CutProxy
  private let runner: BatchRunner
  private let sink = Sink()
  private var made: UInt64 = 0

  init() throws {
    let server = try #require(PostgresServer.shared)
    proxy = try CutProxy(to: server.folder)
    let name = try #require(try server.makeSchema().split(separator: "%3D").last)
    let store = try PostgresStore.open(url: server.url(schema: String(name), folder: proxy.folder.path))
    let schema = try Bench.makeSchema()
    runner = try BatchRunner(
      store: store, clock: StoreClock(now: { Timestamp(rawValue: 9) }, uptimeNanoseconds: { 1 }),
      random: SeededGenerator(seed: 1), options: .init(), decodeSchema: { _ in schema }, health: WriterHealth { _ in })
    runner.run([
      .administer(
        { transaction, _ in
          var space = try transaction.makeSampleSpace("s", seed: 1)
          space.schemaVersion = 1
          try transaction.insertSchema(
            SchemaRecord(version: 1, content: [1], appliedAt: Timestamp(rawValue: 1), appliedBy: .sample), in: space.id)
          try transaction.updateSpace(space)
        }, completion: { _ in })
    ])
  }

  deinit { proxy.close() }

  private static func makeSchema() throws -> Schema {
    func path(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }
    let person = try #require(TypeName("person"))
    let note = try #require(TypeName("note"))
    return Schema(types: [
      TypeSchema(
        name: person, fields: [FieldSchema(name: try path("email"), type: .string)],
        uniqueKeys: [UniqueKey(name: try path("email"), fields: [try path("email")])]),
      TypeSchema(
        name: note,
        fields: [
          FieldSchema(name: try path("title"), type: .string),
          FieldSchema(name: try path("owner"), type: .string, reference: Reference(target: person, onDelete: .restrict)),
        ], uniqueKeys: [UniqueKey(name: try path("title"), fields: [try path("title")])]),
    ])
  }

  static func fields(_ values: [String: String]) throws -> Fields {
    try Fields(values.map { Field(try #require(FieldPath($0.key)), .string($0.value)) })
  }

  func item(_ type: String, _ id: String, _ action: WriteAction) throws -> WriteItem {
    made += 1
    return WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 7, low: made)), type: try #require(TypeName(type)),
      id: EntityID(id), action: action)
  }

  /// Runs requests, each of another principal, as one batch.
  func run(_ requests: [[WriteItem]]) throws -> (applied: Int, waits: Int) {
    let before = proxy.roundTrips
    let space = try #require(SpaceName("s"))
    runner.run(
      try requests.enumerated().map { index, items in
        let principal = Principal(name: try #require(PrincipalName("principal \(index)")), roleEverywhere: .admin)
        return .write(
          WriteSubmission(
            space: space, principal: principal, items: items, deadlineNanoseconds: nil, sink: sink, ticket: UInt64(index)))
      })
    return (sink.takeApplied(), proxy.roundTrips - before)
  }

  /// Counts what was applied.
  private final class Sink: WriteSink {
    private let applied = Mutex(0)

    func deliver(_ answers: [WriteAnswer]) {
      for answer in answers {
        guard case .outcomes(let outcomes) = answer.result else { continue }
        applied.withLock { $0 += outcomes.filter { $0.code == .applied }.count }
      }
    }

    func takeApplied() -> Int {
      applied.withLock { applied in
        defer { applied = 0 }
        return applied
      }
    }
  }
}
