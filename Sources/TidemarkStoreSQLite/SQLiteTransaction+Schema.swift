internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

extension SQLiteTransaction {
  func insertSchema(_ schema: SchemaRecord, in space: SpaceID) throws {
    try changing {
      let statement = try statements[.schemaInsert]
      statement.bind(Int64(space.rawValue), at: 1)
      statement.bind(Int64(bitPattern: schema.version), at: 2)
      statement.bind(schema.content, at: 3)
      statement.bind(schema.appliedAt.rawValue, at: 4)
      statement.bind(schema.appliedBy.text, at: 5)
      statement.bind(RowChecksum.of(schema, space: space), at: 6)
      try statement.run()
    }
  }

  // MARK: Keys

  func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws {
    guard !released.isEmpty || !taken.isEmpty else { return }
    try changing {
      for key in released {
        try run(.keyRelease, key, in: space)
        guard statements.connection.changes == 1 else { throw StoreError.corrupt("a key of \(key.type) is not held") }
      }
      for (key, holder) in taken { try run(.keyTake, key, holder: holder, in: space) }
    }
  }

  private func run(_ sql: SQL, _ key: HeldKey, holder: EntityID? = nil, in space: SpaceID) throws {
    let statement = try statements[sql]
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(try types.makeNumber(of: key.type, in: space), at: 2)
    statement.bind(try paths.makeNumber(of: key.key, in: space), at: 3)
    if let holder { statement.bind(unsafeBytes: scratch.id(holder), at: 5) }
    try key.value.withUnsafeBytes { value in
      statement.bind(unsafeBytes: value, at: 4)
      try statement.run()
    }
  }

  func releaseAllKeys(of type: TypeName, key: FieldPath, in space: SpaceID) throws {
    try runForAll(.keyReleaseAll, type, key, in: space)
  }

  // MARK: References

  func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws {
    guard !released.isEmpty || !taken.isEmpty else { return }
    try changing {
      for reference in released {
        try run(.referenceRelease, reference, in: space)
        guard statements.connection.changes == 1 else {
          throw StoreError.corrupt("a reference of \(reference.source.type)/\(reference.source.id) is not there")
        }
      }
      for reference in taken { try run(.referenceTake, reference, in: space) }
    }
  }

  private func run(_ sql: SQL, _ reference: HeldReference, in space: SpaceID) throws {
    let statement = try statements[sql]
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(try types.makeNumber(of: reference.target.type, in: space), at: 2)
    statement.bind(unsafeBytes: scratch.id(reference.target.id), at: 3)
    statement.bind(try types.makeNumber(of: reference.source.type, in: space), at: 4)
    statement.bind(unsafeBytes: scratch.id(reference.source.id, at: Scratch.Place.otherID), at: 5)
    statement.bind(try paths.makeNumber(of: reference.field, in: space), at: 6)
    try statement.run()
  }

  func releaseAllReferences(of type: TypeName, field: FieldPath, in space: SpaceID) throws {
    try runForAll(.referenceReleaseAll, type, field, in: space)
  }

  /// Runs a statement about one path of one type, which has nothing to do when one of them was never used.
  private func runForAll(_ sql: SQL, _ type: TypeName, _ path: FieldPath, in space: SpaceID) throws {
    try changing {
      guard let type = try types.number(of: type, in: space), let path = try paths.number(of: path, in: space) else { return }
      let statement = try statements[sql]
      statement.bind(Int64(space.rawValue), at: 1)
      statement.bind(type, at: 2)
      statement.bind(path, at: 3)
      try statement.run()
    }
  }
}
