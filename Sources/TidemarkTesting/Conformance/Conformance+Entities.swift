internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  /// Ids whose order by bytes differs from other orders: by letters, by UTF-16, after normalisation. Sorted by bytes.
  static let awkwardIDs = [
    " ", "0", "10", "2", "A", "B", "a", "a ", "aa", "b", "e\u{301}", "ß", "é", "中", "\u{FF5E}",
    "\u{FFFD}", "\u{10000}", "😀",
  ]

  static let entityClaims: [Conformance] = [
    Conformance("entities come in the order of the keys, and none for an entity that never was") { store in
      var script = try store.makeSpace("s")
      let keys = try ["a", "b", "c"].map { try EntityKey.sample("note", $0) }
      try store.extend(&script) { script in
        keys.map { script.make(.create, $0) } + [script.make(.delete, keys[0]), script.make(.purge, keys[1])]
      }
      let absent = try [EntityKey.sample("note", "d"), .sample("other", "a")]
      let asked = [keys[2], absent[0], keys[0], keys[2], absent[1], keys[1]]
      try store.read { snapshot in
        try expectEqual(try snapshot.entities(asked, in: script.record.id), asked.map { script.entities[$0] }, "entities")
        try expectEqual(try snapshot.entities([], in: script.record.id), [], "no keys")
        try expectEqual(try snapshot.entities(asked, in: SpaceID(rawValue: 99)), asked.map { _ in nil }, "no space")
      }
    },
    Conformance("a listing is sorted by the bytes of the ids, which are never normalised") { store in
      var script = try store.makeSpace("s")
      let keys = try awkwardIDs.reversed().map { try EntityKey.sample("note", $0) }
      try store.extend(&script) { script in keys.map { script.make(.create, $0) } }
      try store.read { snapshot in
        let id = script.record.id
        let all = try snapshot.entities(of: keys[0].type, in: id, after: nil, deleted: .include, limit: 99, bytesMax: 1 << 20)
        try expectEqual(all.map { Array($0.key.id.text.utf8) }, awkwardIDs.map { Array($0.utf8) }, "ids")
        for (index, entity) in all.enumerated() {
          let rest = try snapshot.entities(
            of: keys[0].type, in: id, after: entity.key.id, deleted: .include, limit: 99, bytesMax: 1 << 20)
          try expectEqual(rest, Array(all[(index + 1)...]), "the entities after \(entity.key.id)")
        }
      }
    },
    Conformance("a listing shows what its filter says, and purged entities never") { store in
      var script = try store.makeSpace("s")
      let keys = try ["alive", "deleted", "purged", "restored"].map { try EntityKey.sample("note", $0) }
      let other = try EntityKey.sample("other", "alive")
      try store.extend(&script) { script in
        var entries = (keys + [other]).map { script.make(.create, $0) }
        entries += [script.make(.delete, keys[1]), script.make(.delete, keys[2]), script.make(.purge, keys[2])]
        return entries + [script.make(.delete, keys[3]), script.make(.restore, keys[3])]
      }
      try store.read { snapshot in
        for filter in [DeletedFilter.exclude, .include, .only] {
          let listed = try snapshot.entities(
            of: keys[0].type, in: script.record.id, after: nil, deleted: filter, limit: 99, bytesMax: 1 << 20)
          try expectEqual(listed, script.listing(keys[0].type, filter), "the listing \(filter)")
        }
      }
    },
    Conformance("a listing ends at its limit, and with the entity that fills its bytes") { store in
      var script = try store.makeSpace("s")
      let keys = try ["a", "b", "c", "d"].map { try EntityKey.sample("note", $0) }
      let fields = CanonicalFields(unchecked: [UInt8](repeating: 1, count: 10))
      try store.extend(&script) { script in keys.map { script.make(.create, $0, fields: fields) } }
      let cases: [(limit: Int, bytesMax: Int, count: Int)] = [
        (0, 99, 0), (1, 99, 1), (3, 99, 3), (99, 99, 4), (99, 0, 1), (99, 1, 1), (99, 10, 1), (99, 11, 2), (99, 20, 2),
        (99, 21, 3), (2, 40, 2),
      ]
      try store.read { snapshot in
        for expected in cases {
          let listed = try snapshot.entities(
            of: keys[0].type, in: script.record.id, after: nil, deleted: .exclude, limit: expected.limit,
            bytesMax: expected.bytesMax)
          try expectEqual(listed.count, expected.count, "entities for limit \(expected.limit), bytes \(expected.bytesMax)")
        }
      }
    },
    Conformance("heads are sorted by the bytes of type and id, in pages of any size") { store in
      var script = try store.makeSpace("s")
      var keys: [EntityKey] = []
      // Types are first used in an order that is not their own.
      for type in ["b", "Z", "_x", "a", "B2"] {
        for id in awkwardIDs.reversed() { keys.append(try .sample(type, id)) }
      }
      try store.extend(&script) { script in keys.map { script.make(.create, $0) } }
      try store.extend(&script) { script in keys.prefix(20).map { script.make(.delete, $0) } }
      try store.extend(&script) { script in keys.prefix(10).map { script.make(.purge, $0) } }
      try store.read { snapshot in
        for limit in [1, 2, 7, 18, 89, 90, 91, 1_000] {
          var heads: [Head] = []
          while true {
            let page = try snapshot.heads(after: heads.last?.key, in: script.record.id, limit: limit)
            try expect(page.count <= limit, "a page has \(page.count) heads for limit \(limit)")
            if page.isEmpty { break }
            heads += page
          }
          try expectEqual(heads, script.heads, "heads in pages of \(limit)")
        }
        try expectEqual(try snapshot.heads(after: nil, in: script.record.id, limit: 0), [], "a page of none")
        let between = try snapshot.heads(after: try .sample("Zz", "a"), in: script.record.id, limit: 1)
        try expectEqual(between.first?.key.type.text, "_x", "the type after one that is not there")
      }
    },
    Conformance("extreme values are kept") { store in
      var script = try store.makeSpace("s")
      let longID = String(repeating: "😀", count: Limits.entityIDBytesMax / 4)
      let longName = String(repeating: "é", count: Limits.principalBytesMax / 2)
      let key = try EntityKey.sample(String(repeating: "T", count: Limits.typeNameBytesMax), longID)
      var entry = script.make(.create, key, by: try .sample(longName), createdBy: try .sample("e\u{301}"))
      entry.change.entity.version = EntityVersion(rawValue: .max)
      entry.change.entity.created.at = Timestamp.validRange.lowerBound
      entry.change.entity.updated.at = Timestamp.validRange.upperBound
      entry.change.entity.fields = CanonicalFields(unchecked: [UInt8](repeating: 0, count: Limits.entityBytesMax))
      entry.change.operation = OperationID(rawValue: Bytes16(high: .max, low: 0))
      entry.salt = Bytes16(high: 0, low: .max)
      entry.contentDigest = .sample(0)
      entry.chainHash = .sample(~0)
      let stored = entry
      try store.write { try $0.append([stored], in: script.record.id) }
      store.close()
      try store.read { snapshot in
        let id = script.record.id
        try expect(try snapshot.logEntry(at: Revision(rawValue: 1), in: id) == stored, "the entry differs")
        try expect(try snapshot.entities([key], in: id) == [stored.change.entity], "the entity differs")
        try expectEqual(try snapshot.heads(after: nil, in: id, limit: 1).first?.version.rawValue, .max, "the version")
      }
    },
  ]
}
