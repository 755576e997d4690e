internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

extension SQLiteSnapshot {
  func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord? {
    try reading {
      let statement = try statements[.schema]
      defer { statement.reset() }
      statement.bind(Int64(space.rawValue), at: 1)
      statement.bind(Int64(bitPattern: version), at: 2)
      guard try statement.step() else { return nil }
      guard let content = statement.unsafeBytes(at: 0), let appliedAt = statement.exactInteger(at: 1),
        let appliedBy = statement.text(at: 2).flatMap({ PrincipalName($0) })
      else { throw StoreError.corrupt("the schema \(version) does not decode") }
      let schema = SchemaRecord(
        version: version, content: [UInt8](content), appliedAt: Timestamp(rawValue: appliedAt), appliedBy: appliedBy)
      guard statement.exactInteger(at: 3) == RowChecksum.of(schema, space: space) else {
        throw StoreError.corrupt("the schema \(version) fails its checksum")
      }
      return schema
    }
  }

  func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?] {
    guard !keys.isEmpty else { return [] }
    return try reading {
      let statement = try statements[.keyHolder]
      defer { statement.reset() }
      statement.bind(Int64(space.rawValue), at: 1)
      return try keys.map { key in
        guard let type = try types.number(of: key.type, in: space), let name = try paths.number(of: key.key, in: space) else {
          return nil
        }
        statement.bind(type, at: 2)
        statement.bind(name, at: 3)
        return try key.value.withUnsafeBytes { value in
          defer { statement.reset() }
          statement.bind(unsafeBytes: value, at: 4)
          guard try statement.step() else { return nil }
          guard let id = statement.id(at: 0) else {
            throw StoreError.corrupt("the holder of a key of \(key.type) does not decode")
          }
          return id
        }
      }
    }
  }

  func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    guard limit > 0 else { return [] }
    return try reading {
      guard let targetType = try types.number(of: target.type, in: space) else { return [] }
      let id = scratch.id(target.id)
      var found: [HeldReference] = []
      for (type, number) in try referrerTypes(of: targetType, id, in: space) where found.count < limit {
        let statement = try statements[.referrers]
        defer { statement.reset() }
        statement.bind(Int64(space.rawValue), at: 1)
        statement.bind(targetType, at: 2)
        statement.bind(unsafeBytes: id, at: 3)
        statement.bind(number, at: 4)
        // Fields are numbered in the order of their first use, so those of one source are sorted here, all of them.
        var fields: [HeldReference] = []
        while try statement.step() {
          guard let sourceID = statement.id(at: 0),
            let field = try statement.exactInteger(at: 1).flatMap({ try paths.name(of: $0, in: space) })
          else { throw StoreError.corrupt("a reference to \(target.type)/\(target.id) does not decode") }
          if let last = fields.last, last.source.id != sourceID {
            // A damaged table can lead back to where the walk has been.
            guard last.source.id < sourceID else {
              throw StoreError.corrupt("references to \(target.type)/\(target.id) are out of order")
            }
            found += fields.sorted { $0.field < $1.field }
            fields.removeAll()
            if found.count >= limit { break }
          }
          fields.append(HeldReference(source: EntityKey(type: type, id: sourceID), field: field, target: target))
        }
        found += fields.sorted { $0.field < $1.field }
      }
      return Array(found.prefix(limit))
    }
  }

  /// The types of the entities that point to one, sorted by name.
  private func referrerTypes(
    of targetType: Int64, _ targetID: UnsafeRawBufferPointer, in space: SpaceID
  ) throws -> [(TypeName, Int64)] {
    let statement = try statements[.referrerType]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(targetType, at: 2)
    var names: [(TypeName, Int64)] = []
    var last: Int64 = 0
    while true {
      statement.bind(unsafeBytes: targetID, at: 3)
      statement.bind(last, at: 4)
      guard try statement.step() else { break }
      guard let number = statement.exactInteger(at: 0), number > last, let name = try types.name(of: number, in: space) else {
        throw StoreError.corrupt("the type of a reference does not decode")
      }
      names.append((name, number))
      last = number
      statement.reset()
    }
    return names.sorted { $0.0 < $1.0 }
  }
}
