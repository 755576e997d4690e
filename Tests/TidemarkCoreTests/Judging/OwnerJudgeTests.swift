import Testing
import TidemarkCore

/// Entities that only who made them may change.
@Suite struct OwnerJudgeTests {
  private let space: JudgedSpace
  private let other: Principal

  init() throws {
    let name = try RandomValues.require(TypeName("note"))
    space = JudgedSpace(Schema(types: [TypeSchema(name: name, allowsOtherFields: true, isOwnerOnly: true)]))
    other = Principal(name: try RandomValues.require(PrincipalName("night porter")), roleEverywhere: .writer)
  }

  @Test func nobodyElseMakesADeletedOneAnewOrRestoresIt() throws {
    _ = try space.write([space.create("note", "a", [("n", .int(1))]), space.delete("note", "a", 1)])
    let taken = try space.write(
      [
        space.create("note", "a", [("n", .int(2))]), space.getOrCreate("note", "a", [("n", .int(2))]),
        space.restore("note", "a", 2),
      ], by: other)
    #expect(taken.map(\.code) == [.forbidden, .forbidden, .forbidden])
    #expect(taken.allSatisfy { $0.entity == nil && $0.version == nil })
    #expect(space.revision.rawValue == 2 && space.receipts.count == 2)
    #expect(try space.write(space.restore("note", "a", 2)).code == .applied)
  }

  @Test func neitherMergeNorOverwriteGoesAroundTheOwner() throws {
    _ = try space.write([
      space.create("note", "a", [("n", .int(1))]), space.update("note", "a", 1, [("n", .int(2))]),
    ])
    for policy in [OnConflict.merge, .overwrite] {
      var item = try space.update("note", "a", 1, [("m", .int(1))])
      item.onConflict = policy
      #expect(try space.write(item, by: other).code == .forbidden, "\(policy)")
      item.operation = space.makeOperation()
      item.action = .delete(JudgedSpace.expected(1))
      if policy == .overwrite { #expect(try space.write(item, by: other).code == .forbidden) }
    }
    #expect(try space.entity("note", "a")?.version.rawValue == 2)
  }

  @Test func aRestoredOneKeepsWhoMadeItAndWhen() throws {
    _ = try space.write([space.create("note", "a", []), space.delete("note", "a", 1)])
    let made = try space.entity("note", "a")?.created
    space.now = Timestamp(rawValue: space.now.rawValue + 1)
    let admin = Principal(name: try RandomValues.require(PrincipalName("manager")), roleEverywhere: .admin)
    #expect(try space.write(space.restore("note", "a", 2), by: admin).code == .applied)
    #expect(try space.entity("note", "a")?.created == made && space.entity("note", "a")?.updated.by == admin.name)
    #expect(try space.write(space.update("note", "a", 3, [("n", .int(1))])).code == .applied)
  }
}
