public import TidemarkCore

extension StoreSnapshot {
  /// Made from the whole entry: right for stores that read from memory.
  public func logHead(at revision: Revision, in space: SpaceID) throws -> LogHead? {
    try logEntry(at: revision, in: space).map { entry in
      let entity = entry.change.entity
      return LogHead(
        key: entity.key, version: entity.version, revision: entity.revision, kind: entry.change.kind,
        previous: entry.change.previous, changed: entity.updated, operation: entry.change.operation, manner: entry.change.manner)
    }
  }

  /// The changes that made the versions of `entity` above `version`, newest first, and the one that made `version` itself last.
  ///
  /// Ends early where history is not retained. Empty when `version` is above that of `entity`.
  ///
  /// - Parameter limit: the most changes to read; a longer way down answers without its end.
  public func history(of entity: Entity, downTo version: EntityVersion, limit: Int, in space: SpaceID) throws -> [Change] {
    guard limit > 0, version <= entity.version, let latest = try logEntry(at: entity.revision, in: space)?.change,
      latest.entity.key == entity.key, latest.entity.version == entity.version
    else { return [] }
    var changes = [latest]
    var change = latest
    while change.entity.version > version, change.previous != .zero, changes.count < limit,
      let previous = try logEntry(at: change.previous, in: space)?.change,
      previous.entity.key == entity.key, previous.entity.version < change.entity.version
    {
      changes.append(previous)
      change = previous
    }
    return changes
  }

  /// The versions of an entity before `entity`, newest first, down to `version` where they are retained.
  ///
  /// - Parameter limit: the most versions to read; a longer way down answers without its end.
  public func past(of entity: Entity, downTo version: EntityVersion, limit: Int, in space: SpaceID) throws -> [Entity] {
    guard version < entity.version, limit > 0 else { return [] }
    let changes = try history(of: entity, downTo: version, limit: limit == .max ? limit : limit + 1, in: space)
    return changes.dropFirst().map(\.entity)
  }
}
