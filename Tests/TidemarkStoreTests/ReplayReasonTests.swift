import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// What is told of a write that was refused and is sent again.
@Suite struct ReplayReasonTests {
  private static let type = TypeName("t")

  private func item(_ number: UInt64, _ id: String, _ action: WriteAction) throws -> WriteItem {
    let id: EntityID = try #require(EntityID(id))
    return WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: number)), type: try #require(ReplayReasonTests.type), id: id,
      action: action)
  }

  private func outcomes(_ harness: WriterHarness, _ items: [WriteItem]) throws -> [Outcome] {
    guard case .outcomes(let outcomes)? = harness.submit(items) else { throw StoreError(.failed, "no outcomes") }
    return outcomes
  }

  @Test func aRefusedWriteSentAgainIsToldWhy() throws {
    let (name, peer) = (try #require(FieldPath("name")), try #require(FieldPath("peer")))
    let type = try #require(ReplayReasonTests.type)
    let schema = Schema(types: [
      TypeSchema(
        name: type,
        fields: [
          FieldSchema(name: name, type: .string, lengthMax: 5),
          FieldSchema(name: peer, type: .string, reference: Reference(target: type)),
        ], uniqueKeys: [UniqueKey(name: name, fields: [name])])
    ])
    let harness = try WriterHarness(MemoryStore(), seed: 1, schema: schema)
    func fields(_ name: String, _ peer: String? = nil) throws -> Fields {
      try Fields([Field(self.name(), .string(name))] + (peer.map { [Field(try self.peer(), .string($0))] } ?? []))
    }
    let old = Expected(version: .first)
    _ = try outcomes(harness, [item(1, "a", .create(try fields("A"))), item(2, "b", .create(try fields("B", "a")))])
    _ = try outcomes(harness, [item(3, "a", .update(Patch([.init(name, .set(.string("AA")))]), old))])
    let refused = try [
      item(11, "a", .update(Patch([.init(name, .set(.string("AAA")))]), old)), item(12, "a", .create(try fields("C"))),
      item(13, "nobody", .delete(old)), item(14, "c", .create(try fields("too long"))), item(15, "c", .create(try fields("B"))),
      item(16, "c", .create(try fields("C", "nobody"))), item(17, "a", .delete(Expected(version: EntityVersion(rawValue: 2)))),
    ]
    let first = try outcomes(harness, refused)
    #expect(
      first.map(\.code) == [
        .conflict, .alreadyExists, .notFound, .invalid, .uniqueViolation, .referenceViolation, .referenceViolation,
      ])
    #expect(first.allSatisfy { !$0.message.isEmpty })
    let revision = try harness.reader.read { try $0.space(named: .default)?.revision }
    for attempt in 0..<2 {
      // Together and one by one.
      let again = try attempt == 0 ? outcomes(harness, refused) : refused.flatMap { try outcomes(harness, [$0]) }
      #expect(again.map(\.code) == first.map(\.code))
      #expect(again.allSatisfy { $0.isReplay })
      #expect(again.map(\.message) == first.map(\.message))
      #expect(again.map(\.violations) == first.map(\.violations))
      #expect(again.map(\.related) == first.map(\.related))
      #expect(again.map(\.version) == first.map(\.version))
    }
    // What stood in the way is gone: the kind of the reason is left, and nothing is applied by asking.
    _ = try outcomes(harness, [item(21, "b", .delete(old))])
    let later = try outcomes(harness, [refused[4], refused[6]])
    #expect(later.map(\.code) == [.uniqueViolation, .referenceViolation] && later.allSatisfy { $0.violations.isEmpty })
    #expect(later.map(\.message) == [OutcomeCode.uniqueViolation, .referenceViolation].map(\.refusedBefore))
    #expect(try harness.reader.read { try $0.space(named: .default)?.revision } == revision?.next)
    #expect(try harness.faults() == [] && harness.relationFaults() == [])
    harness.writer.close()
  }

  private func name() throws -> FieldPath { try #require(FieldPath("name")) }
  private func peer() throws -> FieldPath { try #require(FieldPath("peer")) }
}
