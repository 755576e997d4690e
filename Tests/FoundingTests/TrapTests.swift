import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// How systems like this one failed, by the numbers of the list.
  @Suite struct Traps {
    /// The connection goes away as soon as the bulk is sent; half of its items are stale.
    @Test(arguments: EngineUnderTest.all) func trap8ARetryOfAHalfFailedBulkMakesNoDuplicateAndNoFalseConflict(
      engine: EngineUnderTest
    ) throws {
      let world = try World(engine, seed: makeSeed())
      let steady = try world.connect()
      for round in 0..<60 {
        let names = (0..<10).map { "r\(round)-\($0)" }
        _ = try world.bulk(steady, names.map { try world.create("thing", $0, [("n", .int(0))]) })
        // Half is made against a version that is not there, and some are new.
        var items = try names.enumerated().map { try world.update("thing", $1, [("n", .int(1))], expected: $0 % 2 == 0 ? 1 : 9) }
        items += try (0..<3).map { try world.create("thing", "r\(round)-new\($0)", [("n", .int(1))]) }
        items.shuffle(using: &world.random)
        let before = try world.revision(steady)
        for _ in 0..<2 {
          let lost = try world.connect()
          _ = try world.start(lost, items)
        }
        let codes = items.map { $0.action.expected?.version.rawValue == 9 ? OutcomeCode.conflict : .applied }
        let again = try world.bulk(steady, items).outcomes
        #expect(again.map(\.code) == codes)
        let onceMore = try world.bulk(steady, items).outcomes
        #expect(onceMore.map(\.code) == codes && onceMore.allSatisfy { $0.isReplay })
        #expect(zip(again, onceMore).allSatisfy { $0.version == $1.version && $0.revision == $1.revision })
        #expect(try world.revision(steady) == before + 8)
      }
      try world.expectSound(steady)
    }

    @Test(arguments: EngineUnderTest.all) func trap8ARetryOfALostWriteIsAnsweredWithItsFirstOutcome(engine: EngineUnderTest)
      throws
    {
      let world = try World(engine, seed: makeSeed())
      let steady = try world.connect()
      for round in 0..<60 {
        let item = try world.create("thing", "r\(round)", [("n", .int(1))])
        let lost = try world.connect()
        _ = try lost.start(item, in: world.space)
        let again = try steady.write(item, in: world.space)
        #expect(again.code == .applied && again.version == .first)
      }
      #expect(try world.revision(steady) == 60)
    }

    /// What an item points to is answered from its receipt: the id that the server made then, and the entity that was found then.
    @Test(arguments: EngineUnderTest.all) func trap8ARetriedItemPointsToWhatTheFirstAttemptMadeOrFound(engine: EngineUnderTest)
      throws
    {
      let world = try World(engine, schema: "classroom", seed: makeSeed())
      let client = try world.connect()
      _ = try client.write(world.create("user", "ann", [("login", .string("ann"))]), in: world.space)
      let owner = try #require(FieldPath("owner"))
      let made = try world.item("user", nil, .create(makeFields([("login", .string("bob"))])))
      let found = try world.getOrCreate("user", "ann-of-this-device", [("login", .string("ann"))])
      // The kind of a project is missing: both are refused.
      let projects = try (0..<2).map { number in
        var project = try world.create("project", "p\(number)", [("name", .string("p"))])
        project.references = [ItemReference(field: owner, item: number)]
        return project
      }
      let first = try world.bulk(client, [made, found] + projects).outcomes
      #expect(first.map(\.code) == [.applied, .unchanged, .invalid, .invalid])
      let mended = try projects.map { project in
        var again = try world.create("project", #require(project.id).text, [("name", .string("p")), ("type", .string("scene"))])
        again.references = project.references
        return again
      }
      let second = try world.bulk(client, [made, found] + mended).outcomes
      #expect(second.map(\.code) == [.applied, .unchanged, .applied, .applied])
      #expect(second.map(\.isReplay) == [true, true, false, false])
      #expect(try world.values(client, "project", "p0")[text: "owner"] == .string(#require(first[0].id).text))
      #expect(try world.values(client, "project", "p1")[text: "owner"] == .string("ann"))
    }

    @Test(arguments: EngineUnderTest.all) func trap13OfTwoCreatesOfOneIDOneWins(engine: EngineUnderTest) throws {
      let world = try World(engine, seed: makeSeed())
      let clients = try world.connect(2)
      for round in 0..<200 {
        let items = try (0..<2).map { try world.create("thing", "r\(round)", [("by", .int(Int64($0)))]) }
        let codes = try world.race(clients, items).map(\.code)
        #expect(codes == [.applied, .alreadyExists] || codes == [.alreadyExists, .applied])
        let winner = codes[0] == .applied ? 0 : 1
        #expect(try world.values(clients[0], "thing", "r\(round)")[text: "by"] == .int(Int64(winner)))
      }
      // Two bulks of the same ids in opposite orders.
      let bulks = try (0..<2).map { number in
        let items = try (0..<500).map { try world.create("thing", "b\($0)", [("by", .int(Int64(number)))]) }
        return number == 0 ? items : items.reversed()
      }
      let streams = try zip(clients, bulks).map { try world.start($0, $1) }
      let answers = try zip(clients, streams).map { try world.outcomes($0, $1) }
      #expect(zip(answers[0], answers[1].reversed()).allSatisfy { ($0.code == .applied) != ($1.code == .applied) })
      #expect(try world.revision(clients[0]) == 700)
    }

    /// The client lost the reply: it asks what became of each item, and sends only the failed ones again.
    @Test(arguments: EngineUnderTest.all) func trap14OnlyTheFailedItemsOfABulkAreRetried(engine: EngineUnderTest) throws {
      let world = try World(engine, seed: makeSeed())
      let client = try world.connect()
      let names = (0..<100).map { "e\($0)" }
      _ = try world.bulk(client, names.map { try world.create("thing", $0, [("n", .int(0))]) })
      let stale = names.filter { _ in Bool.random(using: &world.random) }
      _ = try world.bulk(client, stale.map { try world.update("thing", $0, [("other", .int(1))], expected: 1) })
      let items = try names.map { try world.update("thing", $0, [("n", .int(5))], expected: 1) }
      _ = try world.bulk(client, items)
      let known: GetOutcomesResponse = try client.get(
        .getOutcomes, GetOutcomesRequest(space: world.space, operations: items.map(\.operation)))
      let failed = zip(items, known.results).filter { $0.1.outcome?.code == .conflict }.map(\.0)
      #expect(failed.map { $0.id?.text } == stale)
      #expect(known.results.allSatisfy { $0.outcome?.code == .applied || $0.outcome?.code == .conflict })
      let retried = try world.bulk(
        client, failed.map { try world.update("thing", #require($0.id).text, [("n", .int(5))], expected: 2) })
      #expect(retried.outcomes.allSatisfy { $0.code == .applied && $0.version?.rawValue == 3 })
      for name in names {
        let entity = try world.entity(client, "thing", name)
        #expect(entity.version.rawValue == (stale.contains(name) ? 3 : 2))
        #expect(try entity.fields.decoded()[text: "n"] == .int(5))
      }
    }

    @Test(arguments: EngineUnderTest.all) func trap15AQueueLongerThanTheAdvertisedLimitIsRefusedClearlyAndNothingIsDone(
      engine: EngineUnderTest
    ) throws {
      let world = try World(engine, seed: makeSeed())
      let client = try world.connect()
      let raw = try RawConnection(port: world.daemon.port)
      raw.send(opening)
      var bytes = ArraySlice(try #require(raw.receive()))
      let hello = try #require(Frame(takingFrom: &bytes)).payload.withUnsafeBytes { try Hello.decode($0) }
      let limit = Int(hello.bulkItemsMax)
      #expect(limit == 1_000)
      let items = try (0...limit).map { try world.create("thing", "e\($0)") }
      let reply = try client.call(.bulkWrite, BulkWriteRequest(space: world.space, items: items))
      #expect(reply.code == .invalidArgument)
      let status = try #require(reply.status)
      #expect(status.message.contains("items") && status.message.contains("1000"), "\(status.message)")
      #expect(try world.revision(client) == 0)
      // Cut by the limit, the same writes with the same ids go through.
      for part in [items.prefix(limit), items.dropFirst(limit)] {
        #expect(try world.bulk(client, Array(part)).outcomes.allSatisfy { $0.code == .applied && !$0.isReplay })
      }
      #expect(try world.revision(client) == UInt64(limit) + 1)
    }

    /// Both devices made the same login while they were offline, and went on working with it.
    @Test(arguments: EngineUnderTest.all) func trap16AUniqueKeyMadeOnTwoOfflineDevicesJamsNeither(engine: EngineUnderTest) throws
    {
      let world = try World(engine, schema: "classroom", seed: makeSeed())
      let devices = try world.connect(2)
      let queues = try (0..<2).map { number in
        var project = try world.create(
          "project", "p\(number)", [("name", .string("mine \(number)")), ("type", .string("scene"))])
        project.references = [ItemReference(field: try #require(FieldPath("owner")), item: 0)]
        return try [
          world.create("user", "u\(number)", [("login", .string("ann"))]), project,
          world.create("group", "g\(number)", [("name", .string("group \(number)"))]),
        ]
      }
      #expect(try world.bulk(devices[0], queues[0]).outcomes.allSatisfy { $0.code == .applied })
      let second = try world.bulk(devices[1], queues[1]).outcomes
      #expect(second.map(\.code) == [.uniqueViolation, .aborted, .applied])
      #expect(second[0].related.map(\.id.text) == ["u0"] && second[0].code.retryAdvice == .refresh)
      #expect(second[1].cause == 0 && second[1].code.retryAdvice == .same)
      // The device takes the user that is there; what waited for its own goes on with the same operation id.
      let mended = try world.getOrCreate("user", "u1", [("login", .string("ann"))])
      let retried = try world.bulk(devices[1], [mended, queues[1][1]]).outcomes
      #expect(retried.map(\.code) == [.unchanged, .applied] && retried[0].id?.text == "u0")
      #expect(try world.values(devices[1], "project", "p1")[text: "owner"] == .string("u0"))
      // Neither is jammed: both go on, and a queue sent again is answered from its receipts.
      for (number, device) in devices.enumerated() {
        let more = try world.update("project", "p\(number)", [("code", .string("x"))], expected: 1)
        #expect(try device.write(more, in: world.space).code == .applied)
      }
      let replayed = try world.bulk(devices[0], queues[0]).outcomes
      #expect(replayed.allSatisfy { $0.code == .applied && $0.isReplay })
      try world.expectSound(devices[0])
    }

    @Test(arguments: EngineUnderTest.all, [false, true])
    func trap18ADeleteThenACreateWithTheSameIDKeepsTheCreate(engine: EngineUnderTest, inOneBulk: Bool) throws {
      let world = try World(engine, seed: makeSeed())
      let client = try world.connect()
      for round in 0..<50 {
        let id = "e\(round)"
        _ = try client.write(world.create("thing", id, [("old", .int(1))]), in: world.space)
        let items = try [world.delete("thing", id, expected: 1), world.create("thing", id, [("new", .int(2))])]
        let outcomes =
          try inOneBulk ? world.bulk(client, items).outcomes : items.map { try client.write($0, in: world.space) }
        #expect(outcomes.map(\.code) == [.applied, .applied])
        let entity = try world.entity(client, "thing", id)
        #expect(entity.life == .alive && entity.version.rawValue == 3)
        let fields = try entity.fields.decoded()
        #expect(fields[text: "new"] == .int(2) && fields[text: "old"] == nil)
        // A device that still knows the first one is told.
        let late = try client.write(world.update("thing", id, [("old", .int(3))], expected: 1), in: world.space)
        #expect(late.code == .conflict && late.conflict?.current?.version.rawValue == 3)
        // And both again, as after a lost reply.
        #expect(try world.bulk(client, items).outcomes.allSatisfy { $0.isReplay && $0.code == .applied })
      }
      #expect(try world.revision(client) == 150)
      try world.expectSound(client)
    }
  }
}
