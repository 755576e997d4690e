import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Many clients that write the same entity at once, each on its own connection; on PostgreSQL half of them to each of two nodes.
  @Suite struct RaceTests {
    private static let clients = 16

    @Test(arguments: EngineUnderTest.all) func ofSixteenUpdatesOfOneVersionExactlyOneIsAppliedInEveryRound(
      engine: EngineUnderTest
    ) throws {
      let rounds: UInt64 = 1_000
      let nodes = try Nodes(engine)
      let clients = try nodes.connect(RaceTests.clients)
      var maker = try WriteMaker(seed: makeSeed())
      #expect(try clients[0].write(maker.create("seat", [("holder", .int(-1))]), in: .default).code == .applied)
      for version in 1...rounds {
        let streams = try clients.enumerated().map { number, client in
          // Each writes the contested field and one of its own.
          let fields: [(String, Value)] = [("holder", .int(Int64(number))), ("from\(number)", .int(Int64(version)))]
          return try client.start(maker.update("seat", fields, expected: version), in: .default)
        }
        let outcomes = try zip(clients, streams).map { try $0.outcome(of: $0.reply(to: $1)) }
        try #require(outcomes.count { $0.code == .applied } == 1, "round \(version)")
        let winner = try #require(outcomes.firstIndex { $0.code == .applied })
        try #require(outcomes[winner].version?.rawValue == version + 1)
        for loser in outcomes.indices where loser != winner {
          try #require(outcomes[loser].code == .conflict)
          try checkStory(outcomes[loser], expected: version, winner: winner)
        }
      }
      #expect(try clients[0].entity(maker.key("seat"), in: .default).version.rawValue == 1 + rounds)
      #expect(try clients[0].space(.default).revision.rawValue == 1 + rounds)
      #expect(nodes.areRunning)
    }

    private func checkStory(_ outcome: Outcome, expected: UInt64, winner: Int) throws {
      try #require(outcome.version?.rawValue == expected + 1)
      let story = try #require(outcome.conflict)
      try #require(story.expected?.version.rawValue == expected)
      let current = try #require(story.current)
      try #require(current.version.rawValue == expected + 1)
      let holder = try #require(FieldPath("holder"))
      try #require(try current.fields.decoded()[holder] == .int(Int64(winner)))
      let change = try #require(story.changes.first { $0.name == holder } ?? story.changes.first)
      try #require(change.version.rawValue == expected + 1)
      try #require(change.changed == current.updated)
      try #require(change.changed.by.text == "developer" && change.changed.at.rawValue > 0)
      // The winner may have written what was there already: then the field did not change, and nothing overlaps but its own.
      let before = try story.base?.fields.decoded()[holder]
      try #require(story.overlapping.contains(holder) || before == .int(Int64(winner)))
    }

    @Test(arguments: EngineUnderTest.all) func aReadAfterAnAcknowledgedWriteFindsItOnAnyConnection(engine: EngineUnderTest) throws
    {
      let nodes = try Nodes(engine)
      let clients = try nodes.connect(4)
      var maker = try WriteMaker(seed: makeSeed())
      #expect(try clients[0].write(maker.create("seat", [("n", .int(0))]), in: .default).code == .applied)
      var seen: UInt64 = 1
      for version in 1...UInt64(engine == .sqlite ? 1_000 : 200) {
        // Three read while the fourth writes; what they find never goes back.
        let write = try clients[0].start(maker.update("seat", [("n", .int(Int64(version)))], expected: version), in: .default)
        for reader in clients.dropFirst() {
          let found = try reader.entity(maker.key("seat"), in: .default).version.rawValue
          try #require(found >= seen && found <= version + 1, "version \(version)")
          seen = found
        }
        try #require(clients[0].outcome(of: clients[0].reply(to: write)).code == .applied)
        for reader in clients {
          try #require(reader.entity(maker.key("seat"), in: .default).version.rawValue == version + 1)
        }
        seen = version + 1
      }
      #expect(nodes.areRunning)
    }

    @Test(arguments: EngineUnderTest.all) func ofSixteenCreatesOfOneIDExactlyOneIsApplied(engine: EngineUnderTest) throws {
      let nodes = try Nodes(engine)
      let clients = try nodes.connect(RaceTests.clients)
      var maker = try WriteMaker(seed: makeSeed())
      for round in 0..<50 {
        let streams = try clients.enumerated().map { number, client in
          try client.start(maker.create("id\(round)", [("by", .int(Int64(number)))]), in: .default)
        }
        let outcomes = try zip(clients, streams).map { try $0.outcome(of: $0.reply(to: $1)) }
        #expect(outcomes.count { $0.code == .applied } == 1)
        #expect(outcomes.count { $0.code == .alreadyExists } == RaceTests.clients - 1)
        let winner = try #require(outcomes.firstIndex { $0.code == .applied })
        let entity = try clients[0].entity(maker.key("id\(round)"), in: .default)
        #expect(try entity.fields.decoded() == makeFields([("by", .int(Int64(winner)))]))
        #expect(outcomes.allSatisfy { $0.version == .first })
      }
      #expect(nodes.areRunning)
    }

    @Test(arguments: EngineUnderTest.all) func ofSixteenGetOrCreatesOneCreatesAndAllGetTheSame(engine: EngineUnderTest) throws {
      let nodes = try Nodes(engine)
      let clients = try nodes.connect(RaceTests.clients)
      var maker = try WriteMaker(seed: makeSeed())
      for round in 0..<50 {
        let streams = try clients.enumerated().map { number, client in
          let item = maker.make(try makeID("id\(round)"), .getOrCreate(try makeFields([("by", .int(Int64(number)))])))
          return try client.start(item, in: .default)
        }
        let outcomes = try zip(clients, streams).map { try $0.outcome(of: $0.reply(to: $1)) }
        #expect(outcomes.count { $0.code == .applied } == 1)
        #expect(outcomes.count { $0.code == .unchanged } == RaceTests.clients - 1)
        let entity = try #require(outcomes[0].entity)
        #expect(outcomes.allSatisfy { $0.entity == entity })
        #expect(entity.version == .first)
      }
      #expect(nodes.areRunning)
    }

    /// The connection is closed as soon as the request is sent, and the same write comes again, several times at once.
    @Test(arguments: EngineUnderTest.all) func aRetryAfterALostReplyIsAppliedOnce(engine: EngineUnderTest) throws {
      let rounds = 100
      let nodes = try Nodes(engine)
      var maker = try WriteMaker(seed: makeSeed())
      let steady = try nodes.connect()
      #expect(try steady.write(maker.create("n", [("n", .int(0))]), in: .default).code == .applied)
      for version in 1...UInt64(rounds) {
        let item = try maker.update("n", [("n", .int(Int64(version)))], expected: version)
        for _ in 0..<2 {
          let lost = try nodes.connect()
          _ = try lost.start(item, in: .default)
        }
        let streams = try (0..<3).map { _ in try steady.start(item, in: .default) }
        for stream in streams {
          let outcome = try steady.outcome(of: steady.reply(to: stream))
          #expect(outcome.code == .applied)
          #expect(outcome.version?.rawValue == version + 1)
        }
      }
      let entity = try steady.entity(maker.key("n"), in: .default)
      #expect(entity.version.rawValue == UInt64(rounds) + 1)
      #expect(try steady.space(.default).revision.rawValue == UInt64(rounds) + 1)
      #expect(nodes.areRunning)
    }

    /// The same id with other content is refused, also when both come at once.
    @Test(arguments: EngineUnderTest.all) func anOperationIDIsNotUsedForAnotherWrite(engine: EngineUnderTest) throws {
      let nodes = try Nodes(engine)
      let client = try nodes.connect()
      var maker = try WriteMaker(seed: makeSeed())
      let first = try maker.create("a", [("n", .int(1))])
      var second = try maker.create("b", [("n", .int(2))])
      second.operation = first.operation
      let streams = try [first, second].map { try client.start($0, in: .default) }
      #expect(try client.outcome(of: client.reply(to: streams[0])).code == .applied)
      #expect(try client.outcome(of: client.reply(to: streams[1])).code == .invalid)
      #expect(try client.write(second, in: .default).code == .invalid)
      #expect(try client.write(first, in: .default).isReplay)
      #expect(try client.space(.default).revision.rawValue == 1)
      #expect(nodes.areRunning)
    }
  }
}
