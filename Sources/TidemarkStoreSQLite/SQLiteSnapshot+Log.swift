internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

extension SQLiteSnapshot {
  func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry? {
    try reading {
      guard revision > .zero, revision.rawValue <= Limits.revisionMax else { return nil }
      let statement = try statements[.logEntry]
      defer { statement.reset() }
      statement.bind(space.placeBase + Int64(revision.rawValue), at: 1)
      guard try statement.step() else { return nil }
      // Fields that were pruned are NULL, and the entry with them is no answer any more.
      guard statement.kind(at: 14) != .null else { return nil }
      guard let entry = try entry(statement, in: space) else {
        throw StoreError.corrupt("revision \(revision) does not decode")
      }
      return entry
    }
  }

  func logHead(at revision: Revision, in space: SpaceID) throws -> LogHead? {
    try reading {
      guard revision > .zero, revision.rawValue <= Limits.revisionMax else { return nil }
      let statement = try statements[.logHead]
      defer { statement.reset() }
      statement.bind(space.placeBase + Int64(revision.rawValue), at: 1)
      guard try statement.step(), statement.integer(at: 7) == 1 else { return nil }
      guard let typeNumber = statement.exactInteger(at: 0), let id = statement.id(at: 1),
        let version = statement.exactInteger(at: 2), let previous = statement.exactInteger(at: 3),
        let (kind, manner, _) = statement.changeParts(at: 4), let updatedAt = statement.exactInteger(at: 5),
        let updatedBy = statement.exactInteger(at: 6), let operation = Bytes16(column: statement.unsafeBytes(at: 8)),
        let type = try types.name(of: typeNumber, in: space),
        let updater = try principals.name(of: updatedBy, in: space)
      else { throw StoreError.corrupt("revision \(revision) does not decode") }
      return LogHead(
        key: EntityKey(type: type, id: id), version: EntityVersion(rawValue: UInt64(bitPattern: version)), revision: revision,
        kind: kind, previous: Revision(rawValue: UInt64(bitPattern: previous)),
        changed: Mark(at: Timestamp(rawValue: updatedAt), by: updater), operation: OperationID(rawValue: operation),
        manner: manner)
    }
  }

  func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow] {
    try reading {
      guard limit > 0, revision.rawValue < Limits.revisionMax else { return [] }
      let statement = try statements[.logRows]
      defer { statement.reset() }
      statement.bind(space.placeBase + Int64(revision.rawValue), at: 1)
      statement.bind(space.placeMax, at: 2)
      statement.bind(Int64(limit), at: 3)
      var rows: [LogRow] = []
      while try statement.step() {
        let revision = Revision(rawValue: UInt64(bitPattern: statement.integer(at: 0) &- space.placeBase))
        rows.append(try entry(statement, in: space).map { .intact($0) } ?? .damaged(revision))
      }
      return rows
    }
  }

  func changes(
    after revision: Revision, in space: SpaceID, latestOnly: Bool, limit: Int, bytesMax: Int
  ) throws -> ChangePage {
    try reading {
      var page = ChangePage(changes: [], through: revision)
      guard limit > 0, revision.rawValue < Limits.revisionMax else { return page }
      let statement = try statements[latestOnly ? .latestRows : .logRows]
      defer { statement.reset() }
      statement.bind(space.placeBase + Int64(revision.rawValue), at: 1)
      statement.bind(space.placeMax, at: 2)
      statement.bind(Int64(limit), at: 3)
      if latestOnly { statement.bind(Int64(space.rawValue), at: 4) }
      var bytes = 0
      while bytes < bytesMax, try statement.step() {
        let place = statement.integer(at: 0) &- space.placeBase
        page.through = Revision(rawValue: UInt64(bitPattern: place))
        if latestOnly, let head = statement.exactInteger(at: 16), head != place { continue }
        guard let entry = try entry(statement, in: space) else {
          throw StoreError.corrupt("revision \(page.through) does not decode")
        }
        bytes += entry.change.entity.fields.bytes.count
        page.changes.append(entry.change)
      }
      return page
    }
  }

  /// Reads the columns of `SQL.logColumns`; `nil` when one of them does not decode.
  private func entry(_ row: Statement, in space: SpaceID) throws -> LogEntry? {
    guard let place = row.exactInteger(at: 0), let typeNumber = row.exactInteger(at: 1), let id = row.id(at: 2),
      let version = row.exactInteger(at: 3), let previous = row.exactInteger(at: 4),
      let (kind, manner, goesOn) = row.changeParts(at: 5),
      let createdAt = row.exactInteger(at: 6), let createdBy = row.exactInteger(at: 7), let updatedAt = row.exactInteger(at: 8),
      let updatedBy = row.exactInteger(at: 9), let operation = Bytes16(column: row.unsafeBytes(at: 10)),
      let salt = Bytes16(column: row.unsafeBytes(at: 11)), let digest = Digest32(column: row.unsafeBytes(at: 12)),
      let hash = Digest32(column: row.unsafeBytes(at: 13)), let fields = row.unsafeBytes(at: 14),
      let type = try types.name(of: typeNumber, in: space), let creator = try principals.name(of: createdBy, in: space),
      let updater = try principals.name(of: updatedBy, in: space), row.kind(at: 15) == .null || row.exactInteger(at: 15) != nil
    else { return nil }
    let entity = Entity(
      key: EntityKey(type: type, id: id), version: EntityVersion(rawValue: UInt64(bitPattern: version)),
      revision: Revision(rawValue: UInt64(bitPattern: place &- space.placeBase)), life: kind.life,
      created: Mark(at: Timestamp(rawValue: createdAt), by: creator),
      updated: Mark(at: Timestamp(rawValue: updatedAt), by: updater), fields: CanonicalFields(unchecked: [UInt8](fields)))
    let change = Change(
      entity: entity, kind: kind, previous: Revision(rawValue: UInt64(bitPattern: previous)),
      operation: OperationID(rawValue: operation), manner: manner,
      editedAt: row.exactInteger(at: 15).map { Timestamp(rawValue: $0) }, goesOn: goesOn)
    return LogEntry(change: change, salt: salt, contentDigest: digest, chainHash: hash)
  }
}
