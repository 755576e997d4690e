/// A schema made ready to judge writes: built once for each version of a schema, and shared by all that judge.
///
/// The schema should have no `problems()`; of two descriptions of one name the first counts.
public final class CompiledSchema: Sendable {
  public let schema: Schema
  private let types: [TypeName: CompiledType]
  private let referrers: [TypeName: [TypeName: [FieldPath: DeleteRule]]]

  public init(_ schema: Schema) {
    self.schema = schema
    types = Dictionary(schema.types.map { ($0.name, CompiledType($0)) }) { first, _ in first }
    var referrers: [TypeName: [TypeName: [FieldPath: DeleteRule]]] = [:]
    for type in types.values {
      for field in type.referenceFields {
        guard let reference = field.field.reference else { continue }
        referrers[reference.target, default: [:]][type.type.name, default: [:]][field.field.name] = reference.onDelete
      }
    }
    self.referrers = referrers
  }

  /// The rules of a type; `nil` when the schema does not describe it: then `unknownType(_:)` is the answer.
  public subscript(_ name: TypeName) -> CompiledType? { types[name] }

  /// The violation of a write to a type that the schema does not describe.
  public static func unknownType(_ name: TypeName) -> Violation {
    Violation(rule: "unknown_type", message: "The schema of the space has no type '\(name)'.")
  }

  /// The fields that point to entities of a type, by the types that hold them: what a delete has to look at. `nil` when there are none.
  public func referrers(to target: TypeName) -> [TypeName: [FieldPath: DeleteRule]]? { referrers[target] }
}

/// The rules of one type, ready to be applied to entities.
///
/// Rules of a violation: `type`, `required`, `enum`, `min`, `max`, `length_min`, `length_max`, `unknown_field`, and `fields_max` when
/// defaults made an entity too large.
public final class CompiledType: Sendable {
  public let type: TypeSchema
  /// Sorted by name.
  let fields: [CompiledField]
  let unique: KeySet
  let indexes: KeySet
  /// Those of `fields` that point to other entities.
  let referenceFields: [CompiledField]
  private let defaults: [Field]

  init(_ type: TypeSchema) {
    self.type = type
    unique = KeySet(type.uniqueKeys.map(\.fields))
    indexes = KeySet(type.indexes.map(\.fields))
    let inKeys = Set(unique.fields + indexes.fields)
    var compiled: [CompiledField] = []
    for field in type.fields.sorted(by: { $0.name < $1.name }) where compiled.last?.field.name != field.name {
      compiled.append(CompiledField(field, isInKey: inKeys.contains(field.name)))
    }
    fields = compiled
    referenceFields = compiled.filter { $0.field.reference != nil }
    defaults = compiled.compactMap { rule in rule.field.defaultValue.map { Field(rule.field.name, $0) } }
  }

  // MARK: Whole entities

  /// The fields with the default of each described field that is absent: what a create or replace stores.
  ///
  /// A field that holds null is not absent, nor is one above or below a field that is there.
  public func complete(_ fields: Fields) -> Fields {
    guard !defaults.isEmpty else { return fields }
    let given = fields.sorted
    var result: [Field] = []
    result.reserveCapacity(given.count + defaults.count)
    var next = 0
    for standard in defaults {
      while next < given.count, given[next].name < standard.name {
        result.append(given[next])
        next += 1
      }
      // Whatever overlaps it is its neighbour: what lies below a path follows right behind it.
      if next > 0, given[next - 1].name.isAbove(standard.name) { continue }
      if next < given.count, standard.name == given[next].name || standard.name.isAbove(given[next].name) { continue }
      result.append(standard)
    }
    return Fields(trusted: result + given[next...])
  }

  /// Every broken rule of a whole entity: for a create, a replace, a restore, and for checking stored data against a new schema.
  ///
  /// - Parameter limit: no rule is looked at after so many broken ones.
  /// - Throws: `CorruptFields` when the bytes are not fields in order.
  public func violations(of entity: CanonicalFields, limit: Int = .max) throws(CorruptFields) -> [Violation] {
    var found: [Violation] = []
    var index = 0
    var count = 0
    try entity.walk { name, value in
      count += 1
      while index < fields.count {
        guard found.count < limit else { return .stop }
        let order = compareBytes(fields[index].name, name)
        if order == 0 {
          defer { index += 1 }
          return fields[index].check(value, &found) ? .next : .corrupt
        }
        guard order < 0 else { break }
        fields[index].checkAbsent(&found)
        index += 1
      }
      if !type.allowsOtherFields, found.count < limit { found.append(unknownField(name)) }
      return .next
    }
    for field in fields[index...] where found.count < limit { field.checkAbsent(&found) }
    if count > Limits.fieldsPerEntityMax { found.append(.tooManyFields(count)) }
    return found
  }

  private func unknownField(_ name: UnsafeRawBufferPointer) -> Violation {
    let text = String(decoding: name, as: UTF8.self)
    return Violation(
      field: FieldPath(text), rule: "unknown_field", message: "The type '\(type.name)' has no field '\(text)'.")
  }

  // MARK: Patches

  /// The broken rules of a patch: only fields that it names, sets aside or uncovers are looked at.
  ///
  /// A field that broke a rule before and was not changed is not held against the patch: entities from before a stricter schema stay
  /// editable.
  ///
  /// - Parameters:
  ///   - before: the entity without the patch.
  ///   - after: the entity with the patch, merges and hooks included.
  ///   - limit: no more broken rules than these are told.
  /// - Throws: `CorruptFields` when the bytes are not fields in order.
  public func violations(
    of patch: Patch, before: CanonicalFields, after: CanonicalFields, limit: Int = .max
  ) throws(CorruptFields) -> [Violation] {
    var found: [Violation] = []
    let touched = touchedFields(patch, &found)
    if !touched.isEmpty {
      var next = 0
      try after.walk { name, value in
        while next < touched.count {
          let order = compareBytes(touched[next].name, name)
          if order > 0 { return .next }
          defer { next += 1 }
          if order == 0 { return touched[next].check(value, &found) ? .next : .corrupt }
          touched[next].checkAbsent(&found)
        }
        return .stop
      }
      for field in touched[next...] { field.checkAbsent(&found) }
    }
    guard !found.isEmpty else { return [] }
    var changed: [Violation] = []
    for violation in found where changed.count < limit {
      guard let name = violation.field else { continue }
      if try before.encodedValue(of: name) != after.encodedValue(of: name) { changed.append(violation) }
    }
    return changed
  }

  /// The described fields that a patch names, or that lie above or below one it names; in order, each once.
  private func touchedFields(_ patch: Patch, _ found: inout [Violation]) -> ArraySlice<CompiledField> {
    var touched: [Int] = []
    for entry in patch.entries {
      var index = position(of: entry.name)
      let isDescribed = index < fields.count && fields[index].field.name == entry.name
      if !isDescribed, entry.operation != .unset, !type.allowsOtherFields {
        found.append(
          Violation(
            field: entry.name, rule: "unknown_field", message: "The type '\(type.name)' has no field '\(entry.name)'."))
      }
      if let above = describedFieldAbove(entry.name) { touched.append(above) }
      while index < fields.count, fields[index].field.name == entry.name || entry.name.isAbove(fields[index].field.name) {
        touched.append(index)
        index += 1
      }
    }
    touched.sort()
    var last = -1
    var result: ArraySlice<CompiledField> = []
    for index in touched where index != last {
      result.append(fields[index])
      last = index
    }
    return result
  }

  /// The index of the described field above a path. There is at most one: described fields do not overlap.
  private func describedFieldAbove(_ name: FieldPath) -> Int? {
    guard let dot = name.text.utf8.lastIndex(of: UInt8(ascii: ".")), let above = FieldPath(String(name.text[..<dot])) else {
      return nil
    }
    let index = position(of: above)
    return index < fields.count && fields[index].field.name == above ? index : describedFieldAbove(above)
  }

  /// The index of the first field whose name does not sort before `name`.
  private func position(of name: FieldPath) -> Int {
    var low = 0
    var high = fields.count
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].field.name < name { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension CanonicalFields {
  /// The bytes of a field's value; `nil` when it is absent.
  fileprivate func encodedValue(of wanted: FieldPath) throws(CorruptFields) -> [UInt8]? {
    let wantedBytes = Array(wanted.text.utf8)
    var result: [UInt8]?
    try walk { name, value in
      let order = compareBytes(wantedBytes, name)
      if order > 0 { return .next }
      if order == 0 { result = Array(value) }
      return .stop
    }
    return result
  }
}
