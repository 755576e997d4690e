public import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let schemaClaims: [Conformance] = [
    Conformance("every schema of a space is kept as it was applied") { store in
      var one = try store.makeSpace("one", seed: 1).record
      let two = try store.makeSpace("two", seed: 2).record
      try expectEqual(one.schemaVersion, 0, "the schema version of a new space")
      let schemas = [
        SchemaRecord(version: 1, content: [], appliedAt: Timestamp.validRange.lowerBound, appliedBy: try .sample("é")),
        SchemaRecord(
          version: 2, content: (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }, appliedAt: Timestamp.validRange.upperBound,
          appliedBy: try .sample("e\u{301}")),
      ]
      one.schemaVersion = 2
      let updated = one
      try store.write { transaction in
        for schema in schemas { try transaction.insertSchema(schema, in: updated.id) }
        try transaction.updateSpace(updated)
        try expectEqual(try transaction.schema(version: 2, in: updated.id), schemas[1], "the schema just inserted")
      }
      store.close()
      try store.read { snapshot in
        try expectEqual(try snapshot.space(named: updated.name), updated, "the space")
        for schema in schemas {
          try expectEqual(try snapshot.schema(version: schema.version, in: updated.id), schema, "the schema \(schema.version)")
        }
        for version in [0, 3, UInt64.max] {
          try expectEqual(try snapshot.schema(version: version, in: updated.id), nil, "the schema \(version)")
        }
        try expectEqual(try snapshot.schema(version: 1, in: two.id), nil, "the schema of another space")
      }
      try expectError(.corrupt, "a schema of a version that exists") {
        try store.write { try $0.insertSchema(schemas[0], in: updated.id) }
      }
    },
    Conformance("a space whose schema is missing does not verify") { store in
      var record = try store.makeSpace("s").record
      record.schemaVersion = 1
      let updated = record
      try store.write { try $0.updateSpace(updated) }
      func faults() throws -> [ChainVerifier.Fault.Kind] {
        var verifier = ChainVerifier(space: updated.name)
        while !verifier.isDone { _ = try store.read { try verifier.step($0, limit: 3) } }
        return verifier.faults.map(\.kind)
      }
      try expectEqual(try faults(), [.space], "faults without the schema")
      try store.write { try $0.insertSchema(try .sample(1), in: updated.id) }
      try expectEqual(try faults(), [], "faults with it")
    },
    Conformance("deleting a space removes its schemas, keys and references, and those of no other") { store in
      let gone = try store.makeSpace("gone", seed: 1).record.id
      let kept = try store.makeSpace("kept", seed: 2).record.id
      let key = try HeldKey.sample("note", "title", [1])
      let reference = try HeldReference.sample(("note", "a"), "parent", ("note", "b"))
      let holder = reference.source.id
      try store.write { transaction in
        for id in [gone, kept] {
          try transaction.insertSchema(try .sample(1), in: id)
          try transaction.moveKeys(released: [], taken: [(key, holder)], in: id)
          try transaction.moveReferences(released: [], taken: [reference], in: id)
        }
      }
      try store.write { try $0.deleteSpace(gone) }
      let again = try store.makeSpace("gone", seed: 3).record.id
      try store.read { snapshot in
        for (id, isThere) in [(gone, false), (again, false), (kept, true)] {
          try expectEqual(try snapshot.schema(version: 1, in: id) != nil, isThere, "the schema in \(id)")
          try expectEqual(try snapshot.holders(of: [key], in: id), [isThere ? holder : nil], "the holder in \(id)")
          let referrers = try snapshot.referrers(of: reference.target, in: id, limit: 9)
          try expectEqual(referrers, isThere ? [reference] : [], "referrers in \(id)")
        }
      }
    },
    Conformance("a write that throws moves no schema, key or reference") { store in
      let id = try store.makeSpace("s").record.id
      let keys = try [HeldKey.sample("note", "title", [1]), .sample("lost", "lost", [2])]
      let references = try [
        HeldReference.sample(("note", "a"), "parent", ("note", "b")), .sample(("note", "c"), "lost", ("note", "b")),
      ]
      let holders = try [EntityID.sample("a"), .sample("b")]
      struct Refusal: Error {}
      try store.write { transaction in
        try transaction.moveKeys(released: [], taken: [(keys[0], holders[0])], in: id)
        try transaction.moveReferences(released: [], taken: [references[0]], in: id)
      }
      do {
        try store.write { transaction in
          try transaction.insertSchema(try .sample(1), in: id)
          try transaction.moveKeys(released: [keys[0]], taken: [(keys[1], holders[1])], in: id)
          try transaction.moveReferences(released: [references[0]], taken: [references[1]], in: id)
          throw Refusal()
        }
      } catch is Refusal {}
      try store.read { snapshot in
        try expectEqual(try snapshot.schema(version: 1, in: id), nil, "the schema")
        try expectEqual(try snapshot.holders(of: keys, in: id), [holders[0], nil], "holders")
        try expectEqual(try snapshot.referrers(of: references[0].target, in: id, limit: 9), [references[0]], "referrers")
      }
      // The names that the write used first are given anew.
      try store.write { transaction in
        try transaction.moveKeys(released: [], taken: [(try .sample("kept", "kept", [2]), holders[0])], in: id)
        try transaction.moveKeys(released: [], taken: [(keys[1], holders[1])], in: id)
      }
      store.close()
      let asked = try keys + [.sample("kept", "kept", [2])]
      try expectEqual(
        try store.read { try $0.holders(of: asked, in: id) }, [holders[0], holders[1], holders[0]], "holders after another write")
    },
  ]
}

extension SchemaRecord {
  static func sample(_ version: UInt64) throws -> SchemaRecord {
    SchemaRecord(version: version, content: [1, 2, 3], appliedAt: Timestamp(rawValue: 42), appliedBy: .sample)
  }
}

extension FieldPath {
  static func sample(_ text: String) throws -> FieldPath {
    guard let path = FieldPath(text) else { throw UnfitSample(text: text) }
    return path
  }
}

extension HeldKey {
  /// A key of the given texts and value.
  public static func sample(_ type: String, _ key: String, _ value: [UInt8]) throws -> HeldKey {
    HeldKey(type: try .sample(type), key: try .sample(key), value: value)
  }
}

extension HeldReference {
  /// A reference from a field of one entity to another; both are type and id.
  public static func sample(
    _ source: (String, String), _ field: String, _ target: (String, String)
  ) throws -> HeldReference {
    HeldReference(
      source: try .sample(source.0, source.1), field: try .sample(field), target: try .sample(target.0, target.1))
  }
}
