import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// The resource planner: bookings that several planners change.
  @Suite struct Planner {
    private func world(_ test: String = #function) throws -> World { try World(schema: "planner", seed: makeSeed(test)) }

    /// Makes what bookings point to, and some bookings.
    private func fill(_ world: World, _ client: FramedConnection, bookings: Int) throws {
      let items = try [
        world.create("portfolio", "folio", [("name", .string("Bridges"))]),
        world.create("program", "prog", [("portfolio", .string("folio")), ("name", .string("Roads"))]),
        world.create("project", "p", [("program", .string("prog")), ("name", .string("North bridge"))]),
        world.create("resource", "r", [("name", .string("Crane")), ("kind", .string("non_labor"))]),
      ]
      let answer = try world.bulk(client, items + (0..<bookings).map { try booking(world, $0) }).outcomes
      try #require(answer.allSatisfy { $0.code == .applied }, "\(answer.filter { $0.code != .applied })")
    }

    private func booking(_ world: World, _ number: Int) throws -> WriteItem {
      try world.create(
        "resource_assignment", "b\(number)",
        [
          ("project", .string("p")), ("resource", .string("r")), ("allocation_percent", .double(50)),
          ("date", .timestamp(Timestamp(rawValue: Int64(number) * 86_400_000_000))),
        ])
    }

    private func change(_ world: World, _ number: Int, _ percent: Double, expected: UInt64) throws -> WriteItem {
      try world.update("resource_assignment", "b\(number)", [("allocation_percent", .double(percent))], expected: expected)
    }

    @Test func c2VersionsBeginAtOneGrowByOneAndAreNeverSetByAClient() throws {
      let world = try world()
      let client = try world.connect()
      try fill(world, client, bookings: 1)
      #expect(try world.entity(client, "resource_assignment", "b0").version == .first)
      for version in UInt64(1)...20 {
        let outcome = try client.write(change(world, 0, Double(version), expected: version), in: world.space)
        #expect(outcome.code == .applied && outcome.version?.rawValue == version + 1)
      }
      let without = try client.reply(to: client.start(change(world, 0, 1, expected: 0), in: world.space))
      #expect(without.code == .invalidArgument)
      // The version is no field: the schema does not know it.
      let outcome = try client.write(
        world.update("resource_assignment", "b0", [("version", .int(1))], expected: 21), in: world.space)
      #expect(outcome.code == .invalid && outcome.violations.first?.field?.text == "version")
      #expect(try world.entity(client, "resource_assignment", "b0").version.rawValue == 21)
    }

    @Test func c2AnUpdateWithoutAnyExpectedStateIsRefused() throws {
      let world = try world()
      let client = try world.connect()
      try fill(world, client, bookings: 1)
      // As a program would send it that knows nothing of versions: no field 5 at all.
      let parts: [(UInt8, [UInt8])] = [
        (0x0A, Array("default".utf8)), (0x12, Array("resource_assignment".utf8)), (0x1A, Array("b0".utf8)),
        (0x22, [0x0A, 4] + Array("note".utf8) + [0x12, 4, 0x2A, 2, 0x68, 0x69]),
      ]
      let bytes = parts.flatMap { [$0.0, UInt8($0.1.count)] + $0.1 }
      let program = try world.connect()
      program.send(.call(TidemarkWire.Method.update.rawValue, stream: 1_001, bytes))
      let reply = try program.reply(to: 1_001)
      #expect(reply.code == .invalidArgument)
      let message = try #require(reply.status).message
      #expect(message.contains("which version"), "\(message)")
      #expect(try world.entity(client, "resource_assignment", "b0").version == .first)
    }

    @Test func c3AConflictNamesTypeIDAndCurrentStateForPeople() throws {
      let world = try world()
      let client = try world.connect()
      try fill(world, client, bookings: 1)
      _ = try client.write(change(world, 0, 80, expected: 1), in: world.space)
      let reply = try client.reply(to: client.start(change(world, 0, 20, expected: 1), in: world.space))
      #expect(reply.code == .aborted)
      let outcome = try client.outcome(of: reply)
      #expect(outcome.code == .conflict)
      #expect(outcome.type.text == "resource_assignment" && outcome.id?.text == "b0")
      let current = try #require(outcome.conflict?.current)
      #expect(current.version.rawValue == 2)
      #expect(try current.fields.decoded()[text: "allocation_percent"] == .double(80))
      #expect(outcome.conflict?.overlapping.map(\.text) == ["allocation_percent"])
      #expect(outcome.message.contains("changed") && outcome.message.hasSuffix("."))
    }

    @Test func c4ABulkOfBookingsToldEachByEach() throws {
      let world = try world()
      let client = try world.connect()
      try fill(world, client, bookings: 6)
      for number in [1, 4] { _ = try client.write(change(world, number, 10, expected: 1), in: world.space) }
      let mixed = try world.bulk(client, (0..<6).map { try change(world, $0, 90, expected: 1) }).outcomes
      #expect(mixed.map(\.code) == [.applied, .conflict, .applied, .applied, .conflict, .applied])
      #expect(mixed.map { $0.version?.rawValue } == [2, 2, 2, 2, 2, 2])
      for failed in [mixed[1], mixed[4]] {
        #expect(try failed.conflict?.current?.fields.decoded()[text: "allocation_percent"] == .double(10))
      }
      let before = try world.revision(client)
      let failed = try world.bulk(client, (0..<6).map { try change(world, $0, 5, expected: 1) }).outcomes
      #expect(failed.allSatisfy { $0.code == .conflict && $0.conflict?.current?.version.rawValue == 2 })
      let kinds = try world.bulk(
        client,
        [
          change(world, 9, 5, expected: 1), change(world, 0, 101, expected: 2), booking(world, 0),
          world.delete("resource", "r", expected: 1),
        ]
      ).outcomes
      #expect(kinds.map(\.code) == [.notFound, .invalid, .alreadyExists, .referenceViolation])
      #expect(kinds.allSatisfy { !$0.message.isEmpty })
      #expect(try world.revision(client) == before)
      let empty = try client.call(.bulkWrite, BulkWriteRequest(space: world.space, items: []))
      #expect(empty.code == .invalidArgument)
      #expect(try #require(empty.status).message.contains("items"))
      try world.expectSound(client)
    }

    @Test func c5TheLogOfConflictsHoldsNoFieldOfABooking() throws {
      let world = try world()
      let client = try world.connect()
      try fill(world, client, bookings: 1)
      let note = "planted-\(world.word())"
      let item = try world.update("resource_assignment", "b0", [("note", .string(note))], expected: 7)
      #expect(try client.write(item, in: world.space).code == .conflict)
      #expect(world.daemon.terminate() == 0)
      world.daemon.waitForLog()
      let line = try #require(world.daemon.log.split(separator: "\n").first { $0.contains("a write was refused") })
      let parts = ["type=resource_assignment", "id=b0", "expected=7", "actual=1", "principal=developer", "outcome=conflict"]
      #expect(parts.allSatisfy { line.contains($0) }, "\(line)")
      #expect(!world.daemon.log.contains(note))
    }
  }
}
