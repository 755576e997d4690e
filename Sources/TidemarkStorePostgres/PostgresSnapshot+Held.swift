internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

/// Walks over everything that is held in a space, in the order of the tables' keys.
extension PostgresSnapshot {
  func heldKeys(after key: HeldKey?, in space: SpaceID, limit: Int) throws -> [(key: HeldKey, holder: EntityID)] {
    guard limit > 0 else { return [] }
    var parameters = Parameters(space)
    // No name is empty, so this is before all.
    parameters.add(key?.type.text ?? "")
    parameters.add(key?.key.text ?? "")
    parameters.add(key.map { KeyValue.stored($0.value) } ?? [])
    parameters.add(Int64(limit))
    return try run(.heldKeys, parameters).all.map { row in
      guard let type = row.type(at: 0), let name = row.path(at: 1), let value = row.bytes(at: 2), let holder = row.id(at: 3)
      else {
        throw StoreError.corrupt("a held key does not decode")
      }
      return (HeldKey(type: type, key: name, value: value), holder)
    }
  }

  func heldReferences(after reference: HeldReference?, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    guard limit > 0 else { return [] }
    var parameters = Parameters(space)
    parameters.add(reference?.target.type.text ?? "")
    parameters.add(Array((reference?.target.id.text ?? "").utf8))
    parameters.add(reference?.source.type.text ?? "")
    parameters.add(Array((reference?.source.id.text ?? "").utf8))
    parameters.add(reference?.field.text ?? "")
    parameters.add(Int64(limit))
    return try run(.heldReferences, parameters).all.map { row in
      guard let targetType = row.type(at: 0), let target = row.id(at: 1), let sourceType = row.type(at: 2),
        let source = row.id(at: 3), let field = row.path(at: 4)
      else { throw StoreError.corrupt("a reference does not decode") }
      return HeldReference(
        source: EntityKey(type: sourceType, id: source), field: field, target: EntityKey(type: targetType, id: target))
    }
  }

  func areHeld(_ references: [HeldReference], in space: SpaceID) throws -> [Bool] {
    var areHeld = [Bool](repeating: false, count: references.count)
    guard !references.isEmpty else { return areHeld }
    for row in try run(.referencesHeld, Parameters(references, in: space)).all {
      guard let index = row.index(at: 0, in: references.count) else {
        throw StoreError.corrupt("a reference was not asked for")
      }
      areHeld[index] = true
    }
    return areHeld
  }
}
