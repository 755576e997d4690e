internal import TidemarkCore
internal import TidemarkStore

private struct Refusal: Error {}

extension Conformance {
  static let transactionClaims: [Conformance] = [
    Conformance("a new store is empty") { store in
      try store.read { snapshot in
        try expectEqual(try snapshot.spaces(), [], "spaces")
        try expectEqual(try snapshot.tokens(), [], "tokens")
        try expectEqual(try snapshot.space(named: .default), nil, "the default space")
      }
    },
    Conformance("what was written is there after the store is opened again") { store in
      var script = try store.makeSpace("s")
      let key = try EntityKey.sample("note", "a")
      let fields = try CanonicalFields.sample("kept")
      try store.extend(&script) { [$0.make(.create, key, fields: fields)] }
      try store.idle()
      store.close()
      try store.read { snapshot in
        try expectEqual(try snapshot.spaces(), [script.record], "spaces")
        try expectEqual(try snapshot.entities([key], in: script.record.id), [script.entities[key]], "the entity")
      }
    },
    Conformance("a write that throws leaves nothing") { store in
      var script = try store.makeSpace("s")
      let before = script
      let key = try EntityKey.sample("lost", "a")
      let entries = [script.make(.create, key, by: try .sample("nobody"))]
      do {
        try store.write { transaction in
          try transaction.extend(script, entries)
          _ = try transaction.makeSampleSpace("other", seed: 2)
          try transaction.insertReceipts([.sample(1)], of: .sample, in: script.record.id, at: Timestamp(rawValue: 5))
          try transaction.insertToken(try .sample("t"))
          throw Refusal()
        }
        throw ConformanceFailure(description: "the error of the body was swallowed")
      } catch is Refusal {}
      try store.read { snapshot in
        try expectEqual(try snapshot.spaces(), [before.record], "spaces")
        try expectEqual(try snapshot.entities([key], in: before.record.id), [nil], "the entity")
        try expectEqual(try snapshot.heads(after: nil, in: before.record.id, limit: 10), [], "heads")
        try expectEqual(try snapshot.logRows(after: .zero, in: before.record.id, limit: 10), [], "log")
        try expectEqual(
          try snapshot.receipts([.sample(1)], of: .sample, in: before.record.id), [nil], "the receipt")
        try expectEqual(try snapshot.tokens(), [], "tokens")
      }
    },
    Conformance("names first used in a write that throws mean nothing later") { store in
      let empty = try store.makeSpace("s")
      do {
        var script = empty
        let entries = [script.make(.create, try .sample("lostType", "a"), by: try .sample("lost principal"))]
        try store.write { transaction in
          try transaction.extend(script, entries)
          throw Refusal()
        }
      } catch is Refusal {}
      var script = empty
      let kept = try EntityKey.sample("keptType", "b")
      let lost = try EntityKey.sample("lostType", "c")
      let keeper = try PrincipalName.sample("kept principal")
      let loser = try PrincipalName.sample("lost principal")
      try store.extend(&script) { [$0.make(.create, kept, by: keeper)] }
      try store.extend(&script) { [$0.make(.create, lost, by: loser), $0.make(.update, kept, by: loser)] }
      for _ in 0..<2 {
        try store.read { snapshot in
          try expectEqual(try snapshot.heads(after: nil, in: script.record.id, limit: 9), script.heads, "heads")
          try expectEqual(
            try snapshot.entities([kept, lost], in: script.record.id), [script.entities[kept], script.entities[lost]], "entities")
        }
        store.close()
      }
    },
    Conformance("a write whose body caught the error of a change is not committed") { store in
      let empty = try store.makeSpace("s")
      var script = empty
      let key = try EntityKey.sample("note", "a")
      _ = script.make(.create, key)
      let gap = script.make(.update, key)
      try expectError(.corrupt, "the write") {
        try store.write { transaction in
          _ = try transaction.makeSampleSpace("other", seed: 2)
          try? transaction.append([gap], in: script.record.id)
        }
      }
      try expectEqual(try store.read { try $0.spaces() }, [empty.record], "spaces")
    },
    Conformance("a transaction sees what it changed") { store in
      let key = try EntityKey.sample("note", "a")
      try store.write { transaction in
        var script = SpaceScript(try transaction.makeSampleSpace("s", seed: 1))
        let creation = script.make(.create, key)
        try transaction.extend(script, [creation])
        try expectEqual(try transaction.entities([key], in: script.record.id), [script.entities[key]], "the new entity")
        let deletion = script.make(.delete, key)
        try transaction.extend(script, [deletion])
        try expectEqual(try transaction.entities([key], in: script.record.id), [script.entities[key]], "the deleted entity")
        try expectEqual(try transaction.space(named: script.record.name), script.record, "the space")
        try transaction.insertReceipts([.sample(1)], of: .sample, in: script.record.id, at: Timestamp(rawValue: 5))
        try expectEqual(
          try transaction.receipts([.sample(1)], of: .sample, in: script.record.id), [.sample(1)], "the receipt")
      }
    },
    Conformance("there is one writer at a time, or there are as many as are opened") { store in
      _ = try store.makeSpace("s")
      if try store.store().hasOneWriter {
        try expectError(.failed, "a second writer") { _ = try store.store().openWriter() }
      } else {
        _ = try store.store().openWriter().write { try $0.makeSampleSpace("r", seed: 3) }
      }
      try store.write { _ = try $0.makeSampleSpace("t", seed: 2) }
    },
  ]
}
