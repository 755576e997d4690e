/// What differs between two schemas of one space, and what that means for the data that is there.
public struct SchemaDiff: Hashable, Sendable {
  /// Sorted by type, then field or key; changes of the same place in a fixed order.
  public let changes: [SchemaChange]

  /// - Parameter old: the schema in force; `nil` for a space without one, whose entities may be of any form.
  public init(from old: Schema?, to new: Schema) {
    var collector = SchemaChanges()
    if old == nil {
      collector.add(
        .schemaAdded, .needsCheck, "The space gets its first schema: entities of types that it does not describe are refused.")
    }
    let before = Dictionary((old?.types ?? []).map { ($0.name, $0) }) { first, _ in first }
    let after = Dictionary(new.types.map { ($0.name, $0) }) { first, _ in first }
    for name in Set(before.keys).union(after.keys).sorted() {
      collector.type = name
      switch (before[name], after[name]) {
      case (let old?, let new?): collector.compare(old, new)
      case (let old?, nil):
        collector.add(
          .typeRemoved, .breaking,
          "The type '\(old.name)' is removed: its entities can still be read, but no longer be written.")
      case (nil, let new?):
        collector.add(
          .typeAdded, old == nil ? .needsCheck : .compatible,
          old == nil
            ? "The type '\(new.name)' is described: its entities must obey the description."
            : "The type '\(new.name)' is added.")
      case (nil, nil): continue
      }
    }
    changes = collector.changes
  }

  /// Whether the schemas say the same.
  public var isEmpty: Bool { changes.isEmpty }

  /// The worst of all changes; compatible when there is none.
  public var compatibility: SchemaChange.Compatibility { changes.map(\.compatibility).max() ?? .compatible }

  /// The types whose stored entities must be validated before the new schema is in force; `nil` for all there are.
  ///
  /// An added type is among them: it may have been removed before, and its entities are still there.
  public var typesToCheck: Set<TypeName>? {
    guard !changes.contains(where: { $0.kind == .schemaAdded }) else { return nil }
    return Set(changes.filter { $0.compatibility != .compatible || $0.kind == .typeAdded }.compactMap(\.type))
  }

  /// The fields that are added to types which are not to be validated as a whole: what entities hold there since before such a
  /// field was removed must obey its description.
  public var fieldsToCheck: [TypeName: Set<FieldPath>] {
    let whole = typesToCheck ?? []
    var fields: [TypeName: Set<FieldPath>] = [:]
    for change in changes where change.kind == .fieldAdded {
      if let type = change.type, let field = change.field, !whole.contains(type) { fields[type, default: []].insert(field) }
    }
    return fields
  }
}

/// One difference between two schemas.
public struct SchemaChange: Hashable, Sendable, CustomStringConvertible {
  public var kind: Kind
  /// The type; `nil` when the change is of the schema as a whole.
  public var type: TypeName?
  public var field: FieldPath?
  /// The unique key or index.
  public var key: FieldPath?
  public var compatibility: Compatibility
  /// A sentence for people, with the reason for the compatibility.
  public var message: String

  public init(
    kind: Kind, type: TypeName? = nil, field: FieldPath? = nil, key: FieldPath? = nil, compatibility: Compatibility,
    message: String
  ) {
    self.kind = kind
    self.type = type
    self.field = field
    self.key = key
    self.compatibility = compatibility
    self.message = message
  }

  /// The place and the sentence.
  public var description: String {
    let place = [type?.text, field?.text ?? key?.text].compactMap { $0 }.joined(separator: ": ")
    return place.isEmpty ? message : "\(place): \(message)"
  }

  /// What a change means for the data that is there, from harmless to grave.
  public enum Compatibility: Int, Sendable, CaseIterable, Comparable {
    /// Whatever was allowed stays allowed.
    case compatible
    /// There is a new rule. The stored entities must obey it before it is in force.
    case needsCheck
    /// Data would no longer be described, or change its meaning. Refused unless the caller insists; what an insisting caller leaves
    /// behind may break later schemas, so all entities of the type are then to be checked at the next change.
    case breaking

    public static func < (a: Compatibility, b: Compatibility) -> Bool { a.rawValue < b.rawValue }
  }

  /// What changed. The words are stable.
  public enum Kind: String, Sendable, CaseIterable {
    case schemaAdded = "schema_added"
    case typeAdded = "type_added"
    case typeRemoved = "type_removed"
    case typeSummary = "type_summary"
    case otherFields = "other_fields"
    case typeConflictPolicy = "type_conflict_policy"
    case deletePolicy = "delete_policy"
    case ownerRule = "owner_rule"
    case retention
    case fieldAdded = "field_added"
    case fieldRemoved = "field_removed"
    case fieldSummary = "field_summary"
    case valueType = "value_type"
    case required
    case defaultValue = "default"
    case allowedValues = "enum"
    case minimum = "min"
    case maximum = "max"
    case lengthMin = "length_min"
    case lengthMax = "length_max"
    case merge
    case reference
    case fieldConflictPolicy = "field_conflict_policy"
    case uniqueKeyAdded = "unique_key_added"
    case uniqueKeyRemoved = "unique_key_removed"
    case uniqueKeyChanged = "unique_key_changed"
    case indexAdded = "index_added"
    case indexRemoved = "index_removed"
    case indexChanged = "index_changed"
    case keyOrder = "key_order"
  }
}
