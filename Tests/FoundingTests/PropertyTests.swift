import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// The ten properties of versioned entities on every engine, each over 100 or more random cases.
  @Suite struct C6 {
    /// How many random cases there are.
    static func cases(_ engine: EngineUnderTest) -> Int { engine == .sqlite ? 200 : 100 }

    private func world(_ engine: EngineUnderTest, _ test: String = #function) throws -> World {
      try World(engine, seed: makeSeed("\(test) \(engine)"))
    }

    /// Makes an entity and updates it some times; its version then.
    private func grow(_ world: World, _ client: FramedConnection, _ id: String) throws -> UInt64 {
      var items = [try world.create("thing", id, world.fields())]
      for index in 0..<Int.random(in: 0...4, using: &world.random) {
        var item = try world.update("thing", id, [("step", .int(Int64(index)))], expected: 1)
        item.afterItem = index
        items.append(item)
      }
      let outcomes = try world.bulk(client, items).outcomes
      try #require(outcomes.allSatisfy { $0.code == .applied })
      return try #require(outcomes.last?.version).rawValue
    }

    @Test(arguments: EngineUnderTest.all) func c6InitialVersionIsOne(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      for index in 0..<C6.cases(engine) {
        // Whatever the fields are called: no client sets a version.
        let fields = world.fields() + [("version", .int(Int64.random(in: 2...99, using: &world.random)))]
        let item =
          index % 2 == 0 ? try world.create("thing", "e\(index)", fields) : try world.getOrCreate("thing", "e\(index)", fields)
        let outcome = try world.race([client], [item])[0]
        #expect(outcome.code == .applied && outcome.version == .first)
        #expect(try world.entity(client, "thing", "e\(index)").version == .first)
      }
      try world.expectSound(client)
    }

    @Test(arguments: EngineUnderTest.all) func c6EveryAcceptedChangeAddsExactlyOne(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      var version: UInt64 = 1
      _ = try client.write(world.create("thing", "e", [("n", .int(0))]), in: world.space)
      for index in 1...C6.cases(engine) {
        let isAlive = try world.entity(client, "thing", "e").life == .alive
        let fresh: [(String, Value)] = [("n", .int(Int64(index)))] + world.fields()
        let action: WriteAction =
          switch Int.random(in: 0..<4, using: &world.random) {
          case _ where !isAlive: .restore(.at(version))
          case 0: .delete(.at(version))
          case 1: .replace(try makeFields(fresh), .at(version))
          default: try world.update("thing", "e", fresh, expected: version).action
          }
        let outcome = try client.write(world.item("thing", "e", action), in: world.space)
        version += 1
        #expect(outcome.code == .applied && outcome.version?.rawValue == version, "case \(index)")
      }
      #expect(try world.revision(client) == UInt64(C6.cases(engine)) + 1)
      try world.expectSound(client)
    }

    @Test(arguments: EngineUnderTest.all) func c6AVersionIsRequired(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      _ = try client.write(world.create("thing", "e", [("n", .int(0))]), in: world.space)
      for _ in 0..<C6.cases(engine) {
        let actions: [WriteAction] = [
          try world.update("thing", "e", world.fields(), expected: 0).action, .replace(try makeFields(world.fields()), .at(0)),
          .delete(.at(0)), .restore(.at(0)),
        ]
        let item = try world.item("thing", "e", actions.randomElement(using: &world.random) ?? actions[0])
        let isBulk = Bool.random(using: &world.random)
        let reply =
          isBulk
          ? try client.call(.bulkWrite, BulkWriteRequest(space: world.space, items: [item]))
          : try client.reply(to: client.start(item, in: world.space))
        // In a bulk it is the item that is refused, and not the call.
        let response: BulkWriteResponse? = isBulk ? try client.decode(reply) : nil
        #expect(isBulk ? response?.outcomes.map(\.code) == [.invalid] : reply.code == .invalidArgument)
        let message = try #require(response?.outcomes.first?.message ?? reply.status?.message)
        #expect(message.contains("which version") || message.contains("expected"), "\(message)")
      }
      #expect(try world.entity(client, "thing", "e").version == .first)
      #expect(try world.revision(client) == 1)
    }

    @Test(arguments: EngineUnderTest.all) func c6TheCurrentVersionSucceeds(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      for index in 0..<C6.cases(engine) {
        let version = try grow(world, client, "e\(index)")
        let fields = world.fields() + [("mine", .int(Int64(index)))]
        let outcome = try client.write(world.update("thing", "e\(index)", fields, expected: version), in: world.space)
        #expect(outcome.code == .applied && outcome.version?.rawValue == version + 1)
        let stored = try world.values(client, "thing", "e\(index)")
        #expect(fields.allSatisfy { stored[text: $0.0] == $0.1 })
      }
    }

    @Test(arguments: EngineUnderTest.all) func c6AnotherVersionConflictsAndChangesNothing(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      for index in 0..<C6.cases(engine) {
        let version = try grow(world, client, "e\(index)")
        let before = try world.entity(client, "thing", "e\(index)")
        var wrong = UInt64.random(in: 1...(version + 3), using: &world.random)
        if wrong == version { wrong = version + 1 }
        let actions: [WriteAction] = [
          try world.update("thing", "e", world.fields(), expected: wrong).action, .replace(Fields(), .at(wrong)),
          .delete(.at(wrong)),
          .restore(.at(wrong)),
        ]
        let action = try #require(actions.randomElement(using: &world.random))
        let outcome = try client.write(world.item("thing", "e\(index)", action), in: world.space)
        #expect(outcome.code == .conflict, "expected \(wrong) at \(version)")
        #expect(try world.entity(client, "thing", "e\(index)") == before)
      }
    }

    @Test(arguments: EngineUnderTest.all) func c6EveryAnswerCarriesTheVersion(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      for index in 0..<C6.cases(engine) {
        let id = "e\(index)"
        let version = try grow(world, client, id)
        let key = EntityKey(type: try #require(TypeName("thing")), id: try makeID(id))
        #expect(try client.entity(key, in: world.space).version.rawValue == version)
        let many: BatchGetResponse = try client.get(.batchGet, BatchGetRequest(space: world.space, keys: [key]))
        #expect(many.results.first?.entity?.version.rawValue == version)
        let answers = try world.bulk(
          client,
          [
            world.getOrCreate("thing", id, []), world.create("thing", id),
            world.update("thing", id, [("z", .int(1))], expected: 99),
            world.update("thing", id, [("z", .int(1))], expected: version),
            world.update("thing", id, [("z", .int(1))], expected: version + 1),
            world.delete("thing", id, expected: version + 1),
          ], returnsEntities: true)
        let codes: [OutcomeCode] = [.unchanged, .alreadyExists, .conflict, .applied, .unchanged, .applied]
        #expect(answers.outcomes.map(\.code) == codes)
        // What was refused is told from the state after the whole bulk.
        let versions = [version, version + 2, version + 2, version + 1, version + 1, version + 2]
        #expect(answers.outcomes.map { $0.version?.rawValue } == versions)
        #expect(zip(answers.outcomes, versions).allSatisfy { $0.entity.map { $0.version.rawValue } ?? $1 == $1 })
      }
    }

    @Test(arguments: EngineUnderTest.all) func c6AConflictTellsWhatIsNeeded(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      for index in 0..<C6.cases(engine) {
        let id = "e\(index)"
        let name = "n\(index)"
        _ = try client.write(world.create("thing", id, [(name, .int(0)), ("theirs", .int(0))]), in: world.space)
        _ = try client.write(world.update("thing", id, [("theirs", .int(1))], expected: 1), in: world.space)
        let overlaps = Bool.random(using: &world.random)
        let outcome = try client.write(
          world.update("thing", id, [(overlaps ? "theirs" : name, .int(2))], expected: 1), in: world.space)
        #expect(outcome.code == .conflict && outcome.type.text == "thing" && outcome.id?.text == id)
        #expect(outcome.version?.rawValue == 2 && outcome.code.retryAdvice == .refresh)
        #expect(outcome.message.contains("1") && outcome.message.contains("2") && outcome.message.hasSuffix("."))
        let conflict = try #require(outcome.conflict)
        #expect(conflict.expected?.version.rawValue == 1)
        #expect(try conflict.current == world.entity(client, "thing", id))
        #expect(conflict.base?.version == .first)
        #expect(conflict.changes.map(\.name.text) == ["theirs"])
        #expect(conflict.changes.first?.before == .int(0) && conflict.changes.first?.after == .int(1))
        #expect(conflict.overlapping.map(\.text) == (overlaps ? ["theirs"] : []))
      }
    }

    @Test(arguments: EngineUnderTest.all) func c6EveryItemOfABulkIsJudgedOnItsOwn(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let client = try world.connect()
      for round in 0..<C6.cases(engine) {
        let count = Int.random(in: 1...12, using: &world.random)
        let made = try world.bulk(client, (0..<count).map { try world.create("thing", "\(round)-\($0)", [("n", .int(0))]) })
        #expect(made.outcomes.allSatisfy { $0.code == .applied })
        let stale = (0..<count).map { _ in Bool.random(using: &world.random) }
        let updates = try stale.enumerated().map {
          try world.update("thing", "\(round)-\($0)", [("n", .int(7))], expected: $1 ? 2 : 1)
        }
        let answer = try world.bulk(client, updates)
        #expect(answer.outcomes.map(\.code) == stale.map { $0 ? .conflict : .applied })
        #expect(answer.outcomes.map { $0.version?.rawValue } == stale.map { $0 ? 1 : 2 })
        #expect(zip(answer.outcomes, stale).allSatisfy { $0.conflict?.current != nil || !$1 })
        #expect(answer.revision.rawValue == made.revision.rawValue + UInt64(stale.count { !$0 }))
      }
      try world.expectSound(client)
    }
  }
}
