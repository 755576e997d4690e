import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// Changing the schema of a space: refusals change nothing, and what is applied holds for all that is there.
@Suite struct SchemaCallTests {
  private struct Setup {
    let world: BulkWorld
    let type: TypeName
    let name: FieldPath
    let seats: FieldPath

    init() throws {
      world = try BulkWorld()
      type = world.type
      name = try #require(FieldPath("name"))
      seats = try #require(FieldPath("seats"))
    }

    func schema(isNameUnique: Bool = false, seatsMax: Int64? = nil, seatsType: ValueType = .int, hasSeats: Bool = true) -> Schema
    {
      var fields = [FieldSchema(name: name, type: .string)]
      if hasSeats { fields.append(FieldSchema(name: seats, type: seatsType, maximum: seatsMax.map { .int($0) })) }
      return Schema(types: [
        TypeSchema(name: type, fields: fields, uniqueKeys: isNameUnique ? [UniqueKey(name: name, fields: [name])] : [])
      ])
    }

    func apply(
      _ schema: Schema, _ expected: UInt64, validatesOnly: Bool = false, allowsBreaking: Bool = false
    ) async throws -> ApplySchemaResponse {
      try await world.get(
        .applySchema,
        ApplySchemaRequest(
          space: world.space, schema: schema, expectedVersion: expected, validatesOnly: validatesOnly,
          allowsBreaking: allowsBreaking))
    }

    func inForce(_ version: UInt64 = 0) async throws -> SchemaVersion? {
      let answer: GetSchemaResponse = try await world.get(.getSchema, GetSchemaRequest(space: world.space, version: version))
      return answer.schema
    }
  }

  @Test func aSchemaIsAppliedOnceAndToldWithItsHash() async throws {
    let setup = try Setup()
    #expect(try await setup.inForce() == nil)
    _ = try await setup.world.bulk([setup.world.create(1, "a", [("name", .string("A"))])])
    let applied = try await setup.apply(setup.schema(), 0)
    #expect(applied.isApplied)
    #expect(applied.version == 1)
    #expect(applied.checkedEntities == 1)
    #expect(!applied.changes.isEmpty)
    let known = try #require(try await setup.inForce())
    #expect(known.version == 1)
    #expect(known.schema == setup.schema())
    #expect(known.hash == Array(Digest32.sha256(try setup.schema().encode()).bytes.prefix(8)))
    #expect(known.applied.at == BulkWorld.clock.now())
    // Again, and from an old version.
    let same = try await setup.apply(setup.schema(), 1)
    #expect(same.isApplied && same.version == 1 && same.changes.isEmpty)
    let stale = try await setup.apply(setup.schema(seatsMax: 5), 0)
    #expect(!stale.isApplied && stale.version == 1 && !stale.message.isEmpty)
    setup.world.service.close()
  }

  @Test func faultsOfASchemaAndBreakingChangesAreToldAndNotApplied() async throws {
    let setup = try Setup()
    let missing = try #require(FieldPath("missing"))
    let faulty = Schema(types: [
      TypeSchema(name: setup.type, uniqueKeys: [UniqueKey(name: setup.name, fields: [missing])])
    ])
    let refused = try await setup.apply(faulty, 0)
    #expect(!refused.isApplied && !refused.problems.isEmpty)
    #expect(try await setup.apply(setup.schema(), 0).isApplied)
    let breaking = try await setup.apply(setup.schema(hasSeats: false), 1)
    #expect(!breaking.isApplied && breaking.version == 1)
    #expect(breaking.changes.contains { $0.compatibility == .breaking })
    #expect(try await setup.apply(setup.schema(hasSeats: false), 1, allowsBreaking: true).version == 2)
    setup.world.service.close()
  }

  @Test func entitiesThatBreakANewRuleAreNamedAndNothingIsChanged() async throws {
    let setup = try Setup()
    _ = try await setup.world.bulk(
      (0..<300).map { try setup.world.create(UInt64($0 + 1), "e\($0)", [("seats", .int(Int64($0)))]) })
    #expect(try await setup.apply(setup.schema(), 0).checkedEntities == 300)
    let refused = try await setup.apply(setup.schema(seatsMax: 149), 1)
    #expect(!refused.isApplied && refused.version == 1)
    #expect(refused.offendingEntities == 150)
    #expect(refused.offenders.count == SchemaCheck.offendersMax)
    #expect(refused.offenders.first?.violations.first?.rule == "max")
    #expect(try await setup.inForce()?.version == 1)
    // Only asked: nothing is in force afterwards.
    let asked = try await setup.apply(setup.schema(seatsMax: 1_000), 1, validatesOnly: true)
    #expect(!asked.isApplied && asked.version == 1 && asked.offendingEntities == 0 && asked.checkedEntities == 300)
    #expect(try await setup.inForce()?.version == 1)
    setup.world.service.close()
  }

  @Test func whatWasRemovedByForceIsCheckedWhenItIsAddedAgain() async throws {
    let setup = try Setup()
    _ = try await setup.world.bulk([
      setup.world.create(1, "a", [("seats", .int(7))]), setup.world.create(2, "b", [("name", .string("B"))]),
    ])
    #expect(try await setup.apply(setup.schema(), 0).isApplied)
    // A field, with another type.
    #expect(try await setup.apply(setup.schema(hasSeats: false), 1, allowsBreaking: true).isApplied)
    let field = try await setup.apply(setup.schema(seatsType: .string), 2)
    #expect(!field.isApplied && field.offenders.map(\.key.id.text) == ["a"])
    // What was left behind by force does not stand in the way of another field.
    var other = setup.schema(hasSeats: false)
    other.types[0].fields.append(FieldSchema(name: try #require(FieldPath("color")), type: .string))
    #expect(try await setup.apply(other, 2).isApplied)
    // A whole type.
    let rest = Schema(types: [TypeSchema(name: try #require(TypeName("room")))])
    #expect(try await setup.apply(rest, 3, allowsBreaking: true).isApplied)
    let type = try await setup.apply(Schema(types: rest.types + setup.schema(seatsMax: 5).types), 4)
    #expect(!type.isApplied && type.offenders.map(\.key.id.text) == ["a"])
    #expect(try await setup.apply(Schema(types: rest.types + setup.schema(seatsMax: 7).types), 4).isApplied)
    setup.world.service.close()
  }

  @Test func onlyAskingDoesNotWaitForTheWriter() async throws {
    let setup = try Setup()
    _ = try await setup.world.bulk([setup.world.create(1, "a", [("seats", .int(7))])])
    let gate = Waiting<Bool>()
    let isQueued = setup.world.service.writer.administer { _, _ in
      _ = gate.take()
    } completion: { _ in
    }
    #expect(isQueued)
    let asked = try await setup.apply(setup.schema(), 0, validatesOnly: true)
    #expect(asked.checkedEntities == 1 && asked.offendingEntities == 0 && !asked.isApplied && asked.message.isEmpty)
    gate.put(true)
    #expect(try await setup.inForce() == nil)
    setup.world.service.close()
  }

  @Test func whatIsWrittenDuringTheWalkIsLookedAtBeforeTheSchemaIsInForce() async throws {
    let setup = try Setup()
    _ = try await setup.world.bulk((0..<3).map { try setup.world.create(UInt64($0 + 1), "e\($0)", [("seats", .int(1))]) })
    let reader = try setup.world.store.openReader()
    func look(_ check: inout SchemaCheck) throws {
      try reader.read { snapshot in
        try check.step(snapshot, try #require(try snapshot.space(named: setup.world.space)))
      }
    }
    let step = try reader.read { snapshot in
      let record = try #require(try snapshot.space(named: setup.world.space))
      return try SchemaPlan.make(
        ApplySchemaRequest(space: record.name, schema: setup.schema(seatsMax: 5), expectedVersion: 0),
        by: try #require(PrincipalName("admin")), in: record, snapshot)
    }
    guard case .plan(let plan) = step else { return #expect(Bool(false), "there is something to do") }
    var check = SchemaCheck(plan)
    try look(&check)
    // Behind the walk: one that is wrong for a moment, one that stays wrong, one that is gone, and one that is new.
    let written = try await setup.world.bulk([
      setup.world.update(11, "e0", [("seats", .int(9))], expected: 1),
      setup.world.update(12, "e0", [("seats", .int(2))], expected: 2),
      setup.world.update(13, "e1", [("seats", .int(9))], expected: 1),
      setup.world.update(14, "e2", [("seats", .int(9))], expected: 1),
      setup.world.delete(15, "e2", expected: 2), setup.world.create(16, "before", [("seats", .int(8))]),
    ])
    #expect(written.outcomes.allSatisfy { $0.code == .applied })
    while !check.isDone { try look(&check) }
    #expect(check.offenders.map(\.key.id.text) == ["before", "e1"])
    #expect(check.seen?.rawValue == 9)
    setup.world.service.close()
  }

  @Test func aNewUniqueKeyIsGivenToWhatIsThereOrRefusedForDuplicates() async throws {
    let setup = try Setup()
    let world = setup.world
    _ = try await world.bulk([
      world.create(1, "a", [("name", .string("same"))]), world.create(2, "b", [("name", .string("same"))]),
      world.create(3, "c"),
    ])
    #expect(try await setup.apply(setup.schema(), 0).isApplied)
    let refused = try await setup.apply(setup.schema(isNameUnique: true), 1)
    #expect(!refused.isApplied && refused.offenders.map(\.key.id.text) == ["b"])
    #expect(refused.offenders.first?.violations.first?.rule == "unique")
    _ = try await world.bulk([world.update(4, "b", [("name", .string("other"))], expected: 1)])
    let applied = try await setup.apply(setup.schema(isNameUnique: true), 1)
    #expect(applied.isApplied && applied.version == 2)
    let taken = try await world.bulk([world.create(5, "d", [("name", .string("same"))])])
    #expect(taken.outcomes.map(\.code) == [.uniqueViolation])
    #expect(taken.outcomes[0].related.map(\.id.text) == ["a"])
    setup.world.service.close()
  }

  @Test func aNewReferenceNeedsItsTarget() async throws {
    let setup = try Setup()
    let world = setup.world
    let room = try #require(FieldPath("room"))
    func schema(_ points: Bool) -> Schema {
      Schema(types: [
        TypeSchema(
          name: setup.type,
          fields: [FieldSchema(name: room, type: .string, reference: points ? Reference(target: setup.type) : nil)])
      ])
    }
    _ = try await world.bulk([world.create(1, "a"), world.create(2, "b", [("room", .string("nowhere"))])])
    #expect(try await setup.apply(schema(false), 0).isApplied)
    let refused = try await setup.apply(schema(true), 1)
    #expect(refused.offenders.map(\.key.id.text) == ["b"])
    #expect(refused.offenders.first?.violations.first?.rule == "reference")
    _ = try await world.bulk([world.update(3, "b", [("room", .string("a"))], expected: 1)])
    #expect(try await setup.apply(schema(true), 1).isApplied)
    let needed = try await world.bulk([world.delete(4, "a", expected: 1)])
    #expect(needed.outcomes.map(\.code) == [.referenceViolation])
    setup.world.service.close()
  }

  @Test func anEarlierSchemaComesBackAsANewVersion() async throws {
    let setup = try Setup()
    _ = try await setup.apply(setup.schema(), 0)
    _ = try await setup.apply(setup.schema(seatsMax: 5), 1)
    func back(_ to: UInt64, _ expected: UInt64) async throws -> ApplySchemaResponse {
      let answer: RollbackSchemaResponse = try await setup.world.get(
        .rollbackSchema, RollbackSchemaRequest(space: setup.world.space, toVersion: to, expectedVersion: expected))
      return answer.result
    }
    #expect(try await !back(0, 1).isApplied)
    #expect(try await !back(9, 2).isApplied)
    let done = try await back(0, 2)
    #expect(done.isApplied && done.version == 3)
    #expect(try await setup.inForce()?.schema == setup.schema())
    #expect(try await setup.inForce(2)?.schema == setup.schema(seatsMax: 5))
    let unknown = try await setup.world.reply(.getSchema, GetSchemaRequest(space: .default, version: 7))
    #expect(unknown.status?.code == .notFound)
    setup.world.service.close()
  }

  @Test func duplicatesAreFoundHoweverFarApartTheyAre() async throws {
    let setup = try Setup()
    _ = try await setup.world.bulk(
      (100..<700).map { try setup.world.create(UInt64($0), "e\($0)", [("name", .string($0 == 699 ? "100" : "\($0)"))]) })
    #expect(try await setup.apply(setup.schema(), 0).isApplied)
    let refused = try await setup.apply(setup.schema(isNameUnique: true), 1)
    #expect(!refused.isApplied && refused.offenders.map(\.key.id.text) == ["e699"])
    #expect(refused.checkedEntities == 600 && refused.offendingEntities == 1)
    setup.world.service.close()
  }

  @Test func aKeyThatWasGivenUpAndComesBackIsMadeAnew() async throws {
    let setup = try Setup()
    let world = setup.world
    _ = try await world.bulk([world.create(1, "a", [("name", .string("old"))])])
    #expect(try await setup.apply(setup.schema(isNameUnique: true), 0).isApplied)
    #expect(try await setup.apply(setup.schema(), 1).isApplied)
    let moved = try await world.bulk([
      world.update(2, "a", [("name", .string("new"))], expected: 1), world.create(3, "b", [("name", .string("old"))]),
    ])
    #expect(moved.outcomes.map(\.code) == [.applied, .applied])
    #expect(try await setup.apply(setup.schema(isNameUnique: true), 2).isApplied)
    let taken = try await world.bulk([world.create(4, "c", [("name", .string("old"))])])
    #expect(taken.outcomes.map(\.code) == [.uniqueViolation] && taken.outcomes[0].related.map(\.id.text) == ["b"])
    setup.world.service.close()
  }

  @Test func aReferenceThatWasGivenUpAndComesBackIsMadeAnew() async throws {
    let setup = try Setup()
    let world = setup.world
    let room = try #require(FieldPath("room"))
    func schema(_ points: Bool) -> Schema {
      Schema(types: [
        TypeSchema(
          name: setup.type,
          fields: [FieldSchema(name: room, type: .string, reference: points ? Reference(target: setup.type) : nil)])
      ])
    }
    _ = try await world.bulk([world.create(1, "a"), world.create(2, "b"), world.create(3, "x", [("room", .string("a"))])])
    #expect(try await setup.apply(schema(true), 0).isApplied)
    #expect(try await setup.apply(schema(false), 1).isApplied)
    _ = try await world.bulk([world.update(4, "x", [("room", .string("b"))], expected: 1)])
    #expect(try await setup.apply(schema(true), 2).isApplied)
    let deleted = try await world.bulk([world.delete(5, "a", expected: 1), world.delete(6, "b", expected: 1)])
    #expect(deleted.outcomes.map(\.code) == [.applied, .referenceViolation])
    setup.world.service.close()
  }

  @Test func whatABreakingChangeLeavesBehindIsLeftWhenItWasInsistedOn() async throws {
    let setup = try Setup()
    let world = setup.world
    _ = try await world.bulk([world.create(1, "a", [("name", .string("A")), ("seats", .int(2))])])
    #expect(try await setup.apply(setup.schema(), 0).isApplied)
    #expect(try await !setup.apply(setup.schema(hasSeats: false), 1).isApplied)
    let insisted = try await setup.apply(setup.schema(hasSeats: false), 1, allowsBreaking: true)
    #expect(insisted.isApplied && insisted.offendingEntities == 0)
    #expect(try await world.entity("a")?.fields == CanonicalFields(world.fieldsOf([("name", .string("A")), ("seats", .int(2))])))
    // What was left is not held against an update of something else.
    let edited = try await world.bulk([world.update(2, "a", [("name", .string("B"))], expected: 1)])
    #expect(edited.outcomes.map(\.code) == [.applied])
    setup.world.service.close()
  }

  @Test func theFirstSchemaDescribesEveryTypeThatIsThere() async throws {
    let setup = try Setup()
    let other = try #require(TypeName("other"))
    _ = try await setup.world.bulk([setup.world.create(1, "a")])
    let refused = try await setup.apply(Schema(types: [TypeSchema(name: other)]), 0)
    #expect(!refused.isApplied && refused.offenders.map(\.key.id.text) == ["a"])
    #expect(refused.offenders.first?.violations.first?.rule == "unknown_type")
    setup.world.service.close()
  }

  @Test func goingBackMayBreakProgramsWithoutAsking() async throws {
    let setup = try Setup()
    #expect(try await setup.apply(setup.schema(hasSeats: false), 0).isApplied)
    #expect(try await setup.apply(setup.schema(), 1).isApplied)
    let answer: RollbackSchemaResponse = try await setup.world.get(
      .rollbackSchema, RollbackSchemaRequest(space: setup.world.space, toVersion: 1, expectedVersion: 2))
    #expect(answer.result.isApplied && answer.result.version == 3)
    #expect(answer.result.changes.contains { $0.compatibility == .breaking })
    setup.world.service.close()
  }
}
