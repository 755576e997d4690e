internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

/// Walks over everything that is held in a space. The order is that of the numbers of names.
extension SQLiteSnapshot {
  func heldKeys(after key: HeldKey?, in space: SpaceID, limit: Int) throws -> [(key: HeldKey, holder: EntityID)] {
    guard limit > 0 else { return [] }
    return try reading {
      let statement = try statements[.heldKeys]
      defer { statement.reset() }
      statement.bind(Int64(space.rawValue), at: 1)
      // No number is 0, so this is before all.
      var last: (Int64, Int64) = (0, 0)
      var lastValue = key?.value ?? []
      if let key { last = (try known(types.number(of: key.type, in: space)), try known(paths.number(of: key.key, in: space))) }
      statement.bind(last.0, at: 2)
      statement.bind(last.1, at: 3)
      statement.bind(lastValue, at: 4)
      statement.bind(Int64(limit), at: 5)
      var found: [(key: HeldKey, holder: EntityID)] = []
      while try statement.step() {
        guard let type = statement.exactInteger(at: 0), let name = statement.exactInteger(at: 1),
          let typeName = try types.name(of: type, in: space), let keyName = try paths.name(of: name, in: space),
          let bytes = statement.unsafeBytes(at: 2), let holder = statement.id(at: 3)
        else { throw StoreError.corrupt("a held key does not decode") }
        let value = [UInt8](bytes)
        // A damaged table can lead back to where the walk has been.
        guard last < (type, name) || (last == (type, name) && lastValue.lexicographicallyPrecedes(value)) else {
          throw StoreError.corrupt("held keys are out of order")
        }
        (last, lastValue) = ((type, name), value)
        found.append((HeldKey(type: typeName, key: keyName, value: value), holder))
      }
      return found
    }
  }

  func heldReferences(after reference: HeldReference?, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    guard limit > 0 else { return [] }
    return try reading {
      let statement = try statements[.heldReferences]
      defer { statement.reset() }
      if let reference {
        guard try bind(reference, to: statement, in: space) else { throw StoreError.corrupt("a name is missing") }
      } else {
        statement.bind(Int64(space.rawValue), at: 1)
        for place in [2, 4, 6] as [Int32] { statement.bind(0, at: place) }
        for place in [3, 5] as [Int32] { statement.bind([], at: place) }
      }
      statement.bind(Int64(limit), at: 7)
      var found: [HeldReference] = []
      var last = try reference.map {
        (
          try known(types.number(of: $0.target.type, in: space)), $0.target.id,
          try known(types.number(of: $0.source.type, in: space)), $0.source.id, try known(paths.number(of: $0.field, in: space))
        )
      }
      while try statement.step() {
        guard let targetType = statement.exactInteger(at: 0), let target = statement.id(at: 1),
          let sourceType = statement.exactInteger(at: 2), let source = statement.id(at: 3),
          let field = statement.exactInteger(at: 4), let targetName = try types.name(of: targetType, in: space),
          let sourceName = try types.name(of: sourceType, in: space), let fieldName = try paths.name(of: field, in: space)
        else { throw StoreError.corrupt("a reference does not decode") }
        let now = (targetType, target, sourceType, source, field)
        // A damaged table can lead back to where the walk has been.
        if let last, now <= last { throw StoreError.corrupt("references are out of order") }
        last = now
        found.append(
          HeldReference(
            source: EntityKey(type: sourceName, id: source), field: fieldName, target: EntityKey(type: targetName, id: target)))
      }
      return found
    }
  }

  func areHeld(_ references: [HeldReference], in space: SpaceID) throws -> [Bool] {
    try reading {
      let statement = try statements[.heldReference]
      defer { statement.reset() }
      return try references.map { reference in
        defer { statement.reset() }
        return try bind(reference, to: statement, in: space) && statement.step()
      }
    }
  }

  /// Binds the space and the columns of a reference. False when one of its names was never used.
  private func bind(_ reference: HeldReference, to statement: Statement, in space: SpaceID) throws -> Bool {
    guard let targetType = try types.number(of: reference.target.type, in: space),
      let sourceType = try types.number(of: reference.source.type, in: space),
      let field = try paths.number(of: reference.field, in: space)
    else { return false }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(targetType, at: 2)
    statement.bind(unsafeBytes: scratch.id(reference.target.id), at: 3)
    statement.bind(sourceType, at: 4)
    statement.bind(unsafeBytes: scratch.id(reference.source.id, at: Scratch.Place.otherID), at: 5)
    statement.bind(field, at: 6)
    return true
  }

  private func known(_ number: Int64?) throws -> Int64 {
    guard let number else { throw StoreError.corrupt("a name is missing") }
    return number
  }
}
