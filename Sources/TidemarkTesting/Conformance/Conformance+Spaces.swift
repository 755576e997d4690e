internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let spaceClaims: [Conformance] = [
    Conformance("spaces are sorted by the bytes of their names and found by name") { store in
      let names = ["b", "a.b", "a-b", "a_b", "0", "ab", "a"]
      var records: [SpaceRecord] = []
      for (index, name) in names.enumerated() { records.append(try store.makeSpace(name, seed: UInt64(index)).record) }
      try store.read { snapshot in
        try expectEqual(try snapshot.spaces().map(\.name.text), ["0", "a", "a-b", "a.b", "a_b", "ab", "b"], "names")
        for record in records {
          try expectEqual(try snapshot.space(named: record.name), record, "the space \(record.name)")
        }
      }
    },
    Conformance("a new space has the next number, and no number is used twice") { store in
      let first = try store.makeSpace("a").record
      let second = try store.makeSpace("b").record
      try expectEqual([first.id.rawValue, second.id.rawValue], [1, 2], "numbers")
      try store.write { try $0.deleteSpace(second.id) }
      store.close()
      try expectEqual(try store.makeSpace("b").record.id.rawValue, 3, "the number after a deleted space")
    },
    Conformance("the counters and marks of a space are stored, its name and epoch never change") { store in
      let made = try store.makeSpace("s").record
      var record = made
      record.revision = Revision(rawValue: Limits.revisionMax)
      record.chainHash = .sample(~0)
      record.changedAt = Timestamp.validRange.upperBound
      record.aliveCount = 1 << 62
      record.historyFloor = Revision(rawValue: 4)
      record.feedFloor = Revision(rawValue: 3)
      record.fence = Revision(rawValue: 2)
      record.receiptFloor = Revision(rawValue: 1)
      record.schemaVersion = 1 << 61
      try store.write { try $0.updateSpace(record) }
      try expectEqual(try store.read { try $0.spaces() }, [record], "the space")
      var renamed = record
      renamed.name = try .sample("t")
      renamed.epoch = Epoch(rawValue: Bytes16(high: 9, low: 9))
      try store.write { try $0.updateSpace(renamed) }
      store.close()
      try expectEqual(try store.read { try $0.spaces() }, [record], "the space after an update with another name")
    },
    Conformance("a space that exists is not made again, and one that does not is not updated") { store in
      var record = try store.makeSpace("s").record
      try expectError(.corrupt, "a second space of that name") { _ = try store.makeSpace("s") }
      record.id = SpaceID(rawValue: 77)
      try expectError(.corrupt, "an update of no space") { try store.write { try $0.updateSpace(record) } }
      var stray = SpaceScript(record)
      try expectError(.corrupt, "an append to no space") {
        let entry = stray.make(.create, try .sample("note", "a"))
        try store.write { try $0.append([entry], in: record.id) }
      }
    },
    Conformance("nothing read in one space was written in another") { store in
      var one = try store.makeSpace("one", seed: 1)
      var two = try store.makeSpace("two", seed: 2)
      let shared = try EntityKey.sample("note", "a")
      let secret = try EntityKey.sample("secret", "b")
      try store.extend(&one) { [$0.make(.create, shared), $0.make(.create, secret), $0.make(.update, secret)] }
      try store.extend(&two) { [$0.make(.create, shared, by: .sample, bits: 99)] }
      try store.write { transaction in
        try transaction.insertReceipts([.sample(1)], of: .sample, in: one.record.id, at: Timestamp(rawValue: 5))
      }
      try store.read { snapshot in
        let id = two.record.id
        try expectEqual(try snapshot.entities([shared, secret], in: id), [two.entities[shared], nil], "entities")
        try expectEqual(try snapshot.heads(after: nil, in: id, limit: 9), two.heads, "heads")
        try expectEqual(try snapshot.logRows(after: .zero, in: id, limit: 9), two.log.map { .intact($0) }, "log")
        try expectEqual(try snapshot.logEntry(at: Revision(rawValue: 2), in: id), nil, "an entry")
        try expectEqual(try snapshot.receipts([.sample(1)], of: .sample, in: id), [nil], "receipts")
        let listed = try snapshot.entities(
          of: secret.type, in: id, after: nil, deleted: .include, limit: 9, bytesMax: 1 << 20)
        try expectEqual(listed, [], "a listing")
        try expectEqual(try snapshot.logRows(after: .zero, in: one.record.id, limit: 9).count, 3, "the other log")
      }
    },
    Conformance("deleting a space removes everything of it and nothing else") { store in
      var gone = try store.makeSpace("gone", seed: 1)
      var kept = try store.makeSpace("kept", seed: 2)
      let key = try EntityKey.sample("note", "a")
      try store.extend(&gone) { [$0.make(.create, key), $0.make(.delete, key)] }
      try store.extend(&kept) { [$0.make(.create, key)] }
      try store.write { transaction in
        for script in [gone, kept] {
          try transaction.insertReceipts([.sample(1)], of: .sample, in: script.record.id, at: Timestamp(rawValue: 5))
        }
      }
      try store.read { try expectEqual(try $0.entities([key], in: gone.record.id), [gone.entities[key]], "before") }
      try store.write { try $0.deleteSpace(gone.record.id) }
      let again = try store.makeSpace("gone", seed: 3)
      try expect(again.record.id > kept.record.id, "the number of a deleted space was used again")
      try store.read { snapshot in
        try expectEqual(try snapshot.spaces(), [again.record, kept.record], "spaces")
        for id in [gone.record.id, again.record.id] {
          try expectEqual(try snapshot.entities([key], in: id), [nil], "entities")
          try expectEqual(try snapshot.heads(after: nil, in: id, limit: 9), [], "heads")
          try expectEqual(try snapshot.logRows(after: .zero, in: id, limit: 9), [], "log")
          try expectEqual(try snapshot.receipts([.sample(1)], of: .sample, in: id), [nil], "receipts")
        }
        try expectEqual(try snapshot.entities([key], in: kept.record.id), [kept.entities[key]], "the other space's entity")
        try expectEqual(
          try snapshot.receipts([.sample(1)], of: .sample, in: kept.record.id), [.sample(1)], "the other space's receipt")
      }
    },
  ]
}
