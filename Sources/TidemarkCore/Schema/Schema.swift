/// What the entities of a space may look like: one complete description, kept in versions.
///
/// A space without a schema takes free-form entities. A space with one takes the types it describes and no others.
public struct Schema: Hashable, Sendable {
  /// The types, sorted by name, each name once.
  public var types: [TypeSchema]

  public init(types: [TypeSchema] = []) { self.types = types.sorted { $0.name < $1.name } }

  /// The description of a type; `nil` when the schema does not have it.
  public subscript(_ name: TypeName) -> TypeSchema? { types.first { $0.name == name } }
}

/// What the entities of one type may look like.
public struct TypeSchema: Hashable, Sendable {
  public var name: TypeName
  /// A sentence for people.
  public var summary: String
  /// The fields, sorted by name, each name once.
  public var fields: [FieldSchema]
  /// Whether fields that are not described may be there, without any rule.
  public var allowsOtherFields: Bool
  /// Combinations of fields that no two alive entities of the type share.
  public var uniqueKeys: [UniqueKey]
  /// Combinations of fields to find entities by.
  public var indexes: [IndexKey]
  /// What a client does with overlapping changes of fields that have no policy of their own.
  public var conflictPolicy: ConflictPolicy
  /// What a client does when one side deleted and the other changed.
  public var deletePolicy: DeletePolicy
  /// Whether only who created an entity may change it.
  public var isOwnerOnly: Bool
  public var retention: Retention

  public init(
    name: TypeName, summary: String = "", fields: [FieldSchema] = [], allowsOtherFields: Bool = false,
    uniqueKeys: [UniqueKey] = [], indexes: [IndexKey] = [], conflictPolicy: ConflictPolicy = .manual,
    deletePolicy: DeletePolicy = .manual, isOwnerOnly: Bool = false, retention: Retention = Retention()
  ) {
    self.name = name
    self.summary = summary
    self.fields = fields.sorted { $0.name < $1.name }
    self.allowsOtherFields = allowsOtherFields
    self.uniqueKeys = uniqueKeys
    self.indexes = indexes
    self.conflictPolicy = conflictPolicy
    self.deletePolicy = deletePolicy
    self.isOwnerOnly = isOwnerOnly
    self.retention = retention
  }

  /// The description of a field; `nil` when there is none.
  public subscript(_ name: FieldPath) -> FieldSchema? { fields.first { $0.name == name } }
}

/// What one field may hold.
public struct FieldSchema: Hashable, Sendable {
  public var name: FieldPath
  /// A sentence for people.
  public var summary: String
  public var type: ValueType
  /// Whether the field must be there and not be null.
  public var isRequired: Bool
  /// What a create or replace without the field puts there.
  public var defaultValue: Value?
  /// The only values allowed; empty for no such rule. For a list, the only elements.
  public var allowedValues: [Scalar]
  /// The smallest value of an int, double or timestamp; for a list, of each element.
  public var minimum: Scalar?
  /// The greatest value of an int, double or timestamp; for a list, of each element.
  public var maximum: Scalar?
  /// The shortest length: Unicode scalars of a string, bytes of bytes or json, elements of a list.
  public var lengthMin: Int?
  /// The greatest length, counted like `lengthMin`.
  public var lengthMax: Int?
  public var merge: MergeKind
  /// What the field points to: the value is the id of an entity; for a list of strings, each element is.
  public var reference: Reference?
  /// What a client does with overlapping changes of this field; `nil` for what the type says.
  public var conflictPolicy: ConflictPolicy?

  public init(
    name: FieldPath, summary: String = "", type: ValueType, isRequired: Bool = false, defaultValue: Value? = nil,
    allowedValues: [Scalar] = [], minimum: Scalar? = nil, maximum: Scalar? = nil, lengthMin: Int? = nil, lengthMax: Int? = nil,
    merge: MergeKind = .register, reference: Reference? = nil, conflictPolicy: ConflictPolicy? = nil
  ) {
    self.name = name
    self.summary = summary
    self.type = type
    self.isRequired = isRequired
    self.defaultValue = defaultValue
    self.allowedValues = allowedValues
    self.minimum = minimum
    self.maximum = maximum
    self.lengthMin = lengthMin
    self.lengthMax = lengthMax
    self.merge = merge
    self.reference = reference
    self.conflictPolicy = conflictPolicy
  }
}

/// The kind of value a field holds. The numbers are those of `tidemark.v1.ValueType`.
public enum ValueType: UInt8, Sendable, CaseIterable {
  /// Any value.
  case any = 1
  case bool = 2
  case int = 3
  case double = 4
  case string = 5
  case bytes = 6
  case timestamp = 7
  case json = 8
  case boolList = 12
  case intList = 13
  case doubleList = 14
  case stringList = 15
  case bytesList = 16
  case timestampList = 17
}

/// How two changes of one field become one. The numbers are those of `tidemark.v1.MergeKind`.
public enum MergeKind: UInt8, Sendable, CaseIterable {
  /// One value: two different changes overlap.
  case register = 1
  /// A number: both differences from the base are added.
  case counter = 2
  /// A list without order: what either side added is in, what either side removed is out.
  case set = 3
  /// The greater value.
  case max = 4
  /// The smaller value.
  case min = 5
  /// Text merged by lines; overlapping lines overlap.
  case text = 6
  /// The value that was edited last.
  case lastWriter = 7
}

/// Fields that together are unique. An entity in which one of them is absent or null holds no key.
public struct UniqueKey: Hashable, Sendable {
  /// Unique within the type; `[A-Za-z_][A-Za-z0-9_]{0,62}`.
  public var name: FieldPath
  /// 1 to 8 fields, in order.
  public var fields: [FieldPath]

  public init(name: FieldPath, fields: [FieldPath]) {
    self.name = name
    self.fields = fields
  }
}

/// Fields to find entities by, in order.
public struct IndexKey: Hashable, Sendable {
  /// Unique within the type; `[A-Za-z_][A-Za-z0-9_]{0,62}`.
  public var name: FieldPath
  /// 1 to 8 fields, in order.
  public var fields: [FieldPath]

  public init(name: FieldPath, fields: [FieldPath]) {
    self.name = name
    self.fields = fields
  }
}

/// What a field points to.
public struct Reference: Hashable, Sendable {
  /// The type of the entity pointed to, in the same space.
  public var target: TypeName
  public var onDelete: DeleteRule

  public init(target: TypeName, onDelete: DeleteRule = .restrict) {
    self.target = target
    self.onDelete = onDelete
  }
}

/// What becomes of the entities that point to a deleted one. The numbers are those of `tidemark.v1.DeleteRule`.
public enum DeleteRule: UInt8, Sendable, CaseIterable {
  /// The delete is refused.
  case restrict = 1
  /// They are deleted too, each as a change of its own.
  case cascade = 2
  /// The field becomes null, each as a change of its own; of a list, the element goes.
  case setNull = 3
}

/// What a client does with overlapping changes. The numbers are those of `tidemark.v1.ConflictPolicy`.
public enum ConflictPolicy: UInt8, Sendable, CaseIterable {
  /// A person decides.
  case manual = 1
  case serverWins = 2
  case clientWins = 3
}

/// What a client does when one side deleted and the other changed. The numbers are those of `tidemark.v1.DeletePolicy`.
public enum DeletePolicy: UInt8, Sendable, CaseIterable {
  /// A person decides.
  case manual = 1
  case deleteWins = 2
  /// The entity is restored with the change.
  case updateWins = 3
}

/// How long history stays; `nil` keeps it for ever.
public struct Retention: Hashable, Sendable {
  /// Past versions of entities, in seconds.
  public var historySeconds: UInt64?
  /// Deletion markers, in seconds.
  public var tombstoneSeconds: UInt64?

  public init(historySeconds: UInt64? = nil, tombstoneSeconds: UInt64? = nil) {
    self.historySeconds = historySeconds
    self.tombstoneSeconds = tombstoneSeconds
  }
}
