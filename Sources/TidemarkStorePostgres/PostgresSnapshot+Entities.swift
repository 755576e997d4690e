internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

extension PostgresSnapshot {
  func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity? { try entities([key], in: space).first ?? nil }

  func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] {
    guard ahead?.space == space else { return try readEntities(keys, in: space) }
    var entities = [Entity?](repeating: nil, count: keys.count)
    var others: [Int] = []
    for (index, key) in keys.enumerated() {
      if ahead?.moveOn(to: key) == true { try askAhead() }
      if let known = ahead?.entity(key) { entities[index] = known } else { others.append(index) }
    }
    for (index, entity) in zip(others, try readEntities(others.map { keys[$0] }, in: space)) { entities[index] = entity }
    return entities
  }

  private func readEntities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] {
    var entities = [Entity?](repeating: nil, count: keys.count)
    guard !keys.isEmpty else { return entities }
    for row in try run(.entities, Parameters(keys, in: space)).all {
      guard let index = row.index(at: 10, in: keys.count) else { throw StoreError.corrupt("an entity was not asked for") }
      entities[index] = try PostgresSnapshot.entity(keys[index], row)
    }
    return entities
  }

  /// Asks for the next piece of what is expected.
  private func askAhead() throws {
    guard let question = ahead?.nextEntities else { return }
    ahead?.take([try run(question.sql, question.parameters)][...])
  }

  func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity] {
    guard limit > 0 else { return [] }
    let lives: (EntityLife, EntityLife) =
      switch deleted {
      case .exclude: (.alive, .alive)
      case .include: (.alive, .deleted)
      case .only: (.deleted, .deleted)
      }
    var parameters = Parameters(space)
    parameters.add(type.text)
    // Every id has at least one byte, so all are above the empty one.
    parameters.add(Array((after?.text ?? "").utf8))
    parameters.add(Int16(lives.0.rawValue))
    parameters.add(Int16(lives.1.rawValue))
    parameters.add(Int64(limit))
    parameters.add(Int64(bytesMax))
    return try run(.entityPage, parameters).all.map { row in
      guard let id = row.id(at: 10) else { throw StoreError.corrupt("an id of type \(type) does not decode") }
      return try PostgresSnapshot.entity(EntityKey(type: type, id: id), row)
    }
  }

  func type(after type: TypeName?, in space: SpaceID) throws -> TypeName? {
    var parameters = Parameters(space)
    // No name is empty, so this is before all.
    parameters.add(type?.text ?? "")
    guard let row = try run(.typeAfter, parameters).first else { return nil }
    guard let name = row.type(at: 0) else { throw StoreError.corrupt("a head of the space \(space.rawValue) does not decode") }
    return name
  }

  func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head] {
    guard limit > 0 else { return [] }
    var parameters = Parameters(space)
    parameters.add(key?.type.text ?? "")
    parameters.add(Array((key?.id.text ?? "").utf8))
    parameters.add(Int64(limit))
    return try run(.headPage, parameters).all.map { row in
      guard let type = row.type(at: 0), let id = row.id(at: 1), let version = row.version(at: 2),
        let revision = row.revision(at: 3), let life = row.life(at: 4)
      else { throw StoreError.corrupt("a head of the space \(space.rawValue) does not decode") }
      return Head(key: EntityKey(type: type, id: id), version: version, revision: revision, life: life)
    }
  }

  /// Reads the columns of `SQL.entityColumns`.
  static func entity(_ key: EntityKey, _ row: Row) throws -> Entity {
    guard row.bool(at: 3) == true, let life = row.life(at: 2),
      let (kind, _, _) = row.byte(at: 4).flatMap({ Change.parts(ofKindByte: $0) }), kind.life == life,
      let version = row.version(at: 0), let revision = row.revision(at: 1), let createdAt = row.time(at: 5),
      let creator = row.principal(at: 6), let updatedAt = row.time(at: 7), let updater = row.principal(at: 8),
      let fields = row.bytes(at: 9)
    else { throw StoreError.corrupt("the entity \(key.type)/\(key.id) does not decode, or its head and log disagree") }
    return Entity(
      key: key, version: version, revision: revision, life: life, created: Mark(at: createdAt, by: creator),
      updated: Mark(at: updatedAt, by: updater), fields: CanonicalFields(unchecked: fields))
  }
}

extension Parameters {
  /// The space, and arrays of types and ids.
  init(_ keys: some Collection<EntityKey>, in space: SpaceID) {
    self.init(space)
    add(.text, keys) { $0.put($1.type.text) }
    add(.bytes, keys) { $0.put($1.id) }
  }

  /// The space, and arrays of principals and operations.
  init(receipts: [(principal: PrincipalName, operation: OperationID)], in space: SpaceID) {
    self.init(space)
    add(.text, receipts) { $0.put($1.principal.text) }
    add(.bytes, receipts) { $0.put($1.operation.rawValue) }
  }
}
