import Testing
import TidemarkCore

/// Items of one bulk: groups, references backwards, asking without writing.
@Suite struct BulkJudgeTests {
  @Test func eachItemIsJudgedOnItsOwn() throws {
    let space = JudgedSpace()
    _ = try space.write([space.create("t", "a", [("n", .int(1))]), space.create("t", "b", [("n", .int(1))])])
    let outcomes = try space.write([
      space.update("t", "a", 1, [("n", .int(2))]), space.update("t", "b", 9, [("n", .int(2))]),
      space.update("t", "c", 1, [("n", .int(2))]), space.update("t", "b", 1, [("n", .int(3))]),
    ])
    #expect(outcomes.map(\.code) == [.applied, .conflict, .notFound, .applied])
    #expect(space.revision.rawValue == 4)
  }

  @Test func theSecondItemOnAnEntitySeesTheFirst() throws {
    let space = JudgedSpace()
    let outcomes = try space.write([
      space.create("t", "a", [("n", .int(1))]), space.update("t", "a", 1, [("n", .int(2))]),
      space.update("t", "a", 1, [("n", .int(3))]), space.delete("t", "a", 2),
    ])
    #expect(outcomes.map(\.code) == [.applied, .applied, .conflict, .applied])
  }

  @Test func aFailedGroupLeavesNothingAndNoReceipt() throws {
    let space = JudgedSpace()
    var items = [
      try space.create("t", "a", [("n", .int(1))]), try space.update("t", "a", 1, [("n", .int(2))]),
      try space.update("t", "a", 1, [("n", .int(3))]), try space.create("t", "b", [("n", .int(1))]),
    ]
    for index in 0..<3 { items[index].group = "g" }
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.aborted, .aborted, .conflict, .applied])
    #expect(outcomes[0].cause == 2 && outcomes[1].cause == 2 && outcomes[2].cause == nil)
    // The conflict was with a version that was taken back: it tells what is there.
    #expect(outcomes[2].version == nil && outcomes[2].entity == nil)
    #expect(!outcomes[2].message.contains("version"))
    #expect(try space.entity("t", "a") == nil)
    #expect(space.receipts.count == 1)
    // Without what failed, the same items with the same operation ids are applied.
    items.remove(at: 2)
    #expect(try space.write(items).map(\.code) == [.applied, .applied, .applied])
    #expect(try space.value("t", "a", "n") == .int(2))
  }

  @Test func anItemThatIsNotWellMadeIsInvalidAndLeavesNoReceipt() throws {
    let space = JudgedSpace()
    var items = try (0..<4).map { try space.create("t", "e\($0)", []) }
    items[1].fault = Violation(field: FieldPath("expected"), rule: "expected_required", message: "It does not say.")
    (items[2].group, items[3].group) = ("g", "g")
    items.append(try space.create("t", "e4", []))
    items[4].references = [ItemReference(field: try RandomValues.require(FieldPath("of")), item: 1)]
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.applied, .invalid, .applied, .applied, .aborted] && outcomes[4].cause == 1)
    #expect(outcomes[1].violations.map(\.rule) == ["expected_required"] && outcomes[1].message == "It does not say.")
    #expect(space.receipts.count == 3)
    // In a group it takes the others along; alone it is a single write.
    items[2].fault = items[1].fault
    items[2].operation = space.makeOperation()
    items[3] = try space.create("t", "e5", [])
    items[3].group = "g"
    #expect(try space.write(Array(items[2...3])).map(\.code) == [.invalid, .aborted])
    #expect(try space.write(items[1]).code == .invalid)
  }

  @Test func whatAFailedGroupSaysNamesNoVersionThatWasTakenBack() throws {
    let space = JudgedSpace()
    _ = try space.write([space.create("t", "a", [("n", .int(1))]), space.create("t", "b", [("n", .int(1))])])
    _ = try space.write(space.update("t", "b", 1, [("n", .int(2))]))
    let bulks = [
      [try space.update("t", "a", 1, [("n", .int(2))]), try space.update("t", "a", 1, [("n", .int(3))])],
      [try space.update("t", "b", 2, [("n", .int(3))]), try space.update("t", "b", 1, [("n", .int(4))])],
      [try space.delete("t", "a", 1), try space.update("t", "a", 2, [("n", .int(3))])],
      [try space.create("t", "c", []), try space.create("t", "c", [])],
    ]
    for validatesOnly in [false, true] {
      let told = try bulks.map { try space.write($0, mode: .atomic, validatesOnly: validatesOnly)[1] }
      #expect(told.map(\.code) == [.conflict, .conflict, .notFound, .alreadyExists])
      #expect(told.map(\.version?.rawValue) == [1, 2, 1, nil])
      // The second is stale also without its group.
      #expect(told[1].message.contains("you expected version 1, it is at version 2"))
      #expect(!told.contains { $0.message.contains("version 3") || $0.message.contains("deleted") })
      #expect(![told[0], told[3]].contains { $0.message.contains("version") })
    }
  }

  @Test func theChangesOfAGroupAreOneWholeInTheLog() throws {
    let space = JudgedSpace()
    var items = try (0..<5).map { try space.create("t", "e\($0)", []) }
    for index in 1..<4 { items[index].group = "g" }
    #expect(try space.write(items).allSatisfy { $0.code == .applied })
    #expect(space.log.map(\.goesOn) == [false, true, true, false, false])
    _ = try space.write([space.delete("t", "e0", 1), space.delete("t", "e1", 1)], mode: .atomic)
    #expect(space.log.map(\.goesOn).suffix(2) == [true, false])
  }

  @Test func neighboursWithOneLabelAreAGroupAndOthersAreNot() throws {
    let space = JudgedSpace()
    var items = try (0..<5).map { try space.create("t", "e\($0)", []) }
    for (index, group) in ["g", "g", nil, "g", "h"].enumerated() { items[index].group = group }
    items[1].action = .delete(JudgedSpace.expected(1))
    #expect(try space.write(items).map(\.code) == [.aborted, .notFound, .applied, .applied, .applied])
  }

  @Test func anAtomicBulkIsOneGroup() throws {
    let space = JudgedSpace()
    let items = [try space.create("t", "a", []), try space.update("t", "x", 1, [("n", .int(2))]), try space.create("t", "b", [])]
    #expect(try space.write(items, mode: .atomic).map(\.code) == [.aborted, .notFound, .aborted])
    #expect(space.revision == .zero && space.receipts.isEmpty)
    #expect(try space.write([items[0], items[2]], mode: .atomic).map(\.code) == [.applied, .applied])
    let again = try space.write([items[0], items[2]], mode: .atomic)
    #expect(again.allSatisfy { $0.isReplay && $0.code == .applied } && space.revision.rawValue == 2)
  }

  @Test func anItemMayFollowAnotherOfTheSameEntity() throws {
    let space = JudgedSpace()
    var items = [try space.create("t", nil, [("n", .int(1))]), try space.update("t", nil, 0, [("n", .int(2))])]
    items[1].afterItem = 0
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.applied, .applied] && outcomes[0].id == outcomes[1].id)
    var other = [try space.create("t", "a", []), try space.update("t", "b", 0, [("n", .int(2))])]
    other[1].afterItem = 0
    #expect(try space.write(other).map(\.code) == [.applied, .invalid])
    var failing = [try space.create("t", "a", []), try space.update("t", "a", 0, [("n", .int(2))])]
    failing[1].afterItem = 0
    let failed = try space.write(failing)
    #expect(failed.map(\.code) == [.alreadyExists, .aborted] && failed[1].cause == 0)
  }

  @Test func aFieldMayHoldTheIDOfAnEarlierItem() throws {
    let space = JudgedSpace()
    let field = try RandomValues.require(FieldPath("parent"))
    var items = [try space.create("t", nil, []), try space.create("t", "child", [("n", .int(1))])]
    items[1].references = [ItemReference(field: field, item: 0)]
    let outcomes = try space.write(items)
    #expect(try space.value("t", "child", "parent") == outcomes[0].id.map { .string($0.text) })
    var forward = [try space.create("t", "x", []), try space.create("t", "y", [])]
    forward[0].references = [ItemReference(field: field, item: 1)]
    forward[1].references = [ItemReference(field: field, item: 1)]
    #expect(try space.write(forward).map(\.code) == [.invalid, .invalid])
  }

  @Test func aRetryRefersToTheEntityOfTheFirstAttempt() throws {
    let space = JudgedSpace()
    let parent = try RandomValues.require(FieldPath("parent"))
    var items = [
      try space.create("t", nil, []), try space.create("t", "child", []), try space.update("t", nil, 0, [("n", .int(2))]),
      try space.update("t", "nobody", 1, [("n", .int(2))]),
    ]
    items[1].references = [ItemReference(field: parent, item: 0)]
    items[2].afterItem = 0
    for index in 1..<4 { items[index].group = "g" }
    let first = try space.write(items)
    #expect(first.map(\.code) == [.applied, .aborted, .aborted, .notFound])
    let made = try RandomValues.require(first[0].id)
    // Without what failed, with the same operation ids: the first item is answered from its receipt.
    items.removeLast()
    let second = try space.write(items)
    #expect(second.map(\.code) == [.applied, .applied, .applied] && second[0].isReplay)
    #expect(try space.value("t", "child", "parent") == .string(made.text))
    #expect(try space.value("t", made.text, "n") == .int(2))
  }

  @Test func whatFollowsAGetOrCreateFollowsTheEntityItFound() throws {
    let name = try RandomValues.require(FieldPath("name"))
    let type = TypeSchema(
      name: try RandomValues.require(TypeName("t")), fields: [FieldSchema(name: name, type: .string)], allowsOtherFields: true,
      uniqueKeys: [UniqueKey(name: name, fields: [name])])
    let space = JudgedSpace(Schema(types: [type]))
    _ = try space.write(space.create("t", "holder", [("name", .string("A"))]))
    var items = [
      try space.getOrCreate("t", "mine", [("name", .string("A"))]), try space.update("t", nil, 0, [("n", .int(1))]),
      try space.update("t", "mine", 0, [("n", .int(2))]),
    ]
    (items[1].afterItem, items[2].afterItem) = (0, 0)
    let outcomes = try space.write(items)
    #expect(outcomes.map(\.code) == [.unchanged, .applied, .invalid] && outcomes[1].id?.text == "holder")
    items.append(try space.create("t", "other", []))
    items[3].references = [ItemReference(field: try RandomValues.require(FieldPath("parent")), item: 0)]
    #expect(try space.write(items).map(\.code) == [.unchanged, .applied, .invalid, .applied])
    #expect(try space.value("t", "other", "parent") == .string("holder"))
  }

  @Test func anUpdateMayOnlyRefer() throws {
    let space = JudgedSpace()
    _ = try space.write(space.create("t", "child", [("n", .int(1))]))
    var items = [try space.create("t", "parent", []), try space.update("t", "child", 1, [("n", .int(2))])]
    items[1].action = .update(.none, JudgedSpace.expected(1))
    items[1].references = [ItemReference(field: try RandomValues.require(FieldPath("parent")), item: 0)]
    #expect(try space.write(items).map(\.code) == [.applied, .applied])
    #expect(try space.value("t", "child", "parent") == .string("parent") && space.value("t", "child", "n") == .int(1))
  }

  @Test func validatingTellsTheSameAndLeavesNothing() throws {
    let space = JudgedSpace()
    _ = try space.write(space.create("t", "a", [("n", .int(1))]))
    var items = [
      try space.update("t", "a", 1, [("n", .int(2))]), try space.update("t", "a", 1, [("n", .int(3))]),
      try space.create("t", "b", []), try space.create("t", "b", []),
    ]
    (items[2].group, items[3].group) = ("g", "g")
    let asked = try space.write(items, validatesOnly: true)
    #expect(space.revision.rawValue == 1 && space.receipts.count == 1)
    let done = try space.write(items)
    #expect(asked == done)
    #expect(done.map(\.code) == [.applied, .conflict, .aborted, .alreadyExists])
  }

  @Test func overwritingIsMarkedInTheLog() throws {
    let space = JudgedSpace()
    _ = try space.write([space.create("t", "a", [("n", .int(1))]), space.update("t", "a", 1, [("n", .int(2))])])
    var item = try space.update("t", "a", 1, [("n", .int(3))])
    item.onConflict = .overwrite
    #expect(try space.write(item).code == .applied)
    #expect(space.log.last?.manner == .overwritten)
    var current = try space.update("t", "a", 3, [("n", .int(4))])
    current.onConflict = .overwrite
    #expect(try space.write(current).code == .applied)
    #expect(space.log.last?.manner == .plain)
  }

  @Test func oneOperationIDInTwoItemsIsJudgedOnce() throws {
    let space = JudgedSpace()
    let item = try space.create("t", "a", [("n", .int(1))])
    var other = try space.create("t", "b", [("n", .int(1))])
    other.operation = item.operation
    let outcomes = try space.write([item, item, other])
    #expect(outcomes[1].isReplay && outcomes[2].violations.first?.rule == "operation_id_reused")
    #expect(space.revision.rawValue == 1)
  }
}
