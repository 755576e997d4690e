/// Collects the changes between two schemas.
struct SchemaChanges {
  private(set) var changes: [SchemaChange] = []
  /// The type that is compared.
  var type: TypeName?
  private var field: FieldPath?
  private var key: FieldPath?

  mutating func add(_ kind: SchemaChange.Kind, _ compatibility: SchemaChange.Compatibility, _ message: String) {
    changes.append(
      SchemaChange(kind: kind, type: type, field: field, key: key, compatibility: compatibility, message: message))
  }

  // MARK: Types

  mutating func compare(_ old: TypeSchema, _ new: TypeSchema) {
    guard old != new else { return }
    if !old.summary.hasSameBytes(as: new.summary) { add(.typeSummary, .compatible, "The summary is another one.") }
    if old.allowsOtherFields != new.allowsOtherFields {
      if new.allowsOtherFields {
        add(.otherFields, .compatible, "Fields that are not described are allowed now.")
      } else {
        add(.otherFields, .needsCheck, "Fields that are not described are no longer allowed.")
      }
    }
    if old.conflictPolicy != new.conflictPolicy {
      add(.typeConflictPolicy, .compatible, "Clients meet overlapping changes otherwise from now on: \(new.conflictPolicy.word).")
    }
    if old.deletePolicy != new.deletePolicy {
      add(.deletePolicy, .compatible, "Clients meet a delete against an update otherwise from now on: \(new.deletePolicy.word).")
    }
    if old.isOwnerOnly != new.isOwnerOnly {
      add(
        .ownerRule, .compatible,
        new.isOwnerOnly
          ? "Only who created an entity may change it from now on." : "Not only who created an entity may change it now.")
    }
    if old.retention != new.retention {
      add(.retention, .compatible, "History stays for another time from now on; what is older than that is pruned.")
    }
    compareFields(old, new)
    field = nil
    compareKeys(old, new)
    key = nil
  }

  private mutating func compareFields(_ old: TypeSchema, _ new: TypeSchema) {
    let before = Dictionary(old.fields.map { ($0.name, $0) }) { first, _ in first }
    let after = Dictionary(new.fields.map { ($0.name, $0) }) { first, _ in first }
    for name in Set(before.keys).union(after.keys).sorted() {
      field = name
      switch (before[name], after[name]) {
      case (let old?, let new?): compare(old, new)
      case (_?, nil):
        if new.allowsOtherFields {
          add(.fieldRemoved, .compatible, "The field is no longer described; its values stay, as the type allows other fields.")
        } else {
          add(.fieldRemoved, .breaking, "The field is removed: entities that have it break the schema.")
        }
      case (nil, let field?): compareAdded(field, wasFree: old.allowsOtherFields)
      case (nil, nil): continue
      }
    }
  }

  private mutating func compareAdded(_ new: FieldSchema, wasFree: Bool) {
    if new.isRequired {
      add(
        .fieldAdded, .needsCheck, "The required field is added: entities that are there lack it; a default is for new ones only.")
    } else if wasFree {
      add(.fieldAdded, .needsCheck, "The field is described: entities may have it already, with any value.")
    } else {
      add(.fieldAdded, .compatible, "The field is added.")
    }
  }

  // MARK: Fields

  private mutating func compare(_ old: FieldSchema, _ new: FieldSchema) {
    guard old != new else { return }
    if !old.summary.hasSameBytes(as: new.summary) { add(.fieldSummary, .compatible, "The summary is another one.") }
    if old.type != new.type { compareTypes(old.type, new.type) }
    if old.isRequired != new.isRequired {
      if new.isRequired {
        add(.required, .needsCheck, "The field is required now: entities may lack it or hold null.")
      } else {
        add(.required, .compatible, "The field is no longer required.")
      }
    }
    if old.defaultValue != new.defaultValue { add(.defaultValue, .compatible, "New entities get another default.") }
    compareAllowed(old, new)
    compareRange(old, new)
    compareLength(old, new)
    if old.merge != new.merge {
      add(.merge, .compatible, "Two changes of the field are merged as \(new.merge.word) from now on.")
    }
    compareReference(old.reference, new.reference)
    if old.conflictPolicy != new.conflictPolicy {
      let policy = new.conflictPolicy?.word ?? "what the type says"
      add(.fieldConflictPolicy, .compatible, "Clients meet overlapping changes of the field otherwise from now on: \(policy).")
    }
  }

  private mutating func compareTypes(_ old: ValueType, _ new: ValueType) {
    switch (old, new) {
    case (_, .any): add(.valueType, .compatible, "The field takes any value instead of \(old).")
    case (.any, _): add(.valueType, .needsCheck, "The field takes \(new) only.")
    default: add(.valueType, .breaking, "The field takes \(new) instead of \(old): values that are there do not fit.")
    }
  }

  private mutating func compareAllowed(_ old: FieldSchema, _ new: FieldSchema) {
    guard old.allowedValues != new.allowedValues else { return }
    let before = Set(old.allowedValues)
    let after = Set(new.allowedValues)
    if before == after {
      add(.allowedValues, .compatible, "The allowed values are told in another order.")
    } else if after.isEmpty {
      add(.allowedValues, .compatible, "The field takes other values than those listed, too.")
    } else if before.isEmpty {
      add(.allowedValues, .needsCheck, "The field takes the listed values only.")
    } else if before.isSubset(of: after) {
      add(.allowedValues, .compatible, "The field takes more values.")
    } else {
      let gone = before.subtracting(after).map(\.text).sorted().prefix(5).joined(separator: ", ")
      add(.allowedValues, .needsCheck, "The field no longer takes all of the values it did: \(gone).")
    }
  }

  private mutating func compareRange(_ old: FieldSchema, _ new: FieldSchema) {
    if old.minimum != new.minimum {
      if let least = new.minimum {
        let isWider = old.minimum.map { least.isAtMost($0) } ?? false
        add(.minimum, isWider ? .compatible : .needsCheck, "The smallest value is \(least.text) now.")
      } else {
        add(.minimum, .compatible, "There is no smallest value any more.")
      }
    }
    if old.maximum != new.maximum {
      if let most = new.maximum {
        let isWider = old.maximum.map { $0.isAtMost(most) } ?? false
        add(.maximum, isWider ? .compatible : .needsCheck, "The greatest value is \(most.text) now.")
      } else {
        add(.maximum, .compatible, "There is no greatest value any more.")
      }
    }
  }

  private mutating func compareLength(_ old: FieldSchema, _ new: FieldSchema) {
    if old.lengthMin != new.lengthMin {
      let least = new.lengthMin ?? 0
      add(.lengthMin, least <= (old.lengthMin ?? 0) ? .compatible : .needsCheck, "The shortest length is \(least) now.")
    }
    if old.lengthMax != new.lengthMax {
      if let most = new.lengthMax {
        let isWider = old.lengthMax.map { $0 <= most } ?? false
        add(.lengthMax, isWider ? .compatible : .needsCheck, "The greatest length is \(most) now.")
      } else {
        add(.lengthMax, .compatible, "There is no greatest length any more.")
      }
    }
  }

  private mutating func compareReference(_ old: Reference?, _ new: Reference?) {
    guard old != new else { return }
    guard let new else { return add(.reference, .compatible, "The field no longer points to other entities.") }
    if old?.target == new.target {
      add(.reference, .compatible, "What becomes of the entity when its target is deleted is another rule: \(new.onDelete.word).")
    } else {
      add(.reference, .needsCheck, "The field points to '\(new.target)': every value must be the id of such an entity.")
    }
  }

  // MARK: Keys

  private mutating func compareKeys(_ old: TypeSchema, _ new: TypeSchema) {
    let types = Dictionary(new.fields.map { ($0.name, $0.type) }) { first, _ in first }
    compareKeys(
      old.uniqueKeys.map { ($0.name, $0.fields) }, new.uniqueKeys.map { ($0.name, $0.fields) },
      kinds: (.uniqueKeyAdded, .uniqueKeyRemoved, .uniqueKeyChanged), what: "unique key"
    ) { _ in .needsCheck }
    compareKeys(
      old.indexes.map { ($0.name, $0.fields) }, new.indexes.map { ($0.name, $0.fields) },
      kinds: (.indexAdded, .indexRemoved, .indexChanged), what: "index"
    ) { fields in
      // A key bounds the length of strings and bytes.
      fields.contains { types[$0] == .string || types[$0] == .bytes } ? .needsCheck : .compatible
    }
  }

  private mutating func compareKeys(
    _ old: [(FieldPath, [FieldPath])], _ new: [(FieldPath, [FieldPath])],
    kinds: (added: SchemaChange.Kind, removed: SchemaChange.Kind, changed: SchemaChange.Kind), what: String,
    _ compatibility: ([FieldPath]) -> SchemaChange.Compatibility
  ) {
    let before = Dictionary(old) { first, _ in first }
    let after = Dictionary(new) { first, _ in first }
    for name in Set(before.keys).union(after.keys).sorted() {
      key = name
      let fields = (after[name] ?? []).map(\.text).joined(separator: ", ")
      switch (before[name], after[name]) {
      case (nil, let added?): add(kinds.added, compatibility(added), "The \(what) (\(fields)) is added: entities must fit it.")
      case (_?, nil): add(kinds.removed, .compatible, "The \(what) is removed.")
      case (let one?, let other?) where one != other:
        add(kinds.changed, compatibility(other), "The \(what) is of (\(fields)) now: entities must fit it.")
      default: continue
      }
    }
    key = nil
    if before == after, old.map(\.0) != new.map(\.0) {
      add(.keyOrder, .compatible, "The order of each \(what) is another one.")
    }
  }
}
