internal import TidemarkCore
internal import TidemarkStore

extension MemorySnapshot {
  func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord? { state.parts[space]?.schemas[version] }

  func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?] { keys.map { state.parts[space]?.keys[$0] } }

  func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    let found = state.parts[space]?.references.filter { $0.target == target } ?? []
    let sorted = found.sorted { $0.source == $1.source ? $0.field < $1.field : $0.source < $1.source }
    return Array(sorted.prefix(max(limit, 0)))
  }

  func heldKeys(after key: HeldKey?, in space: SpaceID, limit: Int) throws -> [(key: HeldKey, holder: EntityID)] {
    func precedes(_ a: HeldKey, _ b: HeldKey) -> Bool {
      guard (a.type, a.key) == (b.type, b.key) else { return (a.type, a.key) < (b.type, b.key) }
      return a.value.lexicographicallyPrecedes(b.value)
    }
    let keys = state.parts[space]?.keys.filter { held in key.map { precedes($0, held.key) } ?? true } ?? [:]
    return keys.sorted { precedes($0.key, $1.key) }.prefix(max(limit, 0)).map { ($0.key, $0.value) }
  }

  func heldReferences(after reference: HeldReference?, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    func precedes(_ a: HeldReference, _ b: HeldReference) -> Bool {
      (a.target, a.source, a.field) < (b.target, b.source, b.field)
    }
    let found = state.parts[space]?.references.filter { held in reference.map { precedes($0, held) } ?? true } ?? []
    return Array(found.sorted(by: precedes).prefix(max(limit, 0)))
  }

  func areHeld(_ references: [HeldReference], in space: SpaceID) throws -> [Bool] {
    references.map { state.parts[space]?.references.contains($0) ?? false }
  }
}

extension MemoryTransaction {
  func insertSchema(_ schema: SchemaRecord, in space: SpaceID) throws {
    try changing {
      try require(state.parts[space]?.schemas[schema.version] == nil, "the schema \(schema.version) exists")
      state.parts[space]?.schemas[schema.version] = schema
    }
  }

  func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws {
    try changing {
      for key in released {
        try require(state.parts[space]?.keys.removeValue(forKey: key) != nil, "a key of \(key.type) is not held")
      }
      for (key, holder) in taken {
        try require(state.parts[space]?.keys.updateValue(holder, forKey: key) == nil, "a key of \(key.type) is held")
      }
    }
  }

  func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws {
    try changing {
      for reference in released {
        try require(state.parts[space]?.references.remove(reference) != nil, "a reference of \(reference.source) is not there")
      }
      for reference in taken {
        try require(
          state.parts[space]?.references.insert(reference).inserted != false, "a reference of \(reference.source) is there")
      }
    }
  }

  func releaseAllKeys(of type: TypeName, key: FieldPath, in space: SpaceID) throws {
    try changing {
      guard let keys = state.parts[space]?.keys else { return }
      state.parts[space]?.keys = keys.filter { $0.key.type != type || $0.key.key != key }
    }
  }

  func releaseAllReferences(of type: TypeName, field: FieldPath, in space: SpaceID) throws {
    try changing {
      guard let references = state.parts[space]?.references else { return }
      state.parts[space]?.references = references.filter { $0.source.type != type || $0.field != field }
    }
  }
}
