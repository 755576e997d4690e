extension Schema {
  /// Everything that is wrong with the schema itself; empty when it can be used.
  public func problems() -> [SchemaProblem] {
    var found: [SchemaProblem] = []
    if types.count > Limits.typesPerSchemaMax {
      found.append(
        SchemaProblem(
          rule: .typesMax, message: "The schema has \(types.count) types; at most \(Limits.typesPerSchemaMax) are allowed."))
    }
    if partCount > Limits.partsPerSchemaMax {
      found.append(
        SchemaProblem(
          rule: .partsMax,
          message:
            "The schema has \(partCount) types, fields, keys and values in all; at most \(Limits.partsPerSchemaMax) are allowed."
        ))
    }
    var names: Set<TypeName> = []
    for type in types where !names.insert(type.name).inserted {
      found.append(
        SchemaProblem(type: type.name, rule: .typeDuplicate, message: "The type '\(type.name)' is described twice."))
    }
    for type in types {
      var checker = TypeChecker(type: type, types: names)
      checker.check()
      found += checker.found
    }
    return found
  }

  private var partCount: Int {
    types.reduce(0) { sum, type in
      let keys = type.uniqueKeys.reduce(0) { $0 + 1 + $1.fields.count } + type.indexes.reduce(0) { $0 + 1 + $1.fields.count }
      return sum + 1 + keys + type.fields.reduce(0) { $0 + $1.partCount }
    }
  }
}

extension Value {
  /// The bytes of the value, or of the longest element of a list.
  fileprivate var longestBytes: Int {
    switch self {
    case .null, .bool, .int, .double, .timestamp: 0
    case .string(let text), .json(let text): text.utf8.count
    case .bytes(let bytes): bytes.count
    case .list(let scalars): scalars.reduce(0) { max($0, $1.value.longestBytes) }
    }
  }
}

extension FieldSchema {
  fileprivate var partCount: Int {
    var count = 1 + allowedValues.count
    if case .list(let elements) = defaultValue { count += elements.count }
    return count
  }
}

/// Checks one type.
private struct TypeChecker {
  let type: TypeSchema
  /// All types of the schema.
  let types: Set<TypeName>
  var found: [SchemaProblem] = []

  mutating func check() {
    if type.fields.count > Limits.fieldsPerEntityMax {
      add(.fieldsMax, "The type has \(type.fields.count) fields; at most \(Limits.fieldsPerEntityMax) are allowed.")
    }
    checkSummary(type.summary, nil)
    checkNames()
    for field in type.fields { checkField(field) }
    checkKeys()
  }

  private mutating func add(_ rule: SchemaProblem.Rule, _ message: String, field: FieldPath? = nil, key: FieldPath? = nil) {
    found.append(SchemaProblem(type: type.name, field: field, key: key, rule: rule, message: message))
  }

  private mutating func checkSummary(_ summary: String, _ field: FieldPath?) {
    guard summary.utf8.count > Limits.summaryBytesMax else { return }
    add(.summaryLength, "A summary has at most \(Limits.summaryBytesMax) bytes.", field: field)
  }

  private mutating func checkNames() {
    let sorted = type.fields.map(\.name).sorted()
    for (name, next) in zip(sorted, sorted.dropFirst()) {
      if name == next { add(.fieldDuplicate, "The field '\(name)' is described twice.", field: name) }
      // Whatever lies below a path stands right behind it.
      if name.isAbove(next) {
        add(
          .fieldOverlap, "The fields '\(name)' and '\(next)' exclude each other: one holds what the other is a part of.",
          field: next)
      }
    }
  }

  // MARK: Fields

  private mutating func checkField(_ field: FieldSchema) {
    let before = found.count
    checkSummary(field.summary, field.name)
    checkValueLengths(field)
    checkAllowedValues(field)
    checkRange(field)
    checkLength(field)
    if !field.merge.fits(field.type) {
      add(.mergeType, "Values of type \(field.type) cannot be merged as \(field.merge.word).", field: field.name)
    }
    checkReference(field)
    // A default is held against rules that are sound only.
    if found.count == before { checkDefault(field) }
  }

  private mutating func checkValueLengths(_ field: FieldSchema) {
    let longest = max(field.defaultValue?.longestBytes ?? 0, field.allowedValues.reduce(0) { max($0, $1.value.longestBytes) })
    guard longest > Limits.schemaValueBytesMax else { return }
    add(
      .valueLength, "A value has \(longest) bytes; at most \(Limits.schemaValueBytesMax) are allowed in a schema.",
      field: field.name)
  }

  private mutating func checkAllowedValues(_ field: FieldSchema) {
    guard !field.allowedValues.isEmpty else { return }
    let element = field.type.element
    if element == .json {
      add(.enumType, "A JSON value cannot be one of a list of values.", field: field.name)
    } else if let other = field.allowedValues.first(where: { !element.matches($0.value) }) {
      add(
        .enumType, "The allowed value \(other.text) is a \(other.value.kindName), and the field takes \(element).",
        field: field.name)
    }
    if Set(field.allowedValues).count != field.allowedValues.count {
      add(.enumDuplicate, "An allowed value is named twice.", field: field.name)
    }
  }

  private mutating func checkRange(_ field: FieldSchema) {
    let bounds = [field.minimum, field.maximum].compactMap { $0 }
    guard !bounds.isEmpty else { return }
    guard field.type.hasRange else {
      return add(.rangeType, "Values of type \(field.type) have no smallest and no greatest one.", field: field.name)
    }
    for bound in bounds where !field.type.element.matches(bound.value) {
      return add(
        .rangeType, "The bound \(bound.text) is a \(bound.value.kindName), and the field takes \(field.type.element).",
        field: field.name
      )
    }
    // A NaN is no bound of anything: it is not even at most itself.
    if !bounds.allSatisfy({ $0.isAtMost($0) }) {
      add(.rangeOrder, "A bound is not a number.", field: field.name)
    } else if let least = bounds.first, let most = bounds.last, !least.isAtMost(most) {
      add(.rangeOrder, "The smallest value \(least.text) is above the greatest, \(most.text).", field: field.name)
    }
  }

  private mutating func checkLength(_ field: FieldSchema) {
    let bounds = [field.lengthMin, field.lengthMax].compactMap { $0 }
    guard let least = bounds.first, let most = bounds.last else { return }
    if !field.type.hasLength {
      add(.lengthType, "Values of type \(field.type) have no length.", field: field.name)
    } else if !(0...Limits.lengthMax).contains(least) || !(0...Limits.lengthMax).contains(most) {
      add(.lengthOrder, "A length is 0 to \(Limits.lengthMax).", field: field.name)
    } else if least > most {
      add(.lengthOrder, "The shortest length \(least) is above the greatest, \(most).", field: field.name)
    }
  }

  private mutating func checkReference(_ field: FieldSchema) {
    guard let reference = field.reference else { return }
    if field.type != .string, field.type != .stringList {
      add(.referenceType, "A reference is a string or string[], and the field takes \(field.type).", field: field.name)
    }
    if !types.contains(reference.target) {
      add(.referenceTarget, "The schema has no type '\(reference.target)' to point to.", field: field.name)
    }
    if reference.onDelete == .setNull, field.isRequired, !field.type.isList {
      add(.referenceSetNull, "A required field cannot become null when its target is deleted.", field: field.name)
    }
  }

  private mutating func checkDefault(_ field: FieldSchema) {
    guard let value = field.defaultValue else { return }
    guard value != .null else { return add(.defaultValue, "The default is null, which is no value.", field: field.name) }
    var violations: [Violation] = []
    CompiledField(field, isInKey: false).check(value, &violations)
    for violation in violations {
      add(.defaultValue, "The default breaks the field's own rules. \(violation.message)", field: field.name)
    }
  }

  // MARK: Keys

  private mutating func checkKeys() {
    if max(type.uniqueKeys.count, type.indexes.count) > Limits.keysPerTypeMax {
      add(.keysMax, "A type has at most \(Limits.keysPerTypeMax) unique keys and \(Limits.keysPerTypeMax) indexes.")
    }
    let described = Dictionary(type.fields.map { ($0.name, $0.type) }) { first, _ in first }
    var names: Set<FieldPath> = []
    for (name, fields) in type.uniqueKeys.map({ ($0.name, $0.fields) }) + type.indexes.map({ ($0.name, $0.fields) }) {
      if name.text.utf8.contains(UInt8(ascii: ".")) { add(.keyName, "The name '\(name)' has a dot.", key: name) }
      if !names.insert(name).inserted { add(.keyDuplicate, "Two unique keys or indexes are named '\(name)'.", key: name) }
      if !(1...Limits.fieldsPerKeyMax).contains(fields.count) {
        add(
          .keyFieldsCount, "The key '\(name)' has \(fields.count) fields; 1 to \(Limits.fieldsPerKeyMax) are allowed.", key: name)
      }
      if Set(fields).count != fields.count { add(.keyFieldDuplicate, "The key '\(name)' names a field twice.", key: name) }
      for field in fields {
        if let valueType = described[field] {
          guard !valueType.isKey else { continue }
          add(
            .keyFieldType, "The key '\(name)' cannot hold the field '\(field)': it takes \(valueType).", field: field, key: name)
        } else {
          add(
            .keyFieldUnknown, "The key '\(name)' names the field '\(field)', which the type does not describe.", field: field,
            key: name)
        }
      }
    }
  }
}
