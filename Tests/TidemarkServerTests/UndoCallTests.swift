import Testing
import TidemarkCore
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// What became of earlier writes, and taking them back.
@Suite struct UndoCallTests {
  @Test func outcomesAreKnownFromReceipts() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([world.create(1, "a"), world.create(2, "a"), world.delete(3, "x", expected: 1)])
    let operations = [3, 1, 9, 2].map { BulkWorld.operation($0) }
    let answer: GetOutcomesResponse = try await world.get(
      .getOutcomes, GetOutcomesRequest(space: world.space, operations: operations))
    #expect(answer.results.map(\.operation) == operations)
    #expect(answer.results.map { $0.outcome?.code } == [.notFound, .applied, nil, .alreadyExists])
    #expect(answer.results[1].outcome?.isReplay == true)
    #expect(answer.results[1].outcome?.appliedAt != nil)
    #expect(answer.results.allSatisfy { $0.outcome?.entity == nil && $0.outcome?.conflict == nil })
    #expect(answer.results[0].outcome?.type == .unknown)
    #expect(answer.revision.rawValue == 1)
    world.service.close()
  }

  @Test func everyKindOfWriteIsTakenBack() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([
      world.create(1, "u", [("n", .int(1)), ("m", .int(1))]), world.create(2, "r", [("n", .int(1))]),
      world.create(3, "d", [("n", .int(1))]), world.create(4, "s"), world.delete(5, "s", expected: 1),
    ])
    let writes = try [
      world.create(11, "c"), world.update(12, "u", [("n", .int(2))], expected: 1),
      world.item(13, "r", .replace(Fields(), Expected(version: .first))), world.delete(14, "d", expected: 1),
      world.item(15, "s", .restore(Expected(version: EntityVersion(rawValue: 2)))), world.delete(16, "x", expected: 1),
      world.update(17, "u", [("n", .int(2))], expected: 2),
    ]
    let done = try await world.bulk(writes)
    #expect(done.outcomes.map(\.code) == [.applied, .applied, .applied, .applied, .applied, .notFound, .unchanged])
    let before = try await world.undo(writes + [world.create(99, "never")], 100)
    #expect(
      before.outcomes.map(\.code) == [.applied, .applied, .applied, .applied, .applied, .unchanged, .unchanged, .notFound])
    #expect(before.outcomes.map(\.operation) == (100..<108).map { BulkWorld.operation($0) })
    #expect(try await world.entity("c") == nil)
    #expect(try await world.entity("s") == nil)
    #expect(try await world.entity("u")?.fields == CanonicalFields(world.fieldsOf([("n", .int(1)), ("m", .int(1))])))
    #expect(try await world.entity("r")?.fields == CanonicalFields(world.fieldsOf([("n", .int(1))])))
    #expect(try await world.entity("d") != nil)
    // A retry of the undo is answered from receipts.
    let again = try await world.undo(writes + [world.create(99, "never")], 100)
    #expect(again.outcomes.map(\.code) == before.outcomes.map(\.code))
    #expect(again.outcomes.prefix(5).map(\.isReplay) == [true, true, true, true, true])
    #expect(again.revision == before.revision)
    world.service.close()
  }

  @Test func whatADeleteTookAlongAndClearedComesBackWithIt() async throws {
    let world = try BulkWorld()
    let (owner, peers) = (try #require(FieldPath("owner")), try #require(FieldPath("peers")))
    let schema = Schema(types: [
      TypeSchema(
        name: world.type,
        fields: [
          FieldSchema(name: owner, type: .string, reference: Reference(target: world.type, onDelete: .cascade)),
          FieldSchema(name: peers, type: .stringList, reference: Reference(target: world.type, onDelete: .setNull)),
          FieldSchema(name: try #require(FieldPath("n")), type: .int),
        ])
    ])
    let applied: ApplySchemaResponse = try await world.get(
      .applySchema, ApplySchemaRequest(space: world.space, schema: schema, expectedVersion: 0))
    #expect(applied.isApplied)
    func list(_ ids: String...) -> Value { .list(ids.compactMap { Scalar(.string($0)) }) }
    _ = try await world.bulk([
      world.create(1, "root"), world.create(2, "other"), world.create(3, "child", [("owner", .string("root"))]),
      world.create(4, "grandchild", [("owner", .string("child")), ("n", .int(7))]),
      world.create(5, "friend", [("peers", list("other", "root", "child"))]),
    ])
    let before = try await world.entity("friend")?.fields
    let update = try world.update(6, "grandchild", [("n", .int(8))], expected: 1)
    let delete = try world.delete(7, "root", expected: 1)
    #expect(try await world.bulk([update, delete]).outcomes.map(\.code) == [.applied, .applied])
    for id in ["root", "child", "grandchild"] { #expect(try await world.entity(id) == nil) }
    #expect(try await world.entity("friend")?.fields == CanonicalFields(world.fieldsOf([("peers", list("other"))])))
    // The delete and the update before it, which is of an entity that went with it.
    let undone = try await world.undo([update, delete], 100)
    #expect(undone.outcomes.map(\.code) == [.applied, .applied])
    #expect(undone.outcomes.map { $0.id?.text } == ["grandchild", "root"])
    #expect(undone.outcomes.map(\.operation) == [100, 101].map { BulkWorld.operation($0) })
    for id in ["root", "child", "grandchild"] { #expect(try await world.entity(id)?.life == .alive) }
    #expect(try await world.entity("friend")?.fields == before)
    #expect(
      try await world.entity("grandchild")?.fields
        == CanonicalFields(world.fieldsOf([("n", .int(7)), ("owner", .string("child"))])))
    let again = try await world.undo([update, delete], 100)
    #expect(again.outcomes.map(\.isReplay) == [true, true] && again.revision == undone.revision)
    // What somebody changed since stands in the way of all of it, and is named.
    let second = try world.delete(8, "root", expected: 3)
    #expect(try await world.bulk([second]).outcomes.map(\.code) == [.applied])
    let friend = try #require(try await world.entity("friend"))
    _ = try await world.bulk([world.update(9, "friend", [("n", .int(1))], expected: friend.version.rawValue)])
    let refused = try await world.undo([second], 200)
    #expect(refused.outcomes.map(\.code) == [.conflict] && refused.outcomes[0].id?.text == "friend")
    #expect(refused.outcomes[0].operation == BulkWorld.operation(200))
    for id in ["root", "child"] { #expect(try await world.entity(id) == nil) }
    let merged = try await world.undo([second], 300, onConflict: .merge)
    #expect(merged.outcomes.map(\.code) == [.applied] && merged.outcomes[0].id?.text == "root")
    #expect(try await world.entity("child") != nil)
    world.service.close()
  }

  @Test func writesOfOneEntityAreTakenBackFromTheLatestToTheEarliest() async throws {
    let world = try BulkWorld()
    let writes = try [
      world.create(1, "a", [("n", .int(1))]), world.update(2, "a", [("n", .int(2))], expected: 1),
      world.update(3, "a", [("n", .int(3))], expected: 2),
    ]
    _ = try await world.bulk(writes)
    let undone = try await world.undo(writes, 100)
    #expect(undone.outcomes.map(\.code) == [.applied, .applied, .applied])
    #expect(undone.outcomes.map { $0.version?.rawValue } == [6, 5, 4])
    #expect(try await world.entity("a") == nil)
    world.service.close()
  }

  @Test func whatOthersChangedSinceIsAConflictAndStays() async throws {
    let world = try BulkWorld()
    let write = try world.update(2, "a", [("n", .int(2))], expected: 1)
    _ = try await world.bulk([world.create(1, "a", [("n", .int(1)), ("m", .int(1))]), write])
    _ = try await world.bulk([world.update(3, "a", [("m", .int(9))], expected: 2)])
    let refused = try await world.undo([write], 100)
    #expect(refused.outcomes.map(\.code) == [.conflict])
    #expect(refused.outcomes[0].conflict?.changes.map(\.name.text) == ["m"])
    #expect(try await world.entity("a")?.version.rawValue == 3)
    let merged = try await world.undo([write], 200, onConflict: .merge)
    #expect(merged.outcomes.map(\.code) == [.merged])
    #expect(try await world.entity("a")?.fields == CanonicalFields(world.fieldsOf([("n", .int(1)), ("m", .int(9))])))
    world.service.close()
  }

  @Test func allOrNothingIsTakenBackWhenAskedFor() async throws {
    let world = try BulkWorld()
    let writes = try [world.create(1, "a"), world.create(2, "b")]
    _ = try await world.bulk(writes)
    let undone = try await world.undo(writes + [world.create(9, "never")], 100, mode: .atomic)
    #expect(undone.outcomes.map(\.code) == [.aborted, .aborted, .notFound])
    #expect(undone.outcomes.map(\.cause) == [2, 2, nil])
    _ = try await world.bulk([world.update(3, "b", [("n", .int(1))], expected: 1)])
    let later = try await world.undo(writes, 200, mode: .atomic)
    #expect(later.outcomes.map(\.code) == [.aborted, .conflict])
    #expect(later.outcomes[0].cause == 1)
    #expect(try await world.entity("a") != nil)
    world.service.close()
  }

  @Test func whatWasMergedIsTakenBackLikeAnyOther() async throws {
    let world = try BulkWorld()
    var merging = try world.update(3, "a", [("m", .int(5))], expected: 1)
    merging.onConflict = .merge
    let done = try await world.bulk([
      world.create(1, "a", [("n", .int(1)), ("m", .int(1))]), world.update(2, "a", [("n", .int(2))], expected: 1), merging,
    ])
    #expect(done.outcomes.map(\.code) == [.applied, .applied, .merged])
    #expect(try await world.undo([merging], 100).outcomes.map(\.code) == [.applied])
    #expect(try await world.entity("a")?.fields == CanonicalFields(world.fieldsOf([("n", .int(2)), ("m", .int(1))])))
    world.service.close()
  }

  @Test func tooMuchToBringBackIsRefusedWhole() async throws {
    let world = try BulkWorld()
    let large = Value.string(String(repeating: "x", count: 1_000_000))
    var writes: [WriteItem] = []
    for number in UInt64(0)..<5 {
      _ = try await world.bulk([world.create(10 + number, "e\(number)", [("n", large)])])
      writes.append(try world.update(20 + number, "e\(number)", [("n", .int(1))], expected: 1))
    }
    #expect(try await world.bulk(writes).outcomes.allSatisfy { $0.code == .applied })
    let items = writes.enumerated().map { index, item in
      UndoWritesRequest.UndoItem(operation: item.operation, undoOperation: BulkWorld.operation(100 + UInt64(index)))
    }
    let refused = try await world.reply(.undoWrites, UndoWritesRequest(space: world.space, items: items))
    #expect(refused.status?.code == .failedPrecondition)
    #expect(try await world.entity("e0")?.version.rawValue == 2)
    #expect(try await world.undo(Array(writes.prefix(4)), 200).outcomes.allSatisfy { $0.code == .applied })
    world.service.close()
  }
}
