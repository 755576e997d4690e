import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// The commerce back end: workflows, and what changes together or not at all.
  @Suite struct Commerce {
    private func world(_ engine: EngineUnderTest, _ test: String = #function) throws -> World {
      try World(engine, schema: "commerce", seed: makeSeed("\(test) \(engine)"))
    }

    /// A hundred workers read a step and try to complete it; what is done for a step is in the group that advances it.
    @Test(arguments: EngineUnderTest.all) func b4AHundredWorkersNeverCompleteOneStepTwice(engine: EngineUnderTest) throws {
      let steps = 30
      let world = try world(engine)
      let workers = try world.connect(100)
      let start: [(String, Value)] = [("workflow", .string("ship")), ("transaction", .string("t1"))]
      _ = try workers[0].write(world.create("workflow_execution", "run", start), in: world.space)
      for step in 0..<steps {
        let version = UInt64(step) + 1
        let streams = try workers.enumerated().map { number, worker in
          // Some work alone on what they know is stale.
          let seen = Int.random(in: 0..<10, using: &world.random) == 0 ? max(version &- 1, 1) : version
          return try world.start(worker, complete(world, step, by: number, expected: seen))
        }
        var outcomes = try zip(workers, streams).map { try world.outcomes($0, $1) }
        if !outcomes.contains(where: { $0[0].code == .applied }) {
          outcomes.append(try world.bulk(workers[0], complete(world, step, by: workers.count, expected: version)).outcomes)
        }
        #expect(outcomes.count { $0.allSatisfy { $0.code == .applied } } == 1, "step \(step)")
        #expect(outcomes.count { $0.map(\.code) == [.conflict, .aborted] } == outcomes.count - 1, "step \(step)")
      }
      let run = try world.entity(workers[0], "workflow_execution", "run")
      #expect(run.version.rawValue == UInt64(steps) + 1)
      #expect(try run.fields.decoded()[text: "step"] == .int(Int64(steps)))
      // The schema, the run, and for each step its advance and its one entry.
      #expect(try workers[0].space(world.space).aliveEntities == UInt64(steps) + 1)
      try world.expectSound(workers[0])
    }

    private func complete(_ world: World, _ step: Int, by worker: Int, expected: UInt64) throws -> [WriteItem] {
      let advance = try world.update(
        "workflow_execution", "run", [("step", .int(Int64(step) + 1)), ("state", .string("invoking"))], expected: expected,
        group: "step")
      let entry = try world.create(
        "audit_log", "step-\(step)-by-\(worker)",
        [
          ("actor", .string("worker-\(worker)")), ("action", .string("complete")), ("entity_type", .string("workflow_execution")),
          ("entity_id", .string("run")),
        ], group: "step")
      return [advance, entry]
    }

    /// Ten pieces, a hundred buyers at once: what is sold, paid and taken from stock is the same number, whoever fails.
    @Test(arguments: EngineUnderTest.all, [BulkMode.atomic, .partial])
    func b5CartPaymentAndInventoryChangeTogetherOrNotAtAll(engine: EngineUnderTest, mode: BulkMode) throws {
      let (pieces, buyers) = (10, 100)
      let world = try world(engine, "b5 \(mode)")
      let clients = try world.connect(buyers)
      try openShop(world, clients[0], pieces: pieces, buyers: buyers)
      var waiting = Array(0..<buyers)
      var sold: [Int] = []
      var isSoldOut = false
      while !isSoldOut {
        let level = try world.entity(clients[0], "inventory_level", "level")
        let streams = try waiting.map {
          try world.start(clients[$0], purchase(world, buyer: $0, level: level.version.rawValue), mode: mode)
        }
        let answers = try zip(waiting, streams).map { try ($0, world.outcomes(clients[$0], $1)) }
        let winners = answers.filter { $0.1.allSatisfy { $0.code.isSuccess } }.map(\.0)
        // A buyer who got no piece got nothing else.
        for (buyer, outcomes) in answers where !winners.contains(buyer) {
          #expect(outcomes.allSatisfy { !$0.code.isSuccess }, "\(outcomes.map(\.code))")
          #expect(try world.entity(clients[0], "cart", "cart\(buyer)").version == .first)
        }
        sold += winners
        waiting.removeAll { winners.contains($0) }
        isSoldOut = winners.isEmpty
        if isSoldOut { #expect(answers.allSatisfy { $0.1[2].code == .invalid }) }
      }
      #expect(sold.count == pieces)
      #expect(try world.values(clients[0], "inventory_level", "level")[text: "stocked"] == .int(0))
      for buyer in 0..<buyers {
        let isSold = sold.contains(buyer)
        #expect(try (world.values(clients[0], "cart", "cart\(buyer)")[text: "completed_at"] != nil) == isSold)
        let key = EntityKey(type: try #require(TypeName("payment")), id: try makeID("pay\(buyer)"))
        let found: BatchGetResponse = try clients[0].get(.batchGet, BatchGetRequest(space: world.space, keys: [key]))
        #expect((found.results.first?.entity != nil) == isSold)
      }
      try world.expectSound(clients[0])
    }

    private func openShop(_ world: World, _ client: FramedConnection, pieces: Int, buyers: Int) throws {
      var items = try [
        world.create(
          "currency", "EUR", [("code", .string("EUR")), ("symbol", .string("€"))]),
        world.create("region", "north", [("name", .string("North")), ("currency", .string("EUR"))]),
        world.create("inventory_item", "lamp", [("sku", .string("L1"))]),
        world.create("stock_location", "depot", [("name", .string("Depot"))]),
        world.create(
          "inventory_level", "level",
          [("item", .string("lamp")), ("location", .string("depot")), ("stocked", .int(Int64(pieces)))]),
      ]
      for buyer in 0..<buyers {
        items.append(try world.create("cart", "cart\(buyer)", [("region", .string("north")), ("total_cents", .int(1_900))]))
        items.append(
          try world.create(
            "payment_collection", "due\(buyer)", [("currency", .string("EUR")), ("amount_cents", .int(1_900))]))
      }
      let outcomes = try world.bulk(client, items).outcomes
      try #require(outcomes.allSatisfy { $0.code == .applied }, "\(outcomes.filter { $0.code != .applied })")
    }

    private func purchase(_ world: World, buyer: Int, level: UInt64) throws -> [WriteItem] {
      var items = try [
        world.update(
          "cart", "cart\(buyer)", [("completed_at", .timestamp(Timestamp(rawValue: 1_700_000_000_000_000)))], expected: 1,
          group: "buy"),
        world.create(
          "payment", "pay\(buyer)",
          [("collection", .string("due\(buyer)")), ("provider", .string("card")), ("amount_cents", .int(1_900))], group: "buy"),
        world.add("inventory_level", "level", "stocked", -1, expected: level, group: "buy"),
      ]
      // Two buyers at once take two pieces: the counter merges. Every third insists on what it saw.
      if buyer % 3 != 0 { items[2].onConflict = .merge }
      return items
    }
  }
}
