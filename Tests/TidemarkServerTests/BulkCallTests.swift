import NIOCore
import Testing
import TidemarkCore
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// Many writes in one call: outcomes in order, stories of conflicts, entities, and answers that fit.
@Suite struct BulkCallTests {
  @Test func everyItemIsAnsweredInOrderAndABulkOfFailuresIsOK() async throws {
    let world = try BulkWorld()
    let made = try await world.bulk([
      world.create(1, "a", [("n", .int(1))]), world.create(2, "b"), world.create(3, nil),
      world.update(4, "a", [("n", .int(2))], expected: 1), world.delete(5, "b", expected: 9), world.delete(6, "c", expected: 1),
    ])
    #expect(made.outcomes.map(\.code) == [.applied, .applied, .applied, .applied, .conflict, .notFound])
    #expect(made.outcomes.map(\.operation) == (1...6).map { BulkWorld.operation($0) })
    #expect(made.revision == Revision(rawValue: 4))
    #expect(made.outcomes.allSatisfy { $0.entity == nil })
    #expect(made.outcomes[2].id != nil)
    let failed = try await world.bulk([world.delete(7, "c", expected: 1), world.create(8, "a")])
    #expect(failed.outcomes.map(\.code) == [.notFound, .alreadyExists])
    #expect(failed.revision == Revision(rawValue: 4))
    #expect(failed.outcomes[1].conflict?.current?.key.id.text == "a")
    world.service.close()
  }

  @Test func conflictsTellTheirStories() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([
      world.create(1, "a", [("n", .int(1)), ("m", .int(1))]), world.update(2, "a", [("n", .int(2))], expected: 1),
    ])
    let answer = try await world.bulk([
      world.update(3, "a", [("n", .int(3))], expected: 1), world.update(4, "a", [("m", .int(3))], expected: 1),
    ])
    #expect(answer.outcomes.map(\.code) == [.conflict, .conflict])
    let conflict = try #require(answer.outcomes[0].conflict)
    #expect(conflict.base?.version == .first)
    #expect(conflict.current?.version.rawValue == 2)
    #expect(conflict.changes.map(\.name.text) == ["n"])
    #expect(conflict.overlapping.map(\.text) == ["n"])
    #expect(answer.outcomes[1].conflict?.overlapping == [])
    #expect(!conflict.isTruncated)
    world.service.close()
  }

  @Test func aConflictTellsWhatItWasReallyMadeAgainst() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([world.create(1, "a", [("n", .int(1))])])
    // Of what only would be there, nothing is stored to tell.
    let items = try [
      world.update(2, "a", [("n", .int(2))], expected: 1), world.update(3, "a", [("n", .int(3))], expected: 1),
    ]
    let asked = try await world.bulk(items, validatesOnly: true)
    #expect(asked.outcomes.map(\.code) == [.applied, .conflict] && asked.outcomes[1].version?.rawValue == 2)
    #expect(asked.outcomes[1].conflict?.current == nil && asked.outcomes[1].conflict?.isTruncated == true)
    // An item that follows another was made against what that one left.
    var following = try world.update(6, "a", [("n", .int(9))], expected: 1)
    following.afterItem = 0
    let done = try await world.bulk([
      world.update(4, "a", [("n", .int(2))], expected: 1), world.update(5, "a", [("n", .int(3))], expected: 2), following,
    ])
    #expect(done.outcomes.map(\.code) == [.applied, .applied, .conflict])
    #expect(done.outcomes[2].conflict?.expected?.version.rawValue == 2)
    #expect(done.outcomes[2].conflict?.current?.version.rawValue == 3)
    world.service.close()
  }

  @Test func aRetryIsAnsweredFromReceiptsAndAppliesNothingTwice() async throws {
    let world = try BulkWorld()
    let items = try [world.create(1, "a", [("n", .int(1))]), world.delete(2, "x", expected: 1)]
    let first = try await world.bulk(items)
    let again = try await world.bulk(items)
    #expect(again.outcomes.map(\.code) == first.outcomes.map(\.code))
    #expect(again.outcomes.map(\.isReplay) == [true, true])
    #expect(again.revision == first.revision)
    // Half of it was done before, the rest is new.
    let more = try await world.bulk(items + [world.create(3, "b")])
    #expect(more.outcomes.map(\.isReplay) == [true, true, false])
    #expect(more.revision.rawValue == 2)
    world.service.close()
  }

  @Test func entitiesAreReturnedWhenAskedForAndAlwaysByGetOrCreate() async throws {
    let world = try BulkWorld()
    let answer = try await world.bulk([
      world.create(1, "a", [("n", .int(1))]), world.item(2, "a", .getOrCreate(Fields())),
      world.item(3, "b", .getOrCreate(Fields())),
    ])
    #expect(answer.outcomes.map { $0.entity?.key.id.text } == [nil, "a", "b"])
    let asked = try await world.bulk(
      [world.update(4, "a", [("n", .int(5))], expected: 1), world.update(5, "a", [("n", .int(6))], expected: 2)],
      returnsEntities: true)
    // Each as its own write left it.
    #expect(asked.outcomes.map { $0.entity?.version.rawValue } == [2, 3])
    world.service.close()
  }

  @Test func aBulkIsNotJudgedAfterItsDeadlineNorInAnUnknownSpace() async throws {
    let world = try BulkWorld()
    let request = BulkWriteRequest(space: .default, items: [try world.create(1, "a")])
    let late = try await world.reply(.bulkWrite, request, deadline: .uptimeNanoseconds(1_000))
    #expect(late.status?.code == .deadlineExceeded)
    #expect(try await world.entity("a") == nil)
    let undo = UndoWritesRequest(
      space: .default, items: [.init(operation: BulkWorld.operation(1), undoOperation: BulkWorld.operation(2))])
    #expect(try await world.reply(.undoWrites, undo, deadline: .uptimeNanoseconds(1_000)).status?.code == .deadlineExceeded)
    let missing = try #require(SpaceName("missing"))
    var elsewhere = request
    elsewhere.space = missing
    #expect(try await world.reply(.bulkWrite, elsewhere).status?.code == .notFound)
    #expect(
      try await world.reply(.getOutcomes, GetOutcomesRequest(space: missing, operations: [BulkWorld.operation(1)])).status?
        .code == .notFound)
    var undoElsewhere = undo
    undoElsewhere.space = missing
    #expect(try await world.reply(.undoWrites, undoElsewhere).status?.code == .notFound)
    world.service.close()
  }

  @Test func anAnswerThatWouldBeTooLargeLosesBasesFirst() async throws {
    let world = try BulkWorld()
    let text = String(repeating: "x", count: 40_000)
    let ids = (0..<60).map { "e\($0)" }
    for (number, id) in ids.enumerated() {
      _ = try await world.bulk([
        world.create(UInt64(number * 10 + 1), id, [("n", .string(text))]),
        world.update(UInt64(number * 10 + 2), id, [("m", .int(1))], expected: 1),
      ])
    }
    // 60 conflicts with current and base of 40 kB each: 4.8 MB. Without the bases 2.4 MB.
    let answer = try await world.bulk(
      ids.enumerated().map { try world.update(UInt64($0 + 10_000), $1, [("k", .int(1))], expected: 1) })
    #expect(answer.outcomes.allSatisfy { $0.code == .conflict && $0.conflict?.isTruncated == true })
    #expect(answer.outcomes.allSatisfy { $0.conflict?.base == nil && $0.conflict?.current != nil })
    #expect(answer.outcomes.allSatisfy { $0.conflict?.changes.map(\.name.text) == ["m"] })
    // Entities of writes that succeeded: 60 of 40 kB twice over.
    let twice = try await world.bulk(
      (ids + ids).enumerated().map { index, id in
        try world.update(UInt64(index + 20_000), id, [("k", .int(Int64(index)))], expected: index < 60 ? 2 : 3)
      }, returnsEntities: true)
    #expect(twice.outcomes.allSatisfy { $0.code == .applied })
    #expect(twice.outcomes.contains { $0.entity == nil })
    world.service.close()
  }
}

/// The order in which an answer that is too large loses its parts.
@Suite struct BulkAnswerTests {
  private func outcome(_ code: OutcomeCode) throws -> Outcome {
    Outcome(
      code: code, type: try #require(TypeName("t")), id: EntityID("i"), operation: BulkWorld.operation(1), version: .first,
      epoch: Epoch(rawValue: Bytes16(high: 1, low: 1)), message: "m")
  }
  private func entity(_ bytes: Int) throws -> Entity {
    let field = Field(try #require(FieldPath("f")), .string(String(repeating: "x", count: bytes)))
    let mark = Mark(at: Timestamp(rawValue: 1), by: try #require(PrincipalName("p")))
    return Entity(
      key: EntityKey(type: try #require(TypeName("t")), id: try #require(EntityID("i"))), version: .first,
      revision: Revision(rawValue: 1), life: .alive, created: mark, updated: mark,
      fields: CanonicalFields(try Fields([field])))
  }

  @Test func partsAreLeftOutInOrder() throws {
    var conflict = try outcome(.conflict)
    conflict.conflict = Conflict(expected: nil, current: try entity(1_000), base: try entity(1_000))
    conflict.conflict?.changes = [
      FieldChange(
        name: try #require(FieldPath("f")), before: .string(String(repeating: "b", count: 1_000)), after: nil, version: .first,
        changed: Mark(at: Timestamp(rawValue: 1), by: try #require(PrincipalName("p"))))
    ]
    var applied = try outcome(.applied)
    applied.entity = try entity(1_000)
    let cuts: [(Int, BulkAnswer.Cut)] = [
      (10_000, .nothing), (4_400, .bases), (3_300, .currents), (2_000, .changes), (900, .entities), (100, .sentences),
    ]
    for (bytesMax, cut) in cuts {
      let answer = BulkAnswer([conflict, applied], bytesMax: bytesMax)
      #expect(answer.cut == cut, "\(bytesMax)")
      let told = try #require(answer.outcomes[0].conflict)
      #expect((told.base != nil) == (cut < .bases))
      #expect((told.current != nil) == (cut < .currents))
      #expect(told.changes.isEmpty == (cut >= .changes))
      #expect((answer.outcomes[1].entity != nil) == (cut < .entities))
      #expect(told.isTruncated == (cut >= .bases))
      #expect(answer.outcomes.map(\.code) == [.conflict, .applied])
    }
  }

  @Test func whatBecameOfEachItemAlwaysFits() throws {
    var refused = try outcome(.invalid)
    refused.message = String(repeating: "m", count: 2_000)
    refused.violations = (0..<8).map { _ in Violation(field: FieldPath("f"), rule: "enum", message: refused.message) }
    let answer = BulkAnswer([Outcome](repeating: refused, count: Limits.itemsPerRequestMax))
    #expect(answer.cut == .sentences && answer.outcomes.allSatisfy { $0.code == .invalid })
    #expect(answer.outcomes.reduce(0) { $0 + $1.sizeMax } < WireLimits.messageBytesMax)
  }

  @Test func theEstimateIsNeverBelowTheEncoding() throws {
    var conflict = try outcome(.conflict)
    conflict.conflict = Conflict(
      expected: Expected(version: .first, revision: Revision(rawValue: 1 << 39), epoch: conflict.epoch), current: try entity(10),
      base: try entity(0))
    conflict.violations = [Violation(field: FieldPath("f"), rule: "r", message: "m")]
    conflict.related = [EntityKey(type: conflict.type, id: try #require(EntityID("i")))]
    conflict.cause = 999
    let size = try conflict.encode(using: MessageArena()).count
    #expect(size + 8 <= conflict.sizeMax)
  }
}
