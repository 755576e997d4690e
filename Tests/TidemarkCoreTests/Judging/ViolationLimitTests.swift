import Testing
import TidemarkCore

/// How many broken rules are told.
@Suite struct ViolationLimitTests {
  private static func space() throws -> JudgedSpace {
    let fields = try (0..<200).map { number in
      FieldSchema(name: try RandomValues.require(FieldPath("f\(number)")), type: .int, isRequired: true)
    }
    let room = TypeSchema(name: try RandomValues.require(TypeName("room")))
    let rooms = FieldSchema(
      name: try RandomValues.require(FieldPath("rooms")), type: .stringList, reference: Reference(target: room.name))
    return JudgedSpace(
      Schema(types: [
        TypeSchema(name: try RandomValues.require(TypeName("form")), fields: fields), room,
        TypeSchema(name: try RandomValues.require(TypeName("house")), fields: [rooms]),
      ]))
  }

  @Test func anOutcomeTellsSomeBrokenRulesAndThatThereAreMore() throws {
    let space = try Self.space()
    let refused = try space.write(space.create("form", "a", []))
    #expect(refused.code == .invalid && refused.violations.count == Limits.violationsPerOutcomeMax)
    #expect(refused.message.hasSuffix("More rules are broken; the first \(Limits.violationsPerOutcomeMax) are told."))
    let few = (0..<198).map { ("f\($0)", Value.int(1)) }
    let rest = try space.write(space.create("form", "a", few))
    #expect(rest.violations.count == 2 && !rest.message.contains("More rules"))
  }

  @Test func aBulkOfManyBrokenRulesTellsFewOfEach() throws {
    let space = try Self.space()
    let refused = try space.write((0..<100).map { try space.create("form", "a\($0)", []) })
    #expect(refused.allSatisfy { $0.code == .invalid && $0.violations.count >= Limits.violationsPerOutcomeMin })
    let told = refused.reduce(0) { $0 + $1.violations.count }
    #expect(told <= Limits.violationsPerBulkMax + 100 * Limits.violationsPerOutcomeMin)
    #expect(try space.write(space.create("form", "a", [])).violations.count == Limits.violationsPerOutcomeMax)
  }

  @Test func missingReferencesAreToldInPart() throws {
    let space = try Self.space()
    let list = Value.list((0..<5_000).map { .string("r\($0)") })
    let refused = try space.write(space.create("house", "a", [("rooms", list)]))
    #expect(refused.code == .referenceViolation && refused.violations.count == Limits.violationsPerOutcomeMax)
    #expect(refused.related.count == Limits.relatedEntitiesMax && refused.message.contains("More rules"))
  }

  /// Only the fields that a patch changed are held against it, and these are found wherever they stand.
  @Test func aPatchIsRefusedForTheLastOfManyFields() throws {
    let space = try Self.space()
    let all = (0..<200).map { ("f\($0)", Value.int(1)) }
    #expect(try space.write(space.create("form", "a", all)).code == .applied)
    let same = all.dropLast() + [("f199", .null)]
    let refused = try space.write(space.update("form", "a", 1, Array(same)))
    #expect(refused.code == .invalid && refused.violations.map(\.rule) == ["required"])
    let none = try space.write(space.update("form", "a", 1, all.map { ($0.0, .null) }))
    #expect(none.violations.count == Limits.violationsPerOutcomeMax && none.message.contains("More rules"))
  }
}
