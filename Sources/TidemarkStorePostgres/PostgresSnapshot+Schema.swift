internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

extension PostgresSnapshot {
  func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord? {
    var parameters = Parameters(space)
    parameters.add(Int64(bitPattern: version))
    guard let row = try run(.schema, parameters).first else { return nil }
    guard let content = row.bytes(at: 0), let appliedAt = row.time(at: 1), let appliedBy = row.principal(at: 2) else {
      throw StoreError.corrupt("the schema \(version) does not decode")
    }
    let schema = SchemaRecord(version: version, content: content, appliedAt: appliedAt, appliedBy: appliedBy)
    guard row.integer(at: 3) == RowChecksum.of(schema, space: space) else {
      throw StoreError.corrupt("the schema \(version) fails its checksum")
    }
    return schema
  }

  func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?] {
    if let known = ahead?.holders(of: keys, in: space) { return known }
    var holders = [EntityID?](repeating: nil, count: keys.count)
    guard !keys.isEmpty else { return holders }
    for row in try run(.keyHolders, Parameters(keys, in: space)).all {
      guard let index = row.index(at: 1, in: keys.count), let id = row.id(at: 0) else {
        throw StoreError.corrupt("the holder of a key does not decode")
      }
      holders[index] = id
    }
    return holders
  }

  func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    guard limit > 0, ahead?.isFree(target, in: space) != true else { return [] }
    var parameters = Parameters(space)
    parameters.add(target.type.text)
    parameters.add(Array(target.id.text.utf8))
    parameters.add(Int64(limit))
    return try run(.referrers, parameters).all.map { row in
      guard let type = row.type(at: 0), let id = row.id(at: 1), let field = row.path(at: 2) else {
        throw StoreError.corrupt("a reference to \(target.type)/\(target.id) does not decode")
      }
      return HeldReference(source: EntityKey(type: type, id: id), field: field, target: target)
    }
  }
}

extension Parameters {
  /// The space, and arrays of types, names and values.
  init(_ keys: [HeldKey], in space: SpaceID) {
    self.init(space)
    add(.text, keys) { $0.put($1.type.text) }
    add(.text, keys) { $0.put($1.key.text) }
    add(.bytes, keys) { $0.put(KeyValue.stored($1.value)) }
  }

  /// The space, and arrays of the columns of `held_reference`.
  init(_ references: [HeldReference], in space: SpaceID) {
    self.init(space)
    add(.text, references) { $0.put($1.target.type.text) }
    add(.bytes, references) { $0.put($1.target.id) }
    add(.text, references) { $0.put($1.source.type.text) }
    add(.bytes, references) { $0.put($1.source.id) }
    add(.text, references) { $0.put($1.field.text) }
  }
}
