/// What the judge may look up while it judges, beside what it was given: the state before the first item.
///
/// Every method throws what the store throws; the judge passes it on.
public protocol JudgeSource: AnyObject {
  /// The latest version of an entity; `nil` when it never was.
  func entity(_ key: EntityKey) throws -> Entity?

  /// The changes that made the versions of `entity` above `version`, newest first, and the one that made `version` itself last.
  /// Ends early where history is not retained, or after `limit` changes.
  func history(of entity: Entity, downTo version: EntityVersion, limit: Int) throws -> [Change]

  /// Which entity the change at a revision is of; `nil` when that is not kept.
  func key(at revision: Revision) throws -> EntityKey?

  /// The alive entity that holds a unique key; `nil` when nobody does.
  func holder(of key: HeldKey) throws -> EntityID?

  /// The alive entities that point to one, at most `limit`, sorted by type, id and field.
  func referrers(of target: EntityKey, limit: Int) throws -> [HeldReference]
}

/// A value of a unique key, as it is held by an entity.
public struct HeldKey: Hashable, Sendable {
  public var type: TypeName
  /// The name of the key in the type's schema.
  public var key: FieldPath
  /// The values of its fields, encoded so that the order of bytes is the order of values.
  public var value: [UInt8]

  public init(type: TypeName, key: FieldPath, value: [UInt8]) {
    self.type = type
    self.key = key
    self.value = value
  }
}

/// One reference, as it is held by an alive entity.
public struct HeldReference: Hashable, Sendable {
  public var source: EntityKey
  /// The field of `source` that points.
  public var field: FieldPath
  public var target: EntityKey

  public init(source: EntityKey, field: FieldPath, target: EntityKey) {
    self.source = source
    self.field = field
    self.target = target
  }
}
