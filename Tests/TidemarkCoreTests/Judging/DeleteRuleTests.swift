import Testing
import TidemarkCore

/// What forbids a delete, and what does not.
@Suite struct DeleteRuleTests {
  private static func path(_ text: String) throws -> FieldPath { try RandomValues.require(FieldPath(text)) }
  private static func type(_ text: String) throws -> TypeName { try RandomValues.require(TypeName(text)) }

  /// Bookings that go with their room, and that forbid to delete the booking they follow.
  private static func hotel() throws -> JudgedSpace {
    let room = TypeSchema(name: try type("room"), allowsOtherFields: true)
    let booking = TypeSchema(
      name: try type("booking"),
      fields: [
        FieldSchema(name: try path("room"), type: .string, reference: Reference(target: try type("room"), onDelete: .cascade)),
        FieldSchema(
          name: try path("follows"), type: .string, reference: Reference(target: try type("booking"), onDelete: .restrict)),
      ], allowsOtherFields: true)
    return JudgedSpace(Schema(types: [room, booking]))
  }

  @Test func whoGoesWithTheEntityForbidsNothing() throws {
    let space = try DeleteRuleTests.hotel()
    _ = try space.write([
      space.create("room", "a", []), space.create("booking", "x", [("room", .string("a"))]),
      space.create("booking", "y", [("room", .string("a")), ("follows", .string("x"))]),
    ])
    #expect(try space.write(space.delete("booking", "x", 1)).code == .referenceViolation)
    #expect(try space.write(space.delete("room", "a", 1)).code == .applied)
    for id in ["x", "y"] { #expect(try space.entity("booking", id)?.life == .deleted) }
  }

  @Test func whoStaysForbidsAllOfIt() throws {
    let space = try DeleteRuleTests.hotel()
    _ = try space.write([
      space.create("room", "a", []), space.create("booking", "x", [("room", .string("a"))]),
      space.create("booking", "y", [("follows", .string("x"))]),
    ])
    let refused = try space.write(space.delete("room", "a", 1))
    #expect(refused.code == .referenceViolation && refused.related.map(\.id.text) == ["y"])
    #expect(space.revision.rawValue == 3)
  }

  @Test func anEntityMayPointToItselfAndBeDeleted() throws {
    let space = try DeleteRuleTests.hotel()
    _ = try space.write(space.create("booking", "x", [("follows", .string("x"))]))
    #expect(try space.write(space.delete("booking", "x", 1)).code == .applied)
    #expect(try space.write(space.restore("booking", "x", 2)).code == .applied)
  }

  @Test func aReferenceThatLedNowhereBeforeIsNotHeldAgainstAWrite() throws {
    let space = try DeleteRuleTests.hotel()
    space.comparesDerived = false
    _ = try space.write([space.create("room", "a", []), space.create("booking", "x", [("room", .string("a"))])])
    let room = EntityKey(type: try DeleteRuleTests.type("room"), id: try RandomValues.require(EntityID("a")))
    space.heads[room]?.life = .deleted
    var item = try space.update("booking", "x", 1, [("note", .null)])
    item.action = .replace(
      try JudgedSpace.fields([("room", .string("a")), ("note", .string("n"))]), JudgedSpace.expected(1))
    #expect(try space.write(item).code == .applied)
    #expect(try space.write(space.create("booking", "z", [("room", .string("a"))])).code == .referenceViolation)
  }
}
