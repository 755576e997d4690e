internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let feedClaims: [Conformance] = [
    Conformance("changes come once, in order, and end where they were told to") { store in
      var script = try store.makeSpace("s")
      let keys = try ["a", "b", "c"].map { try EntityKey.sample("note", $0) }
      let fields = try CanonicalFields.sample("text")
      var entries = keys.map { script.make(.create, $0, fields: fields) }
      entries.append(script.make(.update, keys[0]))
      entries.append(script.make(.delete, keys[1]))
      try store.write { try $0.extend(script, entries) }
      let space = script.record.id
      let all = entries.map(\.change)
      try store.read { snapshot in
        let whole = try snapshot.changes(after: .zero, in: space, latestOnly: false, limit: 100, bytesMax: .max)
        try expectEqual(whole, ChangePage(changes: all, through: Revision(rawValue: 5)), "all changes")
        let two = try snapshot.changes(after: Revision(rawValue: 1), in: space, latestOnly: false, limit: 2, bytesMax: .max)
        try expectEqual(two, ChangePage(changes: Array(all[1...2]), through: Revision(rawValue: 3)), "two changes")
        let small = try snapshot.changes(after: .zero, in: space, latestOnly: false, limit: 100, bytesMax: 1)
        try expectEqual(small, ChangePage(changes: [all[0]], through: .init(rawValue: 1)), "one change of a byte")
        let end = try snapshot.changes(after: .init(rawValue: 5), in: space, latestOnly: true, limit: 9, bytesMax: .max)
        try expectEqual(end, ChangePage(changes: [], through: .init(rawValue: 5)), "nothing behind the end")
        let none = try snapshot.changes(after: .zero, in: space, latestOnly: false, limit: 0, bytesMax: .max)
        try expectEqual(none, ChangePage(changes: [], through: .zero), "no rows")
      }
    },
    Conformance("the latest changes leave out what was superseded, and say how far they looked") { store in
      var script = try store.makeSpace("s")
      let a = try EntityKey.sample("note", "a")
      let b = try EntityKey.sample("other", "a")
      let fields = try CanonicalFields.sample("text")
      let entries = [
        script.make(.create, a, fields: fields), script.make(.create, b, fields: fields), script.make(.update, a, fields: fields),
        script.make(.delete, b), script.make(.update, a, fields: fields),
      ]
      try store.write { try $0.extend(script, entries) }
      let space = script.record.id
      try store.read { snapshot in
        let all = try snapshot.changes(after: .zero, in: space, latestOnly: true, limit: 100, bytesMax: .max)
        try expectEqual(
          all, ChangePage(changes: [entries[3].change, entries[4].change], through: .init(rawValue: 5)), "the latest")
        let three = try snapshot.changes(after: .zero, in: space, latestOnly: true, limit: 3, bytesMax: .max)
        try expectEqual(three, ChangePage(changes: [], through: .init(rawValue: 3)), "nothing among the first three")
        let small = try snapshot.changes(after: .zero, in: space, latestOnly: true, limit: 100, bytesMax: 1)
        try expectEqual(small, ChangePage(changes: [entries[3].change], through: .init(rawValue: 4)), "the first of a byte")
      }
    },
    Conformance("the changes of one space are not those of another") { store in
      var one = try store.makeSpace("one", seed: 1)
      var two = try store.makeSpace("two", seed: 2)
      let key = try EntityKey.sample("note", "a")
      let entry = one.make(.create, key)
      let others = [two.make(.create, key), two.make(.update, key), two.make(.update, key)]
      try store.write {
        try $0.extend(one, [entry])
        try $0.extend(two, others)
      }
      try store.read { snapshot in
        let page = try snapshot.changes(after: .zero, in: one.record.id, latestOnly: true, limit: 100, bytesMax: .max)
        try expectEqual(page, ChangePage(changes: [entry.change], through: .init(rawValue: 1)), "the changes of the first")
      }
    },
    Conformance("types are told one after the other, by the bytes of their names") { store in
      var script = try store.makeSpace("s")
      let names = ["b", "B", "a_b", "ab", "_"]
      let entries = try names.map { script.make(.create, try EntityKey.sample($0, "a")) }
      try store.write { try $0.extend(script, entries) }
      let space = script.record.id
      try store.read { snapshot in
        var found: [String] = []
        while let next = try snapshot.type(after: found.last.map { try .sample($0) }, in: space), found.count < 9 {
          found.append(next.text)
        }
        try expectEqual(found, ["B", "_", "a_b", "ab", "b"], "the types")
        try expectEqual(try snapshot.type(after: nil, in: SpaceID(rawValue: 99)), nil, "the types of no space")
      }
    },
    Conformance("secrets are kept by name, byte for byte, and not replaced") { store in
      let bytes: [UInt8] = [0, 255, 7, 0]
      try expectEqual(try store.read { try $0.secret(named: "one") }, nil, "a secret that was not kept")
      try store.write { try $0.insertSecret(bytes, named: "one") }
      try expectEqual(try store.read { try $0.secret(named: "one") }, .some(bytes), "the secret")
      try expectEqual(try store.read { try $0.secret(named: "two") }, nil, "another secret")
      try expectError(.corrupt, "a second secret of that name") { try store.write { try $0.insertSecret([1], named: "one") } }
      store.close()
      try expectEqual(try store.read { try $0.secret(named: "one") }, .some(bytes), "the secret after opening again")
    },
  ]
}
