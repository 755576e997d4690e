internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let logClaims: [Conformance] = [
    Conformance("the log is read entry by entry and in pages of any size") { store in
      var script = try store.makeSpace("s")
      let keys = try ["a", "b"].map { try EntityKey.sample("note", $0) }
      let writer = try PrincipalName.sample("writer")
      try store.extend(&script) { script in [script.make(.create, keys[0]), script.make(.create, keys[1], by: writer)] }
      let fields = try CanonicalFields.sample("x", 3)
      try store.extend(&script) { script in
        [
          script.make(.update, keys[0], fields: fields), script.make(.replace, keys[0], by: writer),
          script.make(.delete, keys[0]),
          script.make(.restore, keys[0], by: writer), script.make(.purge, keys[1]),
        ]
      }
      try store.read { snapshot in
        let id = script.record.id
        for entry in script.log {
          try expectEqual(try snapshot.logEntry(at: entry.change.entity.revision, in: id), entry, "the entry")
        }
        for entry in script.log {
          let entity = entry.change.entity
          let head = LogHead(
            key: entity.key, version: entity.version, revision: entity.revision, kind: entry.change.kind,
            previous: entry.change.previous, changed: entity.updated, operation: entry.change.operation,
            manner: entry.change.manner)
          try expectEqual(try snapshot.logHead(at: entity.revision, in: id), head, "the head of the entry")
        }
        for revision in [0, 8, Limits.revisionMax, Limits.revisionMax + 1, UInt64.max] {
          let revision = Revision(rawValue: revision)
          try expectEqual(try snapshot.logHead(at: revision, in: id), nil, "the head of the entry at \(revision)")
          try expectEqual(try snapshot.logEntry(at: revision, in: id), nil, "the entry at \(revision)")
        }
        let rows = script.log.map { LogRow.intact($0) }
        for start in 0...rows.count {
          for limit in 0...rows.count + 1 {
            let page = try snapshot.logRows(after: Revision(rawValue: UInt64(start)), in: id, limit: limit)
            try expectEqual(page, Array(rows[start...].prefix(limit)), "\(limit) rows after \(start)")
          }
        }
        for revision in [Limits.revisionMax - 1, Limits.revisionMax, UInt64.max] {
          let page = try snapshot.logRows(after: Revision(rawValue: revision), in: id, limit: 9)
          try expectEqual(page, [], "rows after \(revision)")
        }
      }
    },
    Conformance("the log keeps how a change came about and when it was made") { store in
      var script = try store.makeSpace("s")
      let key = try EntityKey.sample("note", "a")
      try store.extend(&script) { script in
        var entries = [script.make(.create, key)]
        for kind in [ChangeKind.update, .replace, .delete, .restore, .delete, .purge] {
          for manner in kind == .update ? ChangeManner.allCases : [ChangeManner.allCases[entries.count % 4]] {
            let times = [nil, Timestamp(rawValue: 0), Timestamp.validRange.lowerBound, Timestamp.validRange.upperBound]
            entries.append(
              script.make(
                kind, key, manner: manner, editedAt: times[entries.count % 4], goesOn: entries.count % 3 == 0))
          }
        }
        return entries
      }
      store.close()
      try store.read { snapshot in
        let id = script.record.id
        let rows = try snapshot.logRows(after: .zero, in: id, limit: 99)
        try expectEqual(rows, script.log.map { .intact($0) }, "rows")
        for entry in script.log {
          try expectEqual(try snapshot.logEntry(at: entry.change.entity.revision, in: id), entry, "the entry")
        }
        try expectEqual(try snapshot.entities([key], in: id), [script.entities[key]], "the entity")
        var verifier = ChainVerifier(space: script.record.name)
        while !verifier.isDone { _ = try verifier.step(snapshot, limit: 3) }
        // The script leaves no receipts, which a cascaded change needs none of.
        let unreceipted = script.log.map(\.change).filter { $0.manner != .cascaded && $0.kind != .purge }.map(\.entity.revision)
        try expectEqual(verifier.faults.map(\.revision), unreceipted, "changes without a receipt")
        try expect(verifier.faults.allSatisfy { $0.kind == .receipt }, "another fault: \(verifier.faults)")
      }
    },
    Conformance("the history of an entity leads down to a version, as far as it is retained and asked for") { store in
      var script = try store.makeSpace("s")
      let keys = try ["a", "b"].map { try EntityKey.sample("note", $0) }
      try store.extend(&script) { script in
        keys.map { script.make(.create, $0) } + (0..<4).flatMap { _ in keys.map { script.make(.update, $0) } }
      }
      let changes = script.log.map(\.change).filter { $0.entity.key == keys[0] }
      let id = script.record.id
      for latest in changes.map(\.entity) {
        for version in 0...7 as ClosedRange<UInt64> {
          for limit in [0, 1, 2, 5, Int.max] {
            let below = changes.filter { (max(version, 1)...7).contains($0.entity.version.rawValue) }.reversed()
            let expected = below.drop { $0.entity.version > latest.version }.prefix(limit)
            let down = EntityVersion(rawValue: version)
            try store.read { snapshot in
              let history = try snapshot.history(of: latest, downTo: down, limit: limit, in: id)
              try expectEqual(history, Array(expected), "the history of \(latest.version) down to \(version), limit \(limit)")
              let past = try snapshot.past(of: latest, downTo: down, limit: limit, in: id)
              let versions = below.map(\.entity).filter { $0.version < latest.version }.prefix(limit)
              try expectEqual(past, Array(versions), "the past of \(latest.version) down to \(version), limit \(limit)")
            }
          }
        }
      }
    },
    Conformance("entries that leave a gap, or come twice, are refused") { store in
      var script = try store.makeSpace("s")
      let key = try EntityKey.sample("note", "a")
      let first = script.make(.create, key)
      let second = script.make(.update, key)
      let third = script.make(.update, key)
      let id = script.record.id
      try store.write { try $0.append([first], in: id) }
      for entries in [[first], [third], [second, second], [second, first]] {
        try expectError(.corrupt, "entries \(entries.map(\.change.entity.revision))") {
          try store.write { try $0.append(entries, in: id) }
        }
      }
      try store.write { try $0.append([second, third], in: id) }
      try store.read { try expectEqual(try $0.logRows(after: .zero, in: id, limit: 9).count, 3, "rows") }
    },
    Conformance("the first version makes the head, a later one moves it") { store in
      var script = try store.makeSpace("s")
      let key = try EntityKey.sample("note", "a")
      let first = script.make(.create, key)
      var twice = script.make(.update, key)
      twice.change.previous = .zero
      let id = script.record.id
      try store.write { try $0.append([first], in: id) }
      try expectError(.corrupt, "a second first version") { try store.write { try $0.append([twice], in: id) } }
      var stray = twice
      stray.change.entity.key = try .sample("note", "stranger")
      stray.change.previous = Revision(rawValue: 1)
      try expectError(.corrupt, "a later version of nothing") { try store.write { try $0.append([stray], in: id) } }
    },
    Conformance("a damaged row is reported and leaves the others readable") { store in
      var script = try store.makeSpace("s")
      let keys = try ["a", "b", "c"].map { try EntityKey.sample("note", $0) }
      try store.extend(&script) { script in keys.map { script.make(.create, $0) } }
      let id = script.record.id
      let revision = Revision(rawValue: 2)
      try store.damage(revision, in: id)
      try store.read { snapshot in
        try expectEqual(
          try snapshot.logRows(after: .zero, in: id, limit: 9),
          [.intact(script.log[0]), .damaged(revision), .intact(script.log[2])],
          "rows")
        try expectError(.corrupt, "the damaged entry") { _ = try snapshot.logEntry(at: revision, in: id) }
        try expectError(.corrupt, "the damaged entity") { _ = try snapshot.entities([keys[1]], in: id) }
        try expectEqual(
          try snapshot.entities([keys[0], keys[2]], in: id), [script.entities[keys[0]], script.entities[keys[2]]], "the others")
      }
      try store.extend(&script) { [$0.make(.update, keys[0])] }
    },
  ]
}
