internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let keyClaims: [Conformance] = [
    Conformance("a key is held by who took it until it is released") { store in
      let id = try store.makeSpace("s").record.id
      let long = [UInt8](repeating: 7, count: 3_000)
      let keys = try [[], [0], [0, 0], [1], [255], long].map { try HeldKey.sample("note", "title", $0) }
      let holders = try ["a", "é", "e\u{301}", "a", "中", "b"].map { try EntityID.sample($0) }
      try store.write { transaction in
        try transaction.moveKeys(released: [], taken: [], in: id)
        try transaction.moveKeys(released: [], taken: Array(zip(keys, holders)), in: id)
        try expectEqual(try transaction.holders(of: [keys[1]], in: id), [holders[1]], "the holder in the transaction")
      }
      store.close()
      let asked = try keys.reversed() + [.sample("note", "title", [0, 0, 0]), keys[0]]
      try store.read { snapshot in
        try expectEqual(try snapshot.holders(of: asked, in: id), holders.reversed() + [nil, holders[0]], "holders")
        try expectEqual(try snapshot.holders(of: [], in: id), [], "holders of no keys")
      }
      try store.write { try $0.moveKeys(released: [keys[1], keys[5]], taken: [], in: id) }
      try expectEqual(
        try store.read { try $0.holders(of: keys, in: id) }, [holders[0], nil, holders[2], holders[3], holders[4], nil],
        "holders after a release")
    },
    Conformance("a released key is free for another holder in the same call and the same transaction") { store in
      let id = try store.makeSpace("s").record.id
      let keys = try [HeldKey.sample("note", "title", [1]), .sample("note", "title", [2])]
      let (a, b) = (try EntityID.sample("a"), try EntityID.sample("b"))
      try store.write { try $0.moveKeys(released: [], taken: [(keys[0], a), (keys[1], b)], in: id) }
      // The two exchange their keys.
      try store.write { try $0.moveKeys(released: keys, taken: [(keys[0], b), (keys[1], a)], in: id) }
      try expectEqual(try store.read { try $0.holders(of: keys, in: id) }, [b, a], "holders after an exchange")
      try store.write { transaction in
        try transaction.moveKeys(released: [keys[0]], taken: [], in: id)
        try expectEqual(try transaction.holders(of: keys, in: id), [nil, a], "holders in between")
        try transaction.moveKeys(released: [], taken: [(keys[0], a)], in: id)
      }
      try expectEqual(try store.read { try $0.holders(of: keys, in: id) }, [a, a], "holders after taking it again")
    },
    Conformance("a key that is held is not taken, and one that is not held is not released") { store in
      let id = try store.makeSpace("s").record.id
      let key = try HeldKey.sample("note", "title", [1])
      let free = try HeldKey.sample("note", "title", [2])
      let (a, b) = (try EntityID.sample("a"), try EntityID.sample("b"))
      try store.write { try $0.moveKeys(released: [], taken: [(key, a)], in: id) }
      let moves: [([HeldKey], [(HeldKey, EntityID)])] = [
        ([], [(key, b)]), ([], [(key, a)]), ([], [(free, a), (free, b)]), ([free], []), ([key, key], []), ([free], [(free, a)]),
      ]
      for (index, (released, taken)) in moves.enumerated() {
        try expectError(.corrupt, "move \(index)") {
          try store.write { try $0.moveKeys(released: released, taken: taken, in: id) }
        }
      }
      try expectEqual(try store.read { try $0.holders(of: [key, free], in: id) }, [a, nil], "holders")
    },
    Conformance("keys of other spaces, types and names are other keys, and a key is given up for one type and name") { store in
      let spaces = try ["one", "two"].map { try store.makeSpace($0).record.id }
      let names = [("note", "title"), ("note", "place"), ("Note", "title"), ("task", "title")]
      let keys = try names.flatMap { type, key in try [[1], [2]].map { try HeldKey.sample(type, key, $0) } }
      func holder(_ space: Int, _ key: Int) throws -> EntityID { try .sample("\(space) \(key)") }
      func holders(_ space: Int) throws -> [EntityID?] { try store.read { try $0.holders(of: keys, in: spaces[space]) } }
      try expectEqual(try holders(0), keys.map { _ in nil }, "holders of keys nobody ever took")
      for (number, space) in spaces.enumerated() {
        try store.write { transaction in
          let taken = try keys.indices.map { (keys[$0], try holder(number, $0)) }
          try transaction.moveKeys(released: [], taken: taken, in: space)
        }
      }
      for number in spaces.indices {
        try expectEqual(try holders(number), try keys.indices.map { try holder(number, $0) }, "holders in space \(number)")
      }
      try store.write { transaction in
        try transaction.releaseAllKeys(of: keys[0].type, key: keys[0].key, in: spaces[0])
        try transaction.releaseAllKeys(of: keys[0].type, key: try .sample("never_used"), in: spaces[0])
      }
      let left = try keys.indices.map { $0 < 2 ? nil : try holder(0, $0) }
      try expectEqual(try holders(0), left, "holders after all were released")
      try expectEqual(try holders(1), try keys.indices.map { try holder(1, $0) }, "holders in the other space")
    },
    Conformance("a read keeps its holders and references while others commit") { store in
      let id = try store.makeSpace("s").record.id
      let key = try HeldKey.sample("note", "title", [1])
      let reference = try HeldReference.sample(("note", "a"), "parent", ("note", "b"))
      let (a, b) = (try EntityID.sample("a"), try EntityID.sample("b"))
      try store.write { transaction in
        try transaction.moveKeys(released: [], taken: [(key, a)], in: id)
        try transaction.moveReferences(released: [], taken: [reference], in: id)
      }
      try store.read { snapshot in
        try expectEqual(try snapshot.holders(of: [key], in: id), [a], "the holder at first")
        try store.write { transaction in
          try transaction.moveKeys(released: [key], taken: [(key, b)], in: id)
          try transaction.moveReferences(released: [reference], taken: [], in: id)
          try transaction.insertSchema(try .sample(1), in: id)
        }
        try expectEqual(try snapshot.holders(of: [key], in: id), [a], "the holder after a commit")
        try expectEqual(try snapshot.referrers(of: reference.target, in: id, limit: 9), [reference], "referrers after a commit")
        try expectEqual(try snapshot.schema(version: 1, in: id), nil, "the schema after a commit")
      }
      try expectEqual(try store.read { try $0.holders(of: [key], in: id) }, [b], "the holder of the next read")
    },
  ]

  static let heldClaims: [Conformance] = [
    Conformance("everything held is walked over once, in pages of any size, and asked for one by one") { store in
      let spaces = try ["one", "two"].map { try store.makeSpace($0).record.id }
      var keys: Set<HeldKey> = []
      var references: Set<HeldReference> = []
      // Names are first used in an order that is not their own.
      for (type, name) in [("task", "z"), ("note", "z"), ("note", "a.b"), ("Note", "a")] {
        for value in [[], [0], [0, 0], [1], [255, 3]] as [[UInt8]] { keys.insert(try .sample(type, name, value)) }
        for source in awkwardIDs { references.insert(try .sample((type, source), name, ("note", "b"))) }
        references.insert(try .sample((type, "0"), name, (type, "é")))
      }
      let (all, pointing) = (keys, references)
      try store.write { transaction in
        let holders = try all.map { ($0, try EntityID.sample("holder-\($0.value.count)")) }
        try transaction.moveKeys(released: [], taken: holders, in: spaces[0])
        try transaction.moveReferences(released: [], taken: Array(pointing), in: spaces[0])
      }
      store.close()
      try store.read { snapshot in
        for limit in [1, 2, 3, all.count, .max] {
          var (walked, last): ([HeldKey], HeldKey?) = ([], nil)
          while let page = try? snapshot.heldKeys(after: last, in: spaces[0], limit: limit), !page.isEmpty {
            for (key, holder) in page { try expectEqual(holder.text, "holder-\(key.value.count)", "the holder of \(key)") }
            walked += page.map(\.key)
            last = walked.last
          }
          try expectEqual(walked.count, all.count, "keys in pages of \(limit)")
          try expectEqual(Set(walked), all, "keys in pages of \(limit)")
          var (met, before): ([HeldReference], HeldReference?) = ([], nil)
          while let page = try? snapshot.heldReferences(after: before, in: spaces[0], limit: limit), !page.isEmpty {
            met += page
            before = met.last
          }
          try expectEqual(met.count, pointing.count, "references in pages of \(limit)")
          try expectEqual(Set(met), pointing, "references in pages of \(limit)")
        }
        let others = try [
          HeldReference.sample(("note", "a"), "never", ("note", "b")), .sample(("note", "0"), "z", ("note", "never")),
        ]
        let asked = Array(pointing) + others
        try expectEqual(try snapshot.areHeld(asked, in: spaces[0]), pointing.map { _ in true } + [false, false], "held")
        try expectEqual(try snapshot.areHeld(asked, in: spaces[1]), asked.map { _ in false }, "held in the other space")
        try expectEqual(try snapshot.heldKeys(after: nil, in: spaces[1], limit: 9).count, 0, "keys of the other space")
        try expectEqual(try snapshot.heldReferences(after: nil, in: spaces[1], limit: 9), [], "references of the other space")
        try expectEqual(try snapshot.heldKeys(after: nil, in: spaces[0], limit: 0).count, 0, "no keys")
        try expectEqual(try snapshot.heldReferences(after: nil, in: spaces[0], limit: 0), [], "no references")
      }
    }
  ]

  static let referenceClaims: [Conformance] = [
    Conformance("referrers are sorted by the bytes of type, id and field, in pages of any size") { store in
      let id = try store.makeSpace("s").record.id
      let target = ("target", "é")
      var references: [HeldReference] = []
      // Types and fields are first used in an order that is not their own.
      for type in ["b", "Z", "_x", "target", "a", "B2"] {
        for source in awkwardIDs.reversed() {
          for field in ["z", "a.b", "Z", "a"].prefix(source.utf8.count + 1) {
            references.append(try .sample((type, source), field, target))
          }
        }
      }
      let others = try [
        HeldReference.sample(("a", "0"), "a", ("target", "e\u{301}")), .sample(("a", "0"), "a", ("Target", "é")),
        .sample(("target", "é"), "z", ("b", "0")),
      ]
      let made = references
      try store.write { try $0.moveReferences(released: [], taken: made + others, in: id) }
      store.close()
      let sorted = made.sorted { $0.source == $1.source ? $0.field < $1.field : $0.source < $1.source }
      try store.read { snapshot in
        for limit in [0, 1, 2, 3, 4, 5, 17, sorted.count - 1, sorted.count, .max] {
          let found = try snapshot.referrers(of: sorted[0].target, in: id, limit: limit)
          try expectEqual(found, Array(sorted.prefix(limit)), "\(limit) referrers")
        }
        for other in others {
          try expectEqual(try snapshot.referrers(of: other.target, in: id, limit: 9), [other], "another's referrers")
        }
        try expectEqual(try snapshot.referrers(of: try .sample("never", "0"), in: id, limit: 9), [], "referrers of nothing")
      }
    },
    Conformance("a reference is there once, and only one that is there is removed") { store in
      let id = try store.makeSpace("s").record.id
      let other = try store.makeSpace("t").record.id
      let one = try HeldReference.sample(("note", "a"), "parent", ("note", "b"))
      let two = try HeldReference.sample(("note", "a"), "parents", ("note", "b"))
      try store.write { try $0.moveReferences(released: [], taken: [one], in: id) }
      try store.write { try $0.moveReferences(released: [], taken: [], in: id) }
      let moves: [(released: [HeldReference], taken: [HeldReference])] = [
        ([], [one]), ([], [two, two]), ([two], []), ([one, one], []),
      ]
      for (released, taken) in moves {
        try expectError(.corrupt, "releasing \(released.count), taking \(taken.count)") {
          try store.write { try $0.moveReferences(released: released, taken: taken, in: id) }
        }
      }
      try store.write { try $0.moveReferences(released: [one], taken: [two, one], in: id) }
      try store.write { try $0.moveReferences(released: [], taken: [two], in: other) }
      try expectEqual(try store.read { try $0.referrers(of: one.target, in: id, limit: 9) }, [one, two], "referrers")
      try store.write { try $0.moveReferences(released: [one, two], taken: [], in: id) }
      try expectEqual(try store.read { try $0.referrers(of: one.target, in: id, limit: 9) }, [], "referrers after removal")
      try expectEqual(try store.read { try $0.referrers(of: one.target, in: other, limit: 9) }, [two], "the other space's")
    },
    Conformance("the references of one field of one type are removed together") { store in
      let spaces = try ["one", "two"].map { try store.makeSpace($0).record.id }
      let gone = try ["a", "b"].flatMap { source in
        try ["x", "y"].map { try HeldReference.sample(("note", source), "parent", ("note", $0)) }
      }
      let kept = try [
        HeldReference.sample(("note", "a"), "parents", ("note", "x")), .sample(("task", "a"), "parent", ("note", "x")),
      ]
      for space in spaces { try store.write { try $0.moveReferences(released: [], taken: gone + kept, in: space) } }
      try store.write { transaction in
        try transaction.releaseAllReferences(of: gone[0].source.type, field: gone[0].field, in: spaces[0])
        try transaction.releaseAllReferences(of: try .sample("never"), field: gone[0].field, in: spaces[0])
      }
      try store.read { snapshot in
        let (x, y) = (gone[0].target, gone[1].target)
        try expectEqual(try snapshot.referrers(of: x, in: spaces[0], limit: 9), kept, "referrers that are left")
        try expectEqual(try snapshot.referrers(of: y, in: spaces[0], limit: 9), [], "referrers of the other")
        try expectEqual(try snapshot.referrers(of: x, in: spaces[1], limit: 9).count, 4, "referrers in the other space")
      }
    },
  ]
}
