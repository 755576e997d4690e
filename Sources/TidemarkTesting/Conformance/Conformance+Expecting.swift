internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let expectingClaims: [Conformance] = [
    Conformance("what is expected changes no answer") { store in
      var script = try store.makeSpace("s")
      let keys = try (0..<6).map { try EntityKey.sample("note", "\($0)") }
      try store.extend(&script) { script in keys.prefix(3).map { script.make(.create, $0) } }
      let held = try ["a", "b"].map { try HeldKey.sample("note", "title", Array($0.utf8)) }
      let reference = HeldReference(source: keys[1], field: held[0].key, target: keys[0])
      try store.write { transaction in
        try transaction.moveKeys(released: [], taken: [(held[0], keys[0].id)], in: script.record.id)
        try transaction.moveReferences(released: [], taken: [reference], in: script.record.id)
        try transaction.insertReceipts([.sample(1)], of: .sample, in: script.record.id, at: Timestamp(rawValue: 5))
      }
      // Nothing, all, and other things than are asked then; of this space and of another.
      for expected in [[], keys, Array(keys.suffix(4))] {
        for name in [script.record.name, try SpaceName.sample("other")] {
          var reads = ExpectedReads()
          reads.entities = expected + expected
          reads.targets = expected
          if !expected.isEmpty {
            reads.keys = [held[1], held[0]]
            reads.receipts = [(.sample, .sample(2)), (.sample, .sample(1))]
          }
          let before = script
          let entry = script.make(.update, keys[0])
          try store.write { transaction in
            transaction.expect({ reads }, in: name)
            try expectEqual(try transaction.space(named: before.record.name), before.record, "the space")
            try check(transaction, before, keys, held, reference)
            try transaction.extend(script, [entry])
            try expectEqual(
              try transaction.entities([keys[0]], in: before.record.id), [entry.change.entity], "the entity after its change")
          }
        }
      }
    },
    Conformance("entities that are expected and large are answered") { store in
      var script = try store.makeSpace("s")
      let keys = try (0..<12).map { try EntityKey.sample("note", "\($0)") }
      let large = try CanonicalFields.sample(String(repeating: "x", count: 900_000))
      try store.extend(&script) { script in keys.map { script.make(.create, $0, fields: large) } }
      try store.write { transaction in
        var reads = ExpectedReads()
        reads.entities = keys
        transaction.expect({ reads }, in: script.record.name)
        _ = try transaction.space(named: script.record.name)
        for key in keys + [keys[2]] {
          try expectEqual(try transaction.entity(key, in: script.record.id), script.entities[key], "an entity")
        }
      }
    },
  ]

  private static func check(
    _ transaction: any StoreTransaction, _ script: SpaceScript, _ keys: [EntityKey], _ held: [HeldKey],
    _ reference: HeldReference
  ) throws {
    let space = script.record.id
    let asked = keys + keys.reversed()
    try expectEqual(try transaction.entities(asked, in: space), asked.map { script.entities[$0] }, "entities")
    try expectEqual(try transaction.holders(of: held, in: space), [keys[0].id, nil], "holders")
    try expectEqual(try transaction.referrers(of: keys[0], in: space, limit: 9), [reference], "what points to an entity")
    try expectEqual(try transaction.referrers(of: keys[5], in: space, limit: 9), [], "what points to another")
    try expectEqual(
      try transaction.receipts([.sample(1), .sample(2)], of: .sample, in: space), [.sample(1), nil], "receipts")
  }
}
