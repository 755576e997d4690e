public import TidemarkCore

extension StoreSnapshot {
  /// The versions of an entity before `entity`, newest first, down to `version` where they are retained.
  ///
  /// - Parameter limit: the most versions to read; a longer way down answers without its end.
  public func past(of entity: Entity, downTo version: EntityVersion, limit: Int, in space: SpaceID) throws -> [Entity] {
    guard version < entity.version, var entry = try logEntry(at: entity.revision, in: space) else { return [] }
    var past: [Entity] = []
    while entry.change.entity.version > version, entry.change.previous != .zero, past.count < limit,
      let previous = try logEntry(at: entry.change.previous, in: space),
      previous.change.entity.key == entity.key, previous.change.entity.version < entry.change.entity.version
    {
      past.append(previous.change.entity)
      entry = previous
    }
    return past
  }
}
