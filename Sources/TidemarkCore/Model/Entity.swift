/// Whether an entity is there.
public enum EntityLife: UInt8, Sendable {
  case alive = 1
  /// Deleted; can be restored.
  case deleted = 2
  /// Deleted, and its content erased. Its version stays taken.
  case purged = 3
}

/// Who did something, and when by the server's clock.
public struct Mark: Hashable, Sendable {
  public var at: Timestamp
  public var by: PrincipalName

  public init(at: Timestamp, by: PrincipalName) {
    self.at = at
    self.by = by
  }
}

/// One entity as it is at one version.
public struct Entity: Hashable, Sendable {
  public var key: EntityKey
  public var version: EntityVersion
  /// The revision of the space at which this version was committed.
  public var revision: Revision
  public var life: EntityLife
  /// The first change of this life of the entity. Never changes; a create after a delete begins a new life.
  public var created: Mark
  /// The change that made this version. For a deleted entity, the delete.
  public var updated: Mark
  /// The fields. A deleted entity keeps those it had; a purged one has none.
  public var fields: CanonicalFields

  public init(
    key: EntityKey, version: EntityVersion, revision: Revision, life: EntityLife, created: Mark, updated: Mark,
    fields: CanonicalFields
  ) {
    self.key = key
    self.version = version
    self.revision = revision
    self.life = life
    self.created = created
    self.updated = updated
    self.fields = fields
  }
}
