internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

extension SQLiteSnapshot {
  func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity? {
    try reading { try memory?.entities.entity(key, in: space) ?? readEntity(key, in: space) }
  }

  func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] {
    try reading {
      var entities: [Entity?] = []
      entities.reserveCapacity(keys.count)
      for key in keys { entities.append(try memory?.entities.entity(key, in: space) ?? readEntity(key, in: space)) }
      return entities
    }
  }

  private func readEntity(_ key: EntityKey, in space: SpaceID) throws -> Entity? {
    guard let type = try types.number(of: key.type, in: space) else { return nil }
    let statement = try statements[.entity]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(type, at: 2)
    statement.bind(unsafeBytes: scratch.id(key.id), at: 3)
    statement.bind(space.placeBase, at: 4)
    guard try statement.step() else { return nil }
    let found = try entity(key, statement, in: space)
    memory?.entities.put(found, in: space)
    return found
  }

  func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity] {
    try reading {
      guard limit > 0, let number = try types.number(of: type, in: space) else { return [] }
      let statement = try statements[.entityPage]
      defer { statement.reset() }
      statement.bind(Int64(space.rawValue), at: 1)
      statement.bind(number, at: 2)
      // Every id has at least one byte, so all are above the empty one.
      statement.bind(unsafeBytes: after.map { scratch.id($0) } ?? UnsafeRawBufferPointer(start: nil, count: 0), at: 3)
      statement.bind(space.placeBase, at: 4)
      let lives: (EntityLife, EntityLife) =
        switch deleted {
        case .exclude: (.alive, .alive)
        case .include: (.alive, .deleted)
        case .only: (.deleted, .deleted)
        }
      statement.bind(Int64(lives.0.rawValue), at: 5)
      statement.bind(Int64(lives.1.rawValue), at: 6)
      var entities: [Entity] = []
      var bytes = 0
      while entities.count < limit, bytes < bytesMax || entities.isEmpty, try statement.step() {
        guard let id = statement.id(at: 10) else { throw StoreError.corrupt("an id of type \(type) does not decode") }
        let entity = try entity(EntityKey(type: type, id: id), statement, in: space)
        bytes += entity.fields.bytes.count
        entities.append(entity)
      }
      return entities
    }
  }

  func type(after type: TypeName?, in space: SpaceID) throws -> TypeName? {
    try reading {
      let statement = try statements[.typeAfter]
      defer { statement.reset() }
      statement.bind(Int64(space.rawValue), at: 1)
      // Every name sorts behind a single control character.
      statement.bind(type?.text ?? "\u{1}", at: 2)
      guard try statement.step() else { return nil }
      guard let name = statement.text(at: 0).flatMap({ TypeName($0) }) else {
        throw StoreError.corrupt("the name of a type does not decode")
      }
      return name
    }
  }

  func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head] {
    try reading {
      var heads: [Head] = []
      for (type, number) in try typeNames(from: key?.type, in: space) where heads.count < limit {
        let statement = try statements[.headPage]
        defer { statement.reset() }
        statement.bind(Int64(space.rawValue), at: 1)
        statement.bind(number, at: 2)
        let after = key.flatMap { $0.type == type ? scratch.id($0.id) : nil }
        statement.bind(unsafeBytes: after ?? UnsafeRawBufferPointer(start: nil, count: 0), at: 3)
        statement.bind(Int64(limit - heads.count), at: 4)
        while try statement.step() {
          guard let id = statement.id(at: 0), let version = statement.exactInteger(at: 1),
            let revision = statement.exactInteger(at: 2), let life = statement.life(at: 3)
          else { throw StoreError.corrupt("a head of type \(type) does not decode") }
          heads.append(
            Head(
              key: EntityKey(type: type, id: id), version: EntityVersion(rawValue: UInt64(bitPattern: version)),
              revision: Revision(rawValue: UInt64(bitPattern: revision)), life: life))
        }
      }
      return heads
    }
  }

  /// The types of a space from one on, sorted by name.
  private func typeNames(from first: TypeName?, in space: SpaceID) throws -> [(TypeName, Int64)] {
    let statement = try statements[.typeNames]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    // Every name sorts behind a single control character.
    statement.bind(first?.text ?? "\u{1}", at: 2)
    var names: [(TypeName, Int64)] = []
    while try statement.step() {
      guard let name = statement.text(at: 0).flatMap({ TypeName($0) }), let number = statement.exactInteger(at: 1) else {
        throw StoreError.corrupt("the name of a type does not decode")
      }
      names.append((name, number))
    }
    return names
  }

  /// Reads the columns of `SQL.entityColumns`.
  private func entity(_ key: EntityKey, _ row: Statement, in space: SpaceID) throws -> Entity {
    guard row.integer(at: 3) == 1, let life = row.life(at: 2), let (kind, _, _) = row.changeParts(at: 4), kind.life == life,
      let version = row.exactInteger(at: 0), let revision = row.exactInteger(at: 1), let createdAt = row.exactInteger(at: 5),
      let createdBy = row.exactInteger(at: 6), let updatedAt = row.exactInteger(at: 7), let updatedBy = row.exactInteger(at: 8),
      let creator = try principals.name(of: createdBy, in: space), let fields = row.unsafeBytes(at: 9),
      let updater = createdBy == updatedBy ? creator : try principals.name(of: updatedBy, in: space)
    else { throw StoreError.corrupt("the entity \(key.type)/\(key.id) does not decode, or its head and log disagree") }
    return Entity(
      key: key, version: EntityVersion(rawValue: UInt64(bitPattern: version)),
      revision: Revision(rawValue: UInt64(bitPattern: revision)), life: life,
      created: Mark(at: Timestamp(rawValue: createdAt), by: creator),
      updated: Mark(at: Timestamp(rawValue: updatedAt), by: updater), fields: CanonicalFields(unchecked: [UInt8](fields)))
  }
}

extension Statement {
  func id(at column: Int32) -> EntityID? {
    unsafeBytes(at: column).flatMap { String(validating: $0, as: UTF8.self) }.flatMap { EntityID($0) }
  }

  func life(at column: Int32) -> EntityLife? {
    exactInteger(at: column).flatMap { UInt8(exactly: $0) }.flatMap { EntityLife(rawValue: $0) }
  }

  /// The kind and manner of a change, and whether the next belongs to it, which are one byte.
  func changeParts(at column: Int32) -> (ChangeKind, ChangeManner, goesOn: Bool)? {
    exactInteger(at: column).flatMap { UInt8(exactly: $0) }.flatMap { Change.parts(ofKindByte: $0) }
  }
}
