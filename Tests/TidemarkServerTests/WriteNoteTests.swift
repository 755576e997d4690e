import Testing
import TidemarkCore
import TidemarkWire

@testable import TidemarkServer

/// What is counted and logged of writes.
@Suite struct WriteNoteTests {
  @Test func refusalsAreLoggedWithoutWhatTheFieldsHold() async throws {
    let world = try BulkWorld()
    let secret = "hunter-of-secrets"
    _ = try await world.bulk([world.create(1, "a", [("password", .string(secret))])])
    _ = try await world.bulk([
      world.create(2, "a", [("password", .string(secret))]), world.update(3, "a", [("password", .string(secret))], expected: 7),
    ])
    let lines = world.log.lines
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { !$0.contains(secret) && !$0.contains("password") })
    let conflict = try #require(lines.last)
    for part in ["outcome=conflict", "space=default", "type=booking", "id=a", "expected=7", "actual=1", "principal="] {
      #expect(conflict.contains(part), "\(part)")
    }
    world.service.close()
  }

  @Test func brokenRulesAreLoggedWithoutWhatTheFieldsHold() async throws {
    let world = try BulkWorld()
    let secret = "hunter-of-secrets"
    let (name, room) = (try #require(FieldPath("name")), try #require(FieldPath("room")))
    let schema = Schema(types: [
      TypeSchema(
        name: world.type,
        fields: [
          FieldSchema(name: name, type: .string, lengthMax: 20),
          FieldSchema(name: room, type: .string, reference: Reference(target: world.type)),
        ], uniqueKeys: [UniqueKey(name: name, fields: [name])])
    ])
    let applied: ApplySchemaResponse = try await world.get(
      .applySchema,
      ApplySchemaRequest(space: world.space, schema: schema, expectedVersion: 0, validatesOnly: false, allowsBreaking: false))
    #expect(applied.isApplied)
    let answer = try await world.bulk([
      world.create(1, "a", [("name", .string(secret))]), world.create(2, "b", [("name", .string(secret))]),
      world.create(3, "c", [("room", .string(secret))]), world.create(4, "d", [("name", .string(secret + secret))]),
      world.create(5, "e", [("other", .string(secret))]),
    ])
    #expect(answer.outcomes.map(\.code) == [.applied, .uniqueViolation, .referenceViolation, .invalid, .invalid])
    // What people are told may name what the log must not.
    #expect(answer.outcomes[2].message.contains(secret))
    #expect(world.log.lines.count == 4)
    #expect(world.log.lines.allSatisfy { !$0.contains(secret) })
    world.service.close()
  }

  @Test func aFloodOfRefusalsIsCutShort() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([world.create(1, "a")])
    _ = try await world.bulk((0..<500).map { try world.create(UInt64(10 + $0), "a") })
    #expect(world.log.lines.count == ConflictLog.burstMax)
    world.service.close()
  }

  @Test func writesAreCountedByOutcomeAndRetriesApart() async throws {
    let world = try BulkWorld()
    let items = try [world.create(1, "a"), world.create(2, "b"), world.create(3, "a")]
    _ = try await world.bulk(items)
    let request = BulkWriteRequest(space: .default, items: items)
    let _: BulkWriteResponse = try await world.get(.bulkWrite, request, attempt: 2)
    _ = try await world.bulk([world.create(4, "c")], validatesOnly: true)
    let info: GetServerInfoResponse = try await world.get(.getServerInfo, GetServerInfoRequest())
    #expect(info.writes.map(\.outcome) == [.applied, .alreadyExists])
    #expect(info.writes.map(\.writes) == [2, 1])
    #expect(info.writes.map(\.retries) == [2, 1])
    world.service.close()
  }

  @Test func theNamesThatAreCountedApartAreBounded() throws {
    let counters = WriteCounters()
    func add(_ code: OutcomeCode, _ type: String, _ space: String) throws {
      let outcome = Outcome(
        code: code, type: try #require(TypeName(type)), id: nil, operation: BulkWorld.operation(1),
        epoch: Epoch(rawValue: Bytes16(high: 0, low: 0)))
      counters.add([outcome], space: try #require(SpaceName(space)), isRetry: false)
    }
    func writes(_ space: String, _ type: String) -> UInt64? {
      counters.all.first { $0.space.text == space && $0.type.text == type }?.writes
    }
    // Names that nobody ever wrote take no place, and one space does not take that of all.
    for number in 0..<5_000 { try add(.invalid, "unknown\(number)", "a") }
    #expect(counters.all.count == 1 && writes("a", "other") == 5_000)
    for number in 0..<(WriteCounters.typesPerSpaceMax + 50) { try add(.applied, "t\(number)", "b") }
    #expect(writes("b", "other") == 50 && writes("b", "t0") == 1)
    try add(.applied, "booking", "c")
    try add(.conflict, "booking", "c")
    #expect(counters.all.filter { $0.space.text == "c" }.map(\.writes) == [1, 1])
    for number in 0..<WriteCounters.labelsMax { try add(.applied, "t", "s\(number)") }
    #expect(counters.all.count <= WriteCounters.labelsMax + 10)
    #expect(writes("other", "other").map { $0 > 500 } == true)
  }
}
