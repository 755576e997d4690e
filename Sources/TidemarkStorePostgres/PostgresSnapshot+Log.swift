internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

extension PostgresSnapshot {
  func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry? {
    guard revision > .zero, revision.rawValue <= Limits.revisionMax else { return nil }
    var parameters = Parameters(space)
    parameters.add(revision)
    // Fields that were pruned are NULL, and the entry with them is no answer any more.
    guard let row = try run(.logEntry, parameters).first, !row.isNull(at: 14) else { return nil }
    guard let entry = entry(row) else { throw StoreError.corrupt("revision \(revision) does not decode") }
    return entry
  }

  func logHead(at revision: Revision, in space: SpaceID) throws -> LogHead? {
    guard revision > .zero, revision.rawValue <= Limits.revisionMax else { return nil }
    var parameters = Parameters(space)
    parameters.add(revision)
    guard let row = try run(.logHead, parameters).first else { return nil }
    guard let type = row.type(at: 0), let id = row.id(at: 1), let version = row.version(at: 2),
      let previous = row.revision(at: 3), let (kind, manner, _) = row.byte(at: 4).flatMap({ Change.parts(ofKindByte: $0) }),
      let updatedAt = row.time(at: 5), let updater = row.principal(at: 6), let operation = row.bytes16(at: 7)
    else { throw StoreError.corrupt("revision \(revision) does not decode") }
    return LogHead(
      key: EntityKey(type: type, id: id), version: version, revision: revision, kind: kind, previous: previous,
      changed: Mark(at: updatedAt, by: updater), operation: OperationID(rawValue: operation), manner: manner)
  }

  func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow] {
    guard limit > 0, revision.rawValue < Limits.revisionMax else { return [] }
    var parameters = Parameters(space)
    parameters.add(revision)
    parameters.add(Int64(limit))
    return try run(.logRows, parameters).all.map { row in
      guard let stored = row.revision(at: 0) else { throw StoreError.corrupt("a revision of the log does not decode") }
      return entry(row).map { .intact($0) } ?? .damaged(stored)
    }
  }

  func changes(
    after revision: Revision, in space: SpaceID, latestOnly: Bool, limit: Int, bytesMax: Int
  ) throws -> ChangePage {
    var page = ChangePage(changes: [], through: revision)
    guard limit > 0, revision.rawValue < Limits.revisionMax else { return page }
    var parameters = Parameters(space)
    parameters.add(revision)
    parameters.add(Int64(limit))
    parameters.add(Int64(bytesMax))
    for row in try run(latestOnly ? .latestChanges : .changes, parameters).all {
      guard let stored = row.revision(at: 0) else { throw StoreError.corrupt("a revision of the log does not decode") }
      page.through = stored
      if row.bool(at: 16) == false { continue }
      guard let entry = entry(row) else { throw StoreError.corrupt("revision \(stored) does not decode") }
      page.changes.append(entry.change)
    }
    return page
  }

  /// Reads the columns of `SQL.logColumns`; `nil` when one of them does not decode.
  private func entry(_ row: Row) -> LogEntry? {
    guard let revision = row.revision(at: 0), let type = row.type(at: 1), let id = row.id(at: 2),
      let version = row.version(at: 3),
      let previous = row.revision(at: 4), let (kind, manner, goesOn) = row.byte(at: 5).flatMap({ Change.parts(ofKindByte: $0) }),
      let createdAt = row.time(at: 6), let creator = row.principal(at: 7), let updatedAt = row.time(at: 8),
      let updater = row.principal(at: 9), let operation = row.bytes16(at: 10), let salt = row.bytes16(at: 11),
      let digest = row.digest(at: 12), let hash = row.digest(at: 13), let fields = row.bytes(at: 14),
      row.isNull(at: 15) || row.time(at: 15) != nil
    else { return nil }
    let entity = Entity(
      key: EntityKey(type: type, id: id), version: version, revision: revision, life: kind.life,
      created: Mark(at: createdAt, by: creator), updated: Mark(at: updatedAt, by: updater),
      fields: CanonicalFields(unchecked: fields))
    let change = Change(
      entity: entity, kind: kind, previous: previous, operation: OperationID(rawValue: operation), manner: manner,
      editedAt: row.time(at: 15), goesOn: goesOn)
    return LogEntry(change: change, salt: salt, contentDigest: digest, chainHash: hash)
  }
}
