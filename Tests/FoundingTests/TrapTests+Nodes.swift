import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting
import TidemarkWire

@testable import tidemark

extension FoundingTests {
  /// The traps of several nodes on one PostgreSQL database.
  @Suite(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence))) struct NodeTraps {
    private static let other = "other"

    /// Two daemons, of which the first reaches the database through a proxy, two spaces, and a reader of the log.
    private struct Stage {
      let proxy: CutProxy
      let daemons: [DaemonProcess]
      let clients: [FramedConnection]
      let reader: any StoreReader
      let spaces: [SpaceName]

      init() throws {
        let server = try #require(PostgresServer.shared)
        proxy = try CutProxy(to: server.folder)
        let url = try server.makeSchema()
        let schema = try #require(url.split(separator: "%3D").last)
        let behind = server.url(schema: String(schema), folder: proxy.folder.path)
        daemons = try [behind, url].map { try DaemonProcess(store: $0) }
        clients = try daemons.map { try FramedConnection(port: $0.port) }
        spaces = [.default, try makeSpaceName(NodeTraps.other)]
        try clients[1].createSpace(spaces[1])
        reader = try PostgresStore.open(url: url).openReader()
      }
    }

    /// Follows the logs of spaces as a feed would, and never passes a revision that is not there.
    private struct Follower {
      var seen: [SpaceName: Revision] = [:]

      mutating func follow(_ stage: Stage) throws {
        try stage.reader.read { snapshot in
          for space in try snapshot.spaces() {
            for row in try snapshot.logRows(after: seen[space.name] ?? .zero, in: space.id, limit: 1_000) {
              #expect(row.revision == (seen[space.name] ?? .zero).next)
              seen[space.name] = row.revision
            }
            #expect(space.revision == seen[space.name] ?? .zero)
          }
        }
        for (node, client) in stage.clients.enumerated() {
          for space in stage.spaces {
            let shown = try client.space(space).revision
            #expect(shown == seen[space] ?? .zero, "node \(node)")
            #expect(try client.verify(space).faults.isEmpty)
          }
        }
      }
    }

    /// One node has written revision 2 of a space and its commit is on its way. Others commit to another space and wait for this one.
    @Test func trap1NobodyPassesARevisionWhoseCommitIsStalled() throws {
      let stage = try Stage()
      defer { stage.proxy.close() }
      var maker = try WriteMaker(seed: makeSeed())
      var follower = Follower()
      #expect(try stage.clients[0].write(maker.create("a", [("n", .int(0))]), in: .default).code == .applied)
      for round in 0..<3 as Range<UInt64> {
        let expected = round * 2 + 1
        stage.proxy.set(.holdCommit)
        let stalled = try stage.clients[0].start(
          maker.update("a", [("by", .int(Int64(round)))], expected: expected), in: .default)
        stage.proxy.waitUntilHeld()
        for number in 0..<10 {
          let item = try maker.create("r\(round)-\(number)", [("n", .int(1))])
          #expect(try stage.clients[1].write(item, in: stage.spaces[1]).code == .applied)
          if number % 5 == 0 { try follower.follow(stage) }
        }
        // The other node's write to the same space comes behind it.
        let late = try maker.update("a", [("late", .int(Int64(round)))], expected: expected + 1)
        let waiting = try stage.clients[1].start(late, in: .default)
        try follower.follow(stage)
        #expect(follower.seen[.default]?.rawValue == expected)
        stage.proxy.release()
        let first = try stage.clients[0].outcome(of: stage.clients[0].reply(to: stalled))
        #expect(first.code == .applied && first.revision?.rawValue == expected + 1)
        let second = try stage.clients[1].outcome(of: stage.clients[1].reply(to: waiting))
        #expect(second.code == .applied && second.revision?.rawValue == expected + 2)
        try follower.follow(stage)
      }
    }

    /// The commit is done, and only the node that made it does not know yet: for everybody else it is there.
    @Test func trap1ACommitWhoseAnswerIsStalledIsThereForTheOthersInOrder() throws {
      let stage = try Stage()
      defer { stage.proxy.close() }
      var maker = try WriteMaker(seed: makeSeed())
      var follower = Follower()
      #expect(try stage.clients[0].write(maker.create("a", [("n", .int(0))]), in: .default).code == .applied)
      stage.proxy.set(.holdAnswer)
      let stalled = try stage.clients[0].start(maker.update("a", [("n", .int(1))], expected: 1), in: .default)
      stage.proxy.waitUntilHeld()
      #expect(try stage.clients[1].entity(maker.key("a"), in: .default).version.rawValue == 2)
      #expect(try stage.clients[1].write(maker.update("a", [("n", .int(2))], expected: 2), in: .default).code == .applied)
      try follower.follow(stage)
      stage.proxy.release()
      let outcome = try stage.clients[0].outcome(of: stage.clients[0].reply(to: stalled))
      #expect(outcome.code == .applied && outcome.revision?.rawValue == 2)
      try follower.follow(stage)
      #expect(follower.seen[.default]?.rawValue == 3)
    }

    /// A transaction of the store's own library holds a space and has appended to its log; readers go on, and so do other spaces.
    @Test func trap1NobodyPassesTheRevisionOfAWriterThatStallsInItsTransaction() throws {
      let world = try World(.postgres, seed: makeSeed())
      let clients = try world.connect(2)
      let other = try makeSpaceName(NodeTraps.other)
      try clients[0].createSpace(other)
      let item = try world.create("thing", "a", [("n", .int(0))])
      #expect(try clients[0].write(item, in: world.space).code == .applied)
      let (appended, goOn, ended) = (Waiting<Bool>(), Waiting<Bool>(), Waiting<String?>())
      let url = world.nodes.store
      Thread {
        do {
          try PostgresStore.open(url: url).openWriter().write { transaction in
            let record = try #require(try transaction.space(named: .default))
            var script = SpaceScript(record)
            let entry = script.make(.create, try EntityKey.sample("thing", "b"))
            try transaction.extend(script, [entry])
            _ = try transaction.logEntry(at: record.revision.next, in: record.id)
            appended.put(true)
            _ = goOn.take()
          }
          ended.put(nil)
        } catch { ended.put("\(error)") }
      }.start()
      _ = appended.take()
      let reader = try PostgresStore.open(url: url).openReader()
      for number in 0..<20 {
        let item = try world.create("thing", "o\(number)", [("n", .int(1))])
        #expect(try clients[number % 2].write(item, in: other).code == .applied)
        #expect(try clients.map { try $0.space(world.space).revision.rawValue } == [1, 1])
        let log = try reader.read { try $0.logRows(after: .zero, in: $0.spaces()[0].id, limit: 9).map(\.revision.rawValue) }
        #expect(log == [1])
      }
      let streams = try clients.enumerated().map { number, client in
        try client.start(world.create("thing", "late\(number)", [("n", .int(2))]), in: world.space)
      }
      goOn.put(true)
      #expect(ended.take() == nil)
      let revisions = try zip(clients, streams).map { try $0.outcome(of: $0.reply(to: $1)).revision?.rawValue ?? 0 }
      #expect(revisions.sorted() == [3, 4])
      #expect(try world.revision(clients[1]) == 4)
    }

    /// A row that does not exist cannot be locked: here it is the space that is.
    @Test func trap13OfTwoCreatesOnTwoNodesOneWinsAlsoWhenTheKeyIsAllTheyShare() throws {
      let world = try World(.postgres, schema: "classroom", seed: makeSeed())
      let clients = try world.connect(2)
      for round in 0..<100 {
        // The same id, or two ids with the same unique key.
        let isSameID = round % 2 == 0
        let items = try (0..<2).map { number in
          try world.create(
            "user", isSameID ? "u\(round)" : "u\(round)-\(number)",
            [("login", .string(isSameID ? "l\(round)-\(number)" : "l\(round)")), ("name", .string("\(number)"))])
        }
        let outcomes = try world.race(clients, items)
        let winner = try #require(outcomes.firstIndex { $0.code == .applied })
        let loser = outcomes[1 - winner]
        #expect(loser.code == (isSameID ? .alreadyExists : .uniqueViolation))
        if isSameID {
          #expect(loser.version == .first)
        } else {
          #expect(loser.related.map(\.id) == [items[winner].id])
        }
        let id = try #require(items[winner].id).text
        #expect(try world.values(clients[1 - winner], "user", id)[text: "name"] == .string("\(winner)"))
      }
      #expect(try clients.map { try world.revision($0) } == [100, 100])
      for client in clients { try world.expectSound(client) }
    }

    @Test func trap13ASpaceMadeOnTwoNodesAtOnceIsMadeOnce() throws {
      let world = try World(.postgres, seed: makeSeed())
      let clients = try world.connect(2)
      for round in 0..<30 {
        let name = try makeSpaceName("s\(round)")
        let streams = try clients.map { try $0.start(.createSpace, SpaceRequest(name: name)) }
        let replies = try zip(clients, streams).map { try $0.reply(to: $1) }
        #expect(replies.count { $0.code == .ok } == 1 && replies.count { $0.code == .alreadyExists } == 1, "\(replies)")
        #expect(try Set(clients.map { try $0.space(name).epoch }).count == 1)
        let items = try (0..<2).map { try world.create("thing", "e\($0)") }
        let started = try zip(clients, items).map { try $0.start($1, in: name) }
        let outcomes = try zip(clients, started).map { try $0.outcome(of: $0.reply(to: $1)) }
        #expect(Set(outcomes.map { $0.revision?.rawValue }) == [1, 2])
      }
    }

    /// Writers that need the same two spaces, or the same entities, in opposite orders: no deadlock reaches a client.
    @Test func trap13BulksInOppositeOrdersOnTwoNodesAreAllAnswered() throws {
      let world = try World(.postgres, seed: makeSeed())
      let clients = try world.connect(8)
      let other = try makeSpaceName(NodeTraps.other)
      try clients[0].createSpace(other)
      for round in 0..<25 {
        let names = (0..<20).map { "r\(round)-\($0)" }
        // Each sends to both spaces before any answer is read, half of them in the other order.
        let streams = try clients.enumerated().map { number, client in
          try (number % 4 < 2 ? [world.space, other] : [other, world.space]).map { space in
            let items = try names.map { try world.create("thing", $0, [("by", .int(Int64(number)))]) }
            let request = BulkWriteRequest(space: space, items: number % 2 == 0 ? items : items.reversed(), mode: .partial)
            return try client.start(.bulkWrite, request)
          }
        }
        var applied = 0
        for (client, streams) in zip(clients, streams) {
          for stream in streams {
            let codes = try world.outcomes(client, stream).map(\.code)
            #expect(codes.allSatisfy { $0 == .applied || $0 == .alreadyExists })
            applied += codes.count { $0 == .applied }
          }
        }
        #expect(applied == 2 * names.count)
      }
      for space in [world.space, other] {
        #expect(try clients[1].space(space).revision.rawValue == 500)
        #expect(try clients[0].verify(space).faults.isEmpty)
      }
    }

    /// Logins are written through one node while the other makes them unique: it is refused while two are the same, and after it is in force
    /// no write through either node makes two the same.
    @Test func aSchemaAppliedOnOneNodeHoldsForTheNextWriteOnTheOther() throws {
      let world = try World(.postgres, seed: makeSeed())
      let clients = try world.connect(2)
      let plain = "types:\n  user:\n    fields:\n      login: {type: string!, length_min: 1}\n"
      let unique = plain + "    unique:\n      login: [login]\n"
      for round in 0..<6 as Range<UInt64> {
        let version = try apply(plain, clients[0], world, expected: round * 2)
        #expect(version == round * 2 + 1)
        var streams: [UInt32] = []
        for number in 0..<40 {
          let login = round % 2 == 1 && number == 20 ? "r\(round)-19" : "r\(round)-\(number)"
          let item = try world.create("user", "r\(round)-\(number)", [("login", .string(login))])
          streams.append(try clients[1].start(item, in: world.space))
        }
        let applying = try clients[0].start(
          .applySchema,
          ApplySchemaRequest(space: world.space, schema: SchemaText.read(unique), expectedVersion: version, allowsBreaking: true))
        let codes = try streams.map { try clients[1].outcome(of: clients[1].reply(to: $0)).code }
        let reply = try clients[0].reply(to: applying)
        let answer: ApplySchemaResponse? = reply.code == .ok ? try clients[0].decode(reply) : nil
        // Either the two that are the same were there first, and the schema is refused, or the second of them is.
        let refused = codes.count { $0 == .uniqueViolation }
        let isApplied = answer?.isApplied ?? false
        #expect(codes.allSatisfy { $0 == .applied || $0 == .uniqueViolation })
        if isApplied {
          #expect(refused == (round % 2 == 1 ? 1 : 0) && answer?.version == version + 1)
        } else {
          #expect(refused == 0 && round % 2 == 1)
          let second = try world.update("user", "r\(round)-20", [("login", .string("r\(round)-20"))], expected: 1)
          #expect(try clients[1].write(second, in: world.space).code == .applied)
          #expect(try apply(unique, clients[0], world, expected: version) == version + 1)
        }
        // Through the node that did not apply it.
        let again = try world.create("user", "again\(round)", [("login", .string("r\(round)-3"))])
        #expect(try clients[1].write(again, in: world.space).code == .uniqueViolation)
        for client in clients { try world.expectSound(client) }
      }
    }

    private func apply(_ text: String, _ client: FramedConnection, _ world: World, expected: UInt64) throws -> UInt64 {
      let answer: ApplySchemaResponse = try client.get(
        .applySchema,
        ApplySchemaRequest(
          space: world.space, schema: SchemaText.read(text), expectedVersion: expected, allowsBreaking: true))
      #expect(answer.isApplied, "\(answer)")
      return answer.version
    }
  }
}
