import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// The same items from several clients, each in an order of its own.
  @Suite struct ManyOrders {
    private static let clients = 4
    private static let items = 100
    private static let rounds: UInt64 = 1_000

    /// A round that was sent: for each client, the order of its items and the call.
    private struct Round {
      var orders: [[Int]]
      var streams: [UInt32]
    }

    private func start(_ round: UInt64, _ world: World, _ clients: [FramedConnection], _ ids: [EntityID]) throws -> Round {
      let type = try #require(TypeName("thing"))
      let by = try #require(FieldPath("by"))
      let orders = clients.map { _ in Array(ids.indices).shuffled(using: &world.random) }
      let streams = try clients.indices.map { number in
        // Never what is there already: that would be no new version.
        let patch = try Patch([Patch.Entry(by, .set(.int(mark(round, number))))])
        let items = orders[number].map {
          WriteItem(
            operation: OperationID(rawValue: .random(using: &world.random)), type: type, id: ids[$0],
            action: .update(patch, .at(round)))
        }
        return try world.start(clients[number], items)
      }
      return Round(orders: orders, streams: streams)
    }

    private func mark(_ round: UInt64, _ client: Int) -> Int64 { Int64(clamping: round) * 10 + Int64(client) }

    /// Each round makes the next version of every item, and is sent before the one before it is answered.
    @Test func everyItemHasOneWinnerInEveryRoundAndNothingAcknowledgedIsMissing() throws {
      let world = try World(seed: makeSeed())
      let clients = try world.connect(ManyOrders.clients)
      let ids = try (0..<ManyOrders.items).map { try makeID("i\($0)") }
      let by = try #require(FieldPath("by"))
      let made = try world.bulk(clients[0], ids.map { try world.create("thing", $0.text, [("by", .int(-1))]) }).outcomes
      try #require(made.allSatisfy { $0.code == .applied })
      var last = [Int](repeating: 0, count: ids.count)
      var revisions: Set<UInt64> = []
      var sent: [Round] = []
      for number in 1...ManyOrders.rounds + 1 {
        if number <= ManyOrders.rounds { sent.append(try start(number, world, clients, ids)) }
        // While the daemon works on one round, the answers to the one before are read.
        guard number > 1 else { continue }
        let round = sent.removeFirst()
        var winners = [Int](repeating: 0, count: ids.count)
        for client in clients.indices {
          for (index, outcome) in zip(round.orders[client], try world.outcomes(clients[client], round.streams[client])) {
            guard outcome.code != .conflict else { continue }
            try #require(outcome.code == .applied && outcome.version?.rawValue == number, "\(outcome)")
            winners[index] += 1
            last[index] = client
            if let revision = outcome.revision { revisions.insert(revision.rawValue) }
          }
        }
        try #require(winners.allSatisfy { $0 == 1 }, "round \(number - 1)")
      }
      let total = UInt64(ids.count) * (ManyOrders.rounds + 1)
      #expect(try world.revision(clients[0]) == total)
      #expect(revisions.count == ids.count * Int(ManyOrders.rounds))
      for (index, id) in ids.enumerated() {
        let entity = try world.entity(clients[0], "thing", id.text)
        #expect(entity.version.rawValue == ManyOrders.rounds + 1)
        #expect(try entity.fields.decoded()[by] == .int(mark(ManyOrders.rounds, last[index])))
      }
    }
  }
}
