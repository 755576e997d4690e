import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Two nodes are one service: what one did is there for the other, in the next call.
  @Suite(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence))) struct NodeSharingTests {
    private struct Setup {
      let nodes: Nodes
      let clients: [FramedConnection]
      var maker: WriteMaker
      let name: FieldPath
      let room: FieldPath

      init() throws {
        let server: PostgresServer = try #require(PostgresServer.shared)
        nodes = try Nodes(server)
        clients = [try nodes.connect(to: 0), try nodes.connect(to: 1)]
        maker = try WriteMaker(seed: 1)
        name = try #require(FieldPath("name"))
        room = try #require(FieldPath("room"))
      }

      func schema(nameMax: Int? = nil) throws -> Schema {
        let rooms = try #require(TypeName("room"))
        return Schema(types: [
          TypeSchema(
            name: maker.type,
            fields: [
              FieldSchema(name: name, type: .string, lengthMax: nameMax),
              FieldSchema(name: room, type: .string, reference: Reference(target: rooms)),
            ], allowsOtherFields: true, uniqueKeys: [UniqueKey(name: name, fields: [name])]),
          TypeSchema(name: rooms, allowsOtherFields: true),
        ])
      }

      func apply(_ schema: Schema, by node: Int, expected: UInt64, in space: SpaceName = .default) throws {
        let answer: ApplySchemaResponse = try clients[node].get(
          .applySchema, ApplySchemaRequest(space: space, schema: schema, expectedVersion: expected, allowsBreaking: true))
        #expect(answer.isApplied && answer.version == expected + 1, "\(answer.message)")
      }
    }

    @Test func eachNodeTellsItsName() throws {
      let store = try #require(PostgresServer.shared).makeSchema()
      for name in ["north", "south"] {
        let daemon = try DaemonProcess(store: store, arguments: ["--node-name", name])
        let info: GetServerInfoResponse = try FramedConnection(port: daemon.port).get(.getServerInfo, GetServerInfoRequest())
        #expect(info.node == name)
        #expect(daemon.terminate() == 0)
      }
    }

    @Test func aRetryOnTheOtherNodeIsAnsweredFromTheReceipt() throws {
      var setup = try Setup()
      var sent: [(item: WriteItem, outcome: Outcome)] = []
      for number in 0..<30 {
        let item = try setup.maker.create("a\(number / 2)", [("n", .int(Int64(number)))])
        sent.append((item, try setup.clients[number % 2].write(item, in: .default)))
      }
      #expect(sent.map(\.outcome.code) == (0..<30).map { $0 % 2 == 0 ? .applied : .alreadyExists })
      for (number, write) in sent.enumerated() {
        let again = try setup.clients[(number + 1) % 2].write(write.item, in: .default)
        #expect(again.isReplay && again.code == write.outcome.code && again.revision == write.outcome.revision)
      }
      #expect(try setup.clients[0].space(.default).revision.rawValue == 15)
      let asked = GetOutcomesRequest(space: .default, operations: sent.map(\.item.operation))
      for client in setup.clients {
        let told: GetOutcomesResponse = try client.get(.getOutcomes, asked)
        #expect(told.results.map { $0.outcome?.code } == sent.map(\.outcome.code))
        #expect(told.results.map { $0.outcome?.revision } == sent.map(\.outcome.revision))
      }
    }

    @Test func whatOneNodeWroteTheOtherReadsAndWritesOnTopOfInTheNextCall() throws {
      var setup = try Setup()
      #expect(try setup.clients[0].write(setup.maker.create("a", [("n", .int(0))]), in: .default).code == .applied)
      for version in 1...50 as ClosedRange<UInt64> {
        let (one, other) = (setup.clients[Int(version % 2)], setup.clients[Int((version + 1) % 2)])
        let update = try setup.maker.update("a", [("n", .int(Int64(version)))], expected: version)
        #expect(try one.write(update, in: .default).code == .applied)
        #expect(try other.entity(setup.maker.key("a"), in: .default).version.rawValue == version + 1)
        let stale = try other.write(setup.maker.update("a", [("n", .int(-1))], expected: version), in: .default)
        #expect(stale.code == .conflict && stale.version?.rawValue == version + 1)
      }
    }

    @Test func aSchemaAppliedOnOneNodeIsJudgedByOnTheOtherAtOnce() throws {
      var setup = try Setup()
      func write(_ node: Int, length: Int) throws -> OutcomeCode {
        let name = String(repeating: "x", count: length - 1) + "\(node)"
        let item = try setup.maker.create("\(node)-\(length)-\(setup.maker.random.next())", [("name", .string(name))])
        return try setup.clients[node].write(item, in: .default).code
      }
      for round in 0..<10 as Range<UInt64> {
        let node = Int(round % 2)
        let length = 10 + Int(round)
        // What was too long until now fits: whoever applies it, the other judges by it in its next call.
        if round > 0 { for node in 0..<2 { #expect(try write(node, length: length) == .invalid) } }
        try setup.apply(setup.schema(nameMax: length), by: node, expected: round)
        for node in [1 - node, node] {
          #expect(try write(node, length: length) == .applied)
          #expect(try write(node, length: length + 1) == .invalid)
        }
        let answers = try setup.clients.map { client -> GetSchemaResponse in
          try client.get(.getSchema, GetSchemaRequest(space: .default))
        }
        #expect(answers.map { $0.schema?.version } == [round + 1, round + 1])
        #expect(answers[0] == answers[1])
      }
    }

    @Test func aSpaceDeletedAndMadeAgainByTheOtherNodeHasNothingOfTheFirst() throws {
      var setup = try Setup()
      let space = try makeSpaceName("again")
      var epochs: Set<Epoch> = []
      for round in 0..<5 {
        let (one, other) = (setup.clients[round % 2], setup.clients[(round + 1) % 2])
        try one.createSpace(space)
        try setup.apply(setup.schema(nameMax: 5 + round), by: round % 2, expected: 0, in: space)
        let fits = try setup.maker.create("a", [("name", .string(String(repeating: "x", count: 5 + round)))])
        let tooLong = try setup.maker.create("b", [("name", .string(String(repeating: "y", count: 6 + round)))])
        #expect(try other.write(fits, in: space).code == .applied)
        #expect(try other.write(tooLong, in: space).code == .invalid)
        let schemas = try setup.clients.map { client -> GetSchemaResponse in
          try client.get(.getSchema, GetSchemaRequest(space: space))
        }
        #expect(schemas[0] == schemas[1] && schemas[0].schema?.version == 1)
        let description = try one.space(space)
        #expect(description.revision.rawValue == 1)
        #expect(epochs.insert(description.epoch).inserted)
        let gone: DeleteSpaceResponse = try other.get(
          .deleteSpace, DeleteSpaceRequest(name: space, expectedRevision: description.revision))
        #expect(gone.revision.rawValue == 1)
        #expect(try one.call(.getSpace, SpaceRequest(name: space)).code == .notFound)
      }
    }

    @Test func uniqueKeysAndReferencesHoldAcrossNodes() throws {
      var setup = try Setup()
      try setup.apply(setup.schema(), by: 0, expected: 0)
      for round in 0..<10 {
        let (one, other) = (setup.clients[round % 2], setup.clients[(round + 1) % 2])
        let name = Value.string("guest \(round)")
        #expect(try one.write(setup.maker.create("one-\(round)", [("name", name)]), in: .default).code == .applied)
        let taken = try other.write(setup.maker.create("two-\(round)", [("name", name)]), in: .default)
        #expect(taken.code == .uniqueViolation)
        var rooms = try WriteMaker(seed: UInt64(round) + 100, type: "room")
        let refers = try setup.maker.create("three-\(round)", [("room", .string("r\(round)"))])
        #expect(try other.write(refers, in: .default).code == .referenceViolation)
        #expect(try one.write(rooms.create("r\(round)"), in: .default).code == .applied)
        let again = try setup.maker.create("four-\(round)", [("room", .string("r\(round)"))])
        #expect(try other.write(again, in: .default).code == .applied)
        #expect(try one.write(rooms.delete("r\(round)", expected: 1), in: .default).code == .referenceViolation)
      }
      #expect(try setup.clients[0].verify(.default).faults.isEmpty)
    }

    @Test func writesOfOneNodeAreTakenBackOnTheOther() throws {
      var setup = try Setup()
      #expect(try setup.clients[0].write(setup.maker.create("a", [("n", .int(0))]), in: .default).code == .applied)
      var updates: [WriteItem] = []
      for version in 1...6 as ClosedRange<UInt64> {
        updates.append(try setup.maker.update("a", [("n", .int(Int64(version)))], expected: version))
        #expect(try setup.clients[Int(version % 2)].write(updates[updates.count - 1], in: .default).code == .applied)
      }
      let items = updates.map {
        UndoWritesRequest.UndoItem(
          operation: $0.operation, undoOperation: OperationID(rawValue: .random(using: &setup.maker.random)))
      }
      let undo = UndoWritesRequest(space: .default, items: items)
      let undone: UndoWritesResponse = try setup.clients[1].get(.undoWrites, undo)
      #expect(undone.outcomes.map(\.code) == items.map { _ in .applied })
      let entity = try setup.clients[0].entity(setup.maker.key("a"), in: .default)
      #expect(entity.version.rawValue == 13)
      #expect(try entity.fields.decoded()[try #require(FieldPath("n"))] == .int(0))
      // Asked again on the other node, nothing is taken back twice.
      let again: UndoWritesResponse = try setup.clients[0].get(.undoWrites, undo)
      #expect(again.outcomes.allSatisfy { $0.isReplay })
      #expect(try setup.clients[1].space(.default).revision.rawValue == 13)
    }
  }
}
