import Testing
import TidemarkCore

/// Rules of types: values, unique keys, references, owners.
@Suite struct SchemaJudgeTests {
  private static func path(_ text: String) throws -> FieldPath { try RandomValues.require(FieldPath(text)) }
  private static func type(_ text: String) throws -> TypeName { try RandomValues.require(TypeName(text)) }

  /// Rooms with a unique name; bookings that point to rooms; notes that go with their booking; links that lose theirs.
  private static func hotel(_ rule: DeleteRule = .restrict, isRoomRequired: Bool = false, isOwnerOnly: Bool = false) throws
    -> JudgedSpace
  {
    let room = TypeSchema(
      name: try type("room"),
      fields: [
        FieldSchema(name: try path("name"), type: .string, isRequired: true, lengthMin: 1),
        FieldSchema(name: try path("seats"), type: .int, defaultValue: .int(2), minimum: Scalar(.int(1))),
      ], uniqueKeys: [UniqueKey(name: try path("by_name"), fields: [try path("name")])], isOwnerOnly: isOwnerOnly)
    let booking = TypeSchema(
      name: try type("booking"),
      fields: [
        FieldSchema(
          name: try path("room"), type: .string, isRequired: isRoomRequired,
          reference: Reference(target: try type("room"), onDelete: rule)),
        FieldSchema(
          name: try path("follows"), type: .string, reference: Reference(target: try type("booking"), onDelete: .cascade)),
      ])
    return JudgedSpace(Schema(types: [room, booking]))
  }

  @Test func brokenRulesAreNamedAndNothingIsStored() throws {
    let space = try SchemaJudgeTests.hotel()
    let outcomes = try space.write([
      space.create("room", "a", [("seats", .int(0))]), space.create("room", "b", [("name", .int(1))]),
      space.create("unheard", "c", []), space.create("room", "d", [("name", .string("D")), ("colour", .string("red"))]),
    ])
    #expect(outcomes.map(\.code) == [.invalid, .invalid, .invalid, .invalid])
    #expect(Set(outcomes[0].violations.map(\.rule)) == ["required", "min"])
    #expect(outcomes[1].violations.map(\.rule) == ["type"])
    #expect(outcomes[2].violations.map(\.rule) == ["unknown_type"])
    #expect(outcomes[3].violations.map(\.rule) == ["unknown_field"])
    #expect(space.revision == .zero)
  }

  @Test func defaultsAreFilledIn() throws {
    let space = try SchemaJudgeTests.hotel()
    _ = try space.write(space.create("room", "a", [("name", .string("A"))]))
    #expect(try space.value("room", "a", "seats") == .int(2))
  }

  @Test func aUniqueKeyHasOneHolderWhoIsNamed() throws {
    let space = try SchemaJudgeTests.hotel()
    let outcomes = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("room", "b", [("name", .string("A"))]),
      space.create("room", "b", [("name", .string("B"))]), space.update("room", "b", 1, [("name", .string("A"))]),
      space.update("room", "a", 1, [("name", .string("C"))]), space.update("room", "b", 1, [("name", .string("A"))]),
    ])
    #expect(outcomes.map(\.code) == [.applied, .uniqueViolation, .applied, .uniqueViolation, .applied, .applied])
    #expect(outcomes[1].related.map(\.id.text) == ["a"] && outcomes[1].violations.first?.rule == "unique")
  }

  @Test func aDeletedHolderReleasesItsKeyAndRestoreAsksAgain() throws {
    let space = try SchemaJudgeTests.hotel()
    let outcomes = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.delete("room", "a", 1),
      space.create("room", "b", [("name", .string("A"))]), space.restore("room", "a", 2), space.delete("room", "b", 1),
      space.restore("room", "a", 2),
    ])
    #expect(outcomes.map(\.code) == [.applied, .applied, .applied, .uniqueViolation, .applied, .applied])
  }

  @Test func getOrCreateFindsTheHolderOfItsKey() throws {
    let space = try SchemaJudgeTests.hotel()
    let outcomes = try space.write([
      space.getOrCreate("room", "a", [("name", .string("A"))]), space.getOrCreate("room", "b", [("name", .string("A"))]),
    ])
    #expect(outcomes.map(\.code) == [.applied, .unchanged])
    #expect(outcomes[1].id?.text == "a")
  }

  @Test func aFailedGroupGivesItsKeysBack() throws {
    let space = try SchemaJudgeTests.hotel()
    _ = try space.write(space.create("room", "a", [("name", .string("A"))]))
    var items = [
      try space.update("room", "a", 1, [("name", .string("B"))]), try space.create("room", "b", [("name", .string("A"))]),
      try space.delete("room", "nobody", 1), try space.create("room", "c", [("name", .string("A"))]),
    ]
    for index in 0..<3 { items[index].group = "g" }
    #expect(try space.write(items).map(\.code) == [.aborted, .aborted, .notFound, .uniqueViolation])
  }

  @Test func referencesPointToWhatIsThere() throws {
    let space = try SchemaJudgeTests.hotel()
    let outcomes = try space.write([
      space.create("booking", "x", [("room", .string("a"))]), space.create("room", "a", [("name", .string("A"))]),
      space.create("booking", "x", [("room", .string("a"))]), space.delete("room", "a", 1),
    ])
    #expect(outcomes.map(\.code) == [.referenceViolation, .applied, .applied, .referenceViolation])
    #expect(outcomes[0].related.map(\.id.text) == ["a"] && outcomes[3].related.map(\.id.text) == ["x"])
  }

  @Test func cascadeDeletesThoseThatPointHereAsVersionedChanges() throws {
    let space = try SchemaJudgeTests.hotel(.cascade)
    _ = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("booking", "x", [("room", .string("a"))]),
      space.create("booking", "y", [("follows", .string("x"))]), space.create("booking", "z", []),
    ])
    let delete = try space.delete("room", "a", 1)
    #expect(try space.write(delete).code == .applied)
    #expect(try space.entity("booking", "x")?.life == .deleted && space.entity("booking", "y")?.version.rawValue == 2)
    #expect(try space.entity("booking", "z")?.life == .alive)
    #expect(space.log.suffix(3).map(\.manner) == [.cascaded, .cascaded, .plain])
    #expect(space.log.suffix(3).map(\.goesOn) == [true, true, false])
    #expect(space.log.suffix(3).allSatisfy { $0.operation == delete.operation })
    #expect(try space.write(delete).isReplay)
  }

  @Test(arguments: [true, false]) func theOrderOfACascadeDoesNotDependOnWhatIsCommittedTogether(isTogether: Bool) throws {
    let space = try SchemaJudgeTests.hotel(.cascade)
    _ = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("booking", "y", [("room", .string("a"))]),
    ])
    let items = [try space.create("booking", "x", [("room", .string("a"))]), try space.delete("room", "a", 1)]
    if isTogether { _ = try space.write(items) } else { for item in items { _ = try space.write(item) } }
    #expect(space.log.suffix(3).map(\.entity.key.id.text) == ["y", "x", "a"])
  }

  /// What depends on an entity may be few, and still more than memory has room for.
  @Test func aDeleteTakesNoMoreBytesAlongThanItMay() throws {
    for rule in [DeleteRule.cascade, .setNull] {
      let reference = FieldSchema(
        name: try SchemaJudgeTests.path("room"), type: .string,
        reference: Reference(target: try SchemaJudgeTests.type("room"), onDelete: rule))
      let space = JudgedSpace(
        Schema(types: [
          TypeSchema(name: try SchemaJudgeTests.type("room")),
          TypeSchema(name: try SchemaJudgeTests.type("photo"), fields: [reference], allowsOtherFields: true),
        ]))
      _ = try space.write(space.create("room", "a", []))
      let data = Value.bytes([UInt8](repeating: 7, count: 1_000_000))
      for number in 0..<70 {
        _ = try space.write(space.create("photo", "p\(number)", [("room", .string("a")), ("data", data)]))
      }
      let refused = try space.write(space.delete("room", "a", 1))
      #expect(refused.code == .invalid && refused.violations.map(\.rule) == ["dependants_max"])
      for number in 0..<10 { _ = try space.write(space.delete("photo", "p\(number)", 1)) }
      #expect(try space.write(space.delete("room", "a", 1)).code == .applied)
      #expect(try space.entity("photo", "p10")?.version.rawValue == 2)
    }
  }

  /// Rooms that are pointed to by lists, and tours with such lists.
  private static func tours(_ rule: DeleteRule, through: DeleteRule) throws -> JudgedSpace {
    let toRooms = FieldSchema(
      name: try path("rooms"), type: .stringList, reference: Reference(target: try type("room"), onDelete: rule))
    let toGuide = FieldSchema(
      name: try path("guide"), type: .string, reference: Reference(target: try type("guide"), onDelete: through))
    return JudgedSpace(
      Schema(types: [
        TypeSchema(name: try type("guide")), TypeSchema(name: try type("room")),
        TypeSchema(name: try type("tour"), fields: [toGuide, toRooms]),
      ]))
  }

  @Test func aBulkOfDeletesStopsWhenItLookedThroughTooManyReferences() throws {
    let space = try SchemaJudgeTests.tours(.restrict, through: .restrict)
    let count = 1_000
    _ = try space.write(space.create("room", "r", []))
    _ = try space.write((0..<count).map { try space.create("tour", "t\($0)", [("rooms", .list([.string("r")]))]) })
    let outcomes = try space.write((0..<300).map { _ in try space.delete("room", "r", 1) }, validatesOnly: true)
    let looked = outcomes.prefix { $0.code == .referenceViolation }.count
    #expect(looked >= 10 && looked * count * 512 <= Limits.bulkBytesMax + count * 512)
    #expect(outcomes.dropFirst(looked).allSatisfy { $0.code == .aborted })
    #expect(try space.write(space.delete("room", "r", 1)).code == .referenceViolation)
  }

  /// A guide takes tours along, and each tour lets go of all its rooms.
  @Test func aDeleteMovesNoMoreReferencesThanItMay() throws {
    let space = try SchemaJudgeTests.tours(.restrict, through: .cascade)
    // More than a hundred thousand references: comparing them all after each write takes a minute.
    space.comparesDerived = false
    let rooms = (0..<1_000).map { "r\($0)" }
    _ = try space.write(space.create("guide", "g", []))
    _ = try space.write(rooms.map { try space.create("room", $0, []) })
    let list = Value.list(rooms.map { .string($0) })
    // As many as one bulk may make.
    for part in stride(from: 0, to: 140, by: 35) {
      let made = try space.write(
        (part..<part + 35).map { try space.create("tour", "t\($0)", [("guide", .string("g")), ("rooms", list)]) })
      #expect(made.allSatisfy { $0.code == .applied })
    }
    let before = space.revision
    let refused = try space.write(space.delete("guide", "g", 1))
    #expect(refused.code == .invalid && refused.violations.map(\.rule) == ["dependants_max"])
    #expect(space.revision == before)
    let fewer = try space.write((0..<20).map { try space.delete("tour", "t\($0)", 1) })
    #expect(fewer.allSatisfy { $0.code == .applied })
    #expect(try space.write(space.delete("guide", "g", 1)).code == .applied)
    #expect(try space.entity("tour", "t20")?.life == .deleted)
  }

  @Test(.timeLimit(.minutes(1))) func oneElementOfALongListOfReferencesIsChanged() throws {
    let reference = FieldSchema(
      name: try SchemaJudgeTests.path("rooms"), type: .stringList,
      reference: Reference(target: try SchemaJudgeTests.type("room"), onDelete: .setNull))
    let space = JudgedSpace(
      Schema(types: [
        TypeSchema(name: try SchemaJudgeTests.type("room")),
        TypeSchema(name: try SchemaJudgeTests.type("tour"), fields: [reference]),
      ]))
    let count = 5_000
    _ = try space.write((0...count).map { try space.create("room", "r\($0)", []) })
    var rooms = (0..<count).map { Scalar.string("r\($0)") }
    _ = try space.write(space.create("tour", "t", [("rooms", .list(rooms))]))
    rooms[7] = .string("r\(count)")
    #expect(try space.write(space.update("tour", "t", 1, [("rooms", .list(rooms))])).code == .applied)
    #expect(space.references.count == count)
    #expect(try space.write([space.delete("room", "r7", 1), space.delete("room", "r8", 1)]).map(\.code) == [.applied, .applied])
    rooms.remove(at: 8)
    #expect(try space.value("tour", "t", "rooms") == .list(rooms))
  }

  @Test func aRingOfReferencesIsDeletedWhole() throws {
    let space = try SchemaJudgeTests.hotel()
    _ = try space.write([
      space.create("booking", "x", []), space.create("booking", "y", [("follows", .string("x"))]),
      space.update("booking", "x", 1, [("follows", .string("y"))]),
    ])
    #expect(try space.write(space.delete("booking", "x", 2)).code == .applied)
    #expect(try space.entity("booking", "y")?.life == .deleted)
  }

  @Test func setNullClearsTheFieldUnlessItIsRequired() throws {
    let space = try SchemaJudgeTests.hotel(.setNull)
    _ = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("booking", "x", [("room", .string("a"))]),
    ])
    #expect(try space.write(space.delete("room", "a", 1)).code == .applied)
    #expect(try space.value("booking", "x", "room") == .null && space.entity("booking", "x")?.version.rawValue == 2)
    let strict = try SchemaJudgeTests.hotel(.setNull, isRoomRequired: true)
    _ = try strict.write([
      strict.create("room", "a", [("name", .string("A"))]), strict.create("booking", "x", [("room", .string("a"))]),
    ])
    #expect(try strict.write(strict.delete("room", "a", 1)).code == .referenceViolation)
  }

  @Test func onlyTheOwnerOrAnAdminChangesWhatIsOwned() throws {
    let space = try SchemaJudgeTests.hotel(isOwnerOnly: true)
    _ = try space.write(space.create("room", "a", [("name", .string("A"))]))
    let other = Principal(name: try RandomValues.require(PrincipalName("night porter")), roleEverywhere: .writer)
    let admin = Principal(name: try RandomValues.require(PrincipalName("manager")), roleEverywhere: .admin)
    let refused = try space.write(space.update("room", "a", 1, [("seats", .int(3))]), by: other)
    #expect(refused.code == .forbidden && refused.entity == nil && refused.version == nil)
    #expect(try space.write(space.delete("room", "a", 1), by: other).code == .forbidden)
    #expect(try space.write(space.update("room", "a", 1, [("seats", .int(3))]), by: admin).code == .applied)
    #expect(try space.write(space.update("room", "a", 2, [("seats", .int(4))])).code == .applied)
  }

  @Test func whatIsOwnedStaysWhenItsTypeLeavesTheSchema() throws {
    let space = try SchemaJudgeTests.hotel(isOwnerOnly: true)
    _ = try space.write([
      space.create("room", "a", [("name", .string("A"))]), space.create("room", "b", [("name", .string("B"))]),
    ])
    #expect(try space.write(space.delete("room", "b", 1)).code == .applied)
    let (rooms, keys) = (space.schema, space.keys)
    // As applying the schema would.
    space.keys = [:]
    space.schema = CompiledSchema(Schema(types: [TypeSchema(name: try RandomValues.require(TypeName("guest")))]))
    let other = Principal(name: try RandomValues.require(PrincipalName("night porter")), roleEverywhere: .writer)
    let admin = Principal(name: try RandomValues.require(PrincipalName("manager")), roleEverywhere: .admin)
    for principal in [other, admin, space.writer] {
      let refused = try space.write(space.delete("room", "a", 1), by: principal)
      #expect(refused.code == .invalid && refused.violations.map(\.rule) == ["unknown_type"])
      #expect(try space.write(space.delete("room", "b", 2), by: principal).code == .unchanged)
    }
    #expect(try space.entity("room", "a")?.life == .alive)
    (space.schema, space.keys) = (rooms, keys)
    #expect(try space.write(space.delete("room", "a", 1)).code == .applied)
  }
}
