import Testing
import TidemarkCore

/// Items of one transaction see what the ones before them changed, and nothing of what was taken back.
@Suite struct TakenBackTests {
  private static func path(_ text: String) throws -> FieldPath { try RandomValues.require(FieldPath(text)) }
  private static func type(_ text: String) throws -> TypeName { try RandomValues.require(TypeName(text)) }

  /// Rooms with a unique name, and bookings that point to them.
  private static func hotel(_ rule: DeleteRule = .restrict) throws -> JudgedSpace {
    let room = TypeSchema(
      name: try type("room"), fields: [FieldSchema(name: try path("name"), type: .string)],
      uniqueKeys: [UniqueKey(name: try path("by_name"), fields: [try path("name")])])
    let booking = TypeSchema(
      name: try type("booking"),
      fields: [
        FieldSchema(name: try path("room"), type: .string, reference: Reference(target: try type("room"), onDelete: rule))
      ])
    return JudgedSpace(Schema(types: [room, booking]))
  }

  @Test func aWriteOfAFailedGroupIsJudgedAnewWhenItComesAgain() throws {
    let space = JudgedSpace()
    var items = [try space.create("t", "a", [("n", .int(1))]), try space.update("t", "x", 1, [("n", .int(2))])]
    let alone = items[0]
    for index in 0..<2 { items[index].group = "g" }
    let outcomes = try space.write(items + [alone])
    #expect(outcomes.map(\.code) == [.aborted, .notFound, .applied] && !outcomes[2].isReplay)
    #expect(try space.value("t", "a", "n") == .int(1))
    #expect(space.receipts.map(\.operation) == [alone.operation])
  }

  @Test func aFailedGroupGivesItsReferencesBack() throws {
    let space = try TakenBackTests.hotel()
    _ = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("room", "b", [("name", .string("B"))]),
      space.create("booking", "x", [("room", .string("a"))]),
    ])
    var items = [
      try space.create("booking", "y", [("room", .string("b"))]), try space.update("booking", "x", 1, [("room", .string("b"))]),
      try space.delete("room", "nobody", 1), try space.delete("room", "a", 1), try space.delete("room", "b", 1),
    ]
    for index in 0..<3 { items[index].group = "g" }
    // Nobody points to b any more, and x points to a again.
    #expect(try space.write(items).map(\.code) == [.aborted, .aborted, .notFound, .referenceViolation, .applied])
  }

  @Test func aReferenceThatWasTakenAwayBeforeForbidsNothing() throws {
    for rule in DeleteRule.allCases {
      let space = try TakenBackTests.hotel(rule)
      _ = try space.write([
        space.create("room", "a", [("name", .string("A"))]), space.create("room", "b", [("name", .string("B"))]),
        space.create("booking", "x", [("room", .string("a"))]),
      ])
      let outcomes = try space.write([
        space.update("booking", "x", 1, [("room", .string("b"))]), space.delete("room", "a", 1),
      ])
      #expect(outcomes.map(\.code) == [.applied, .applied], "\(rule)")
      #expect(try space.value("booking", "x", "room") == .string("b"))
      #expect(try space.entity("booking", "x")?.version.rawValue == 2)
    }
  }

  @Test func aKeyOfBeforeTheBulkChangesHands() throws {
    let space = try TakenBackTests.hotel()
    _ = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("room", "b", [("name", .string("B"))]),
    ])
    let outcomes = try space.write([
      space.update("room", "a", 1, [("name", .string("C"))]), space.update("room", "b", 1, [("name", .string("A"))]),
      space.create("room", "c", [("name", .string("B"))]), space.create("room", "d", [("name", .string("A"))]),
    ])
    #expect(outcomes.map(\.code) == [.applied, .applied, .applied, .uniqueViolation])
    #expect(outcomes[3].related.map(\.id.text) == ["b"])
    #expect(space.keys.values.map(\.text).sorted() == ["a", "b", "c"])
  }

  @Test func aDeleteThatWouldLeaveSomebodyPointingIsRefusedAlsoWhenOthersWentAwayBefore() throws {
    let space = try TakenBackTests.hotel(.setNull)
    space.comparesDerived = false
    _ = try space.write(space.create("room", "a", [("name", .string("A"))]))
    let room = EntityKey(type: try TakenBackTests.type("room"), id: try RandomValues.require(EntityID("a")))
    let booking = try TakenBackTests.type("booking")
    _ = try space.write([
      space.create("booking", "0", [("room", .string("a"))]), space.create("booking", "1", [("room", .string("a"))]),
    ])
    // With the entity itself one more than a delete may change, besides those that go away before.
    for number in 1...Limits.dependantsMax {
      let id = try RandomValues.require(EntityID("b\(number)"))
      space.references.insert(
        HeldReference(source: EntityKey(type: booking, id: id), field: try TakenBackTests.path("room"), target: room))
    }
    let outcomes = try space.write([
      space.update("booking", "0", 1, [("room", .null)]), space.update("booking", "1", 1, [("room", .null)]),
      space.delete("room", "a", 1),
    ])
    #expect(outcomes.map(\.code) == [.applied, .applied, .invalid])
    #expect(outcomes[2].violations.first?.rule == "dependants_max")
  }

  @Test func theFirstThatFailedIsTheCauseOfWhatWasTakenBack() throws {
    let space = JudgedSpace()
    var items = [
      try space.create("t", "a", []), try space.update("t", "x", 1, [("n", .int(1))]),
      try space.update("t", "y", 1, [("n", .int(1))]), try space.create("t", "b", []),
    ]
    for index in items.indices { items[index].group = "g" }
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.aborted, .notFound, .notFound, .aborted])
    #expect(outcomes.map(\.cause) == [1, nil, nil, 1])
  }

  @Test func whatAnEarlierBulkAppliedStaysAppliedInAFailedGroupAndNothingElseDoes() throws {
    let space = JudgedSpace()
    let earlier = try space.create("t", "earlier", [])
    #expect(try space.write(earlier).code == .applied)
    let twice = try space.create("t", "a", [])
    var items = [earlier, twice, twice, try space.update("t", "x", 1, [("n", .int(1))])]
    for index in items.indices { items[index].group = "g" }
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.applied, .aborted, .aborted, .notFound])
    #expect(outcomes.map(\.isReplay) == [true, false, false, false])
    #expect(try space.entity("t", "a") == nil && space.entity("t", "earlier")?.life == .alive)
  }

  @Test func anItemFollowsOnlyOneOfItsOwnType() throws {
    let space = JudgedSpace()
    _ = try space.write(space.create("u", "a", [("n", .int(1))]))
    var items = [try space.create("t", "a", []), try space.update("u", nil, 0, [("n", .int(2))])]
    items[1].afterItem = 0
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.applied, .invalid] && outcomes[1].violations.first?.rule == "after_item")
    #expect(try space.value("u", "a", "n") == .int(1))
  }

  @Test func whatWasDoneBeforeIsToldHoweverMuchTheItemsAreAbout() throws {
    let space = JudgedSpace()
    let done = try space.create("t", "done", [])
    let made = try RandomValues.require(space.write(done).entity)
    let large = CanonicalFields(try JudgedSpace.fields([("n", .string(String(repeating: "x", count: 1 << 20)))]))
    var items: [WriteItem] = []
    for number in 0...Limits.bulkBytesMax >> 20 {
      var entity = made
      entity.key.id = try RandomValues.require(EntityID("e\(number)"))
      entity.fields = large
      space.heads[entity.key] = entity
      items.append(try space.delete("t", "e\(number)", 99))
    }
    let outcomes = try space.write(items + [space.create("t", "new", []), done])
    #expect(outcomes.suffix(2).map(\.code) == [.aborted, .applied] && outcomes.last?.isReplay == true)
    #expect(outcomes.dropLast(3).allSatisfy { $0.code == .conflict })
    #expect(try space.entity("t", "new") == nil)
  }

  @Test func whatFollowsAFailureIsAbortedAlsoWhenTheFailureIsTold() throws {
    let space = JudgedSpace()
    _ = try space.write([space.create("t", "a", [("n", .int(1))]), space.update("t", "a", 1, [("n", .int(2))])])
    var items = [try space.update("t", "a", 1, [("m", .int(1))]), try space.update("t", "a", 0, [("n", .int(9))])]
    items[1].afterItem = 0
    #expect(try space.write(items).map(\.code) == [.conflict, .aborted])
    let again = try space.write(items)
    #expect(again.map(\.code) == [.conflict, .aborted] && again[0].isReplay && again[1].cause == 0)
    #expect(try space.value("t", "a", "n") == .int(2))
  }
}
