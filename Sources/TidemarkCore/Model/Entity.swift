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
///
/// A write hands it from the cache to the judge, the log, the outcome and the cache again, so a copy costs one count of references:
/// the parts lie in one object that never changes. Setting a part makes another object.
public struct Entity: Hashable, Sendable {
  @usableFromInline
  struct Parts: Hashable, Sendable {
    @usableFromInline var key: EntityKey
    @usableFromInline var version: EntityVersion
    @usableFromInline var revision: Revision
    @usableFromInline var life: EntityLife
    @usableFromInline var created: Mark
    @usableFromInline var updated: Mark
    @usableFromInline var fields: CanonicalFields
  }

  @usableFromInline
  final class Box: Sendable {
    @usableFromInline let parts: Parts
    init(_ parts: Parts) { self.parts = parts }
  }

  @usableFromInline private(set) var box: Box

  public init(
    key: EntityKey, version: EntityVersion, revision: Revision, life: EntityLife, created: Mark, updated: Mark,
    fields: CanonicalFields
  ) {
    box = Box(
      Parts(
        key: key, version: version, revision: revision, life: life, created: created, updated: updated, fields: fields))
  }

  private mutating func set<Part>(_ path: WritableKeyPath<Parts, Part>, _ value: Part) {
    var parts = box.parts
    parts[keyPath: path] = value
    box = Box(parts)
  }

  public static func == (a: Entity, b: Entity) -> Bool { a.box === b.box || a.box.parts == b.box.parts }
  public func hash(into hasher: inout Hasher) { hasher.combine(box.parts) }
}

extension Entity {
  /// Its type and id.
  public var key: EntityKey {
    @inlinable get { box.parts.key }
    set { set(\.key, newValue) }
  }

  /// How many changes made it.
  public var version: EntityVersion {
    @inlinable get { box.parts.version }
    set { set(\.version, newValue) }
  }

  /// The revision of the space at which this version was committed.
  public var revision: Revision {
    @inlinable get { box.parts.revision }
    set { set(\.revision, newValue) }
  }

  /// Whether it is there.
  public var life: EntityLife {
    @inlinable get { box.parts.life }
    set { set(\.life, newValue) }
  }

  /// The first change of this life of the entity. Never changes; a create after a delete begins a new life.
  public var created: Mark {
    @inlinable get { box.parts.created }
    set { set(\.created, newValue) }
  }

  /// The change that made this version. For a deleted entity, the delete.
  public var updated: Mark {
    @inlinable get { box.parts.updated }
    set { set(\.updated, newValue) }
  }

  /// The fields. A deleted entity keeps those it had; a purged one has none.
  public var fields: CanonicalFields {
    @inlinable get { box.parts.fields }
    set { set(\.fields, newValue) }
  }
}
