/// The rules of one field, ready to be applied to values.
struct CompiledField: Sendable {
  let field: FieldSchema
  /// The name as bytes, to compare with encoded names.
  let name: [UInt8]
  /// Whether a unique key or index holds the field, and so bounds its length.
  let isInKey: Bool
  private let allowed: Set<Scalar>
  /// The first byte of an encoded value of the type; 0 when values must be decoded to be judged.
  private let plainTag: UInt8

  init(_ field: FieldSchema, isInKey: Bool) {
    self.field = field
    self.isInKey = isInKey
    name = Array(field.name.text.utf8)
    allowed = Set(field.allowedValues)
    let hasRules =
      !field.allowedValues.isEmpty || field.minimum != nil || field.maximum != nil || field.lengthMin != nil
      || field.lengthMax != nil || field.reference != nil || (isInKey && (field.type == .string || field.type == .bytes))
    plainTag = hasRules ? 0 : CompiledField.tag(of: field.type)
  }

  /// The first byte that `CanonicalFields` writes for a value of the type; 0 for lists and any.
  private static func tag(of type: ValueType) -> UInt8 {
    switch type {
    case .bool: 0x10
    case .int: 0x18
    case .double: 0x21
    case .string: 0x2A
    case .bytes: 0x32
    case .timestamp: 0x38
    case .json: 0x4A
    case .any, .boolList, .intList, .doubleList, .stringList, .bytesList, .timestampList: 0
    }
  }

  /// Judges an encoded value; false when the bytes are not one.
  func check(_ bytes: UnsafeRawBufferPointer, _ found: inout [Violation]) -> Bool {
    if plainTag != 0, bytes.first == plainTag { return true }
    guard let value = CanonicalFields.decodeValue(bytes) else { return false }
    check(value, &found)
    return true
  }

  /// Judges that the field is not there.
  func checkAbsent(_ found: inout [Violation]) {
    if field.isRequired { add("required", "The field '\(field.name)' is required.", &found) }
  }

  /// Judges a value.
  func check(_ value: Value, _ found: inout [Violation]) {
    if value == .null { return checkAbsent(&found) }
    guard field.type.matches(value) else {
      add("type", "The field '\(field.name)' takes \(field.type) and no \(describe(value)).", &found)
      return
    }
    let elements: [Scalar]
    if case .list(let scalars) = value { elements = scalars } else { elements = Scalar(value).map { [$0] } ?? [] }
    checkAllowed(elements, &found)
    checkRange(elements, &found)
    checkLength(value, &found)
    if field.reference != nil, !elements.allSatisfy({ CompiledField.id($0) != nil }) {
      add(
        "type", "The field '\(field.name)' takes ids: 1 to \(Limits.entityIDBytesMax) bytes without control characters.", &found)
    }
  }

  /// The id that a reference holds; `nil` when it is none.
  static func id(_ scalar: Scalar) -> EntityID? {
    guard case .string(let text) = scalar else { return nil }
    return EntityID(text)
  }

  private func describe(_ value: Value) -> String {
    guard case .list = value, field.type.isList else { return value.kindName }
    return "list with other elements"
  }

  private func checkAllowed(_ elements: [Scalar], _ found: inout [Violation]) {
    guard !allowed.isEmpty, !elements.allSatisfy({ allowed.contains($0) }) else { return }
    let choices = field.allowedValues.prefix(10).map { $0.text }.joined(separator: ", ")
    let more = field.allowedValues.count > 10 ? ", …" : ""
    add("enum", "The field '\(field.name)' takes one of: \(choices)\(more).", &found)
  }

  private func checkRange(_ elements: [Scalar], _ found: inout [Violation]) {
    if let minimum = field.minimum, !elements.allSatisfy({ minimum.isAtMost($0) }) {
      add("min", "The field '\(field.name)' is at least \(minimum.text).", &found)
    }
    if let maximum = field.maximum, !elements.allSatisfy({ $0.isAtMost(maximum) }) {
      add("max", "The field '\(field.name)' is at most \(maximum.text).", &found)
    }
  }

  private func checkLength(_ value: Value, _ found: inout [Violation]) {
    if isInKey, let bytes = value.keyBytes, bytes > Limits.keyFieldBytesMax {
      add(
        "length_max", "The field '\(field.name)' is part of a key and has at most \(Limits.keyFieldBytesMax) bytes.", &found)
    }
    guard field.lengthMin != nil || field.lengthMax != nil, let (length, unit) = value.length else { return }
    if let least = field.lengthMin, length < least {
      add("length_min", "The field '\(field.name)' has \(length) \(unit); at least \(least) are needed.", &found)
    }
    if let most = field.lengthMax, length > most {
      add("length_max", "The field '\(field.name)' has \(length) \(unit); at most \(most) are allowed.", &found)
    }
  }

  private func add(_ rule: String, _ message: String, _ found: inout [Violation]) {
    found.append(Violation(field: field.name, rule: rule, message: message))
  }
}

extension Scalar {
  /// Whether both are of one ordered kind and this one is not greater. A NaN is never at most anything, nor anything at most it.
  func isAtMost(_ other: Scalar) -> Bool {
    switch (self, other) {
    case (.int(let a), .int(let b)): a <= b
    case (.double(let a), .double(let b)): Double(bitPattern: a) <= Double(bitPattern: b)
    case (.timestamp(let a), .timestamp(let b)): a <= b
    default: false
    }
  }

  /// The value in a sentence, cut when it is long.
  var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .int(let value): "\(value)"
    case .double(let bits): "\(Double(bitPattern: bits))"
    case .string(let text):
      // It may be long: no more of it is looked at than is shown.
      if let end = text.unicodeScalars.index(text.startIndex, offsetBy: 40, limitedBy: text.endIndex), end < text.endIndex {
        "\(text[..<end])…"
      } else {
        text
      }
    case .bytes(let bytes): "\(bytes.count) bytes"
    case .timestamp(let instant): "\(instant.rawValue) µs"
    }
  }
}

extension Value {
  /// How long the value is, and of what it counts; `nil` when it has no length.
  fileprivate var length: (count: Int, unit: String)? {
    switch self {
    case .string(let text): (text.unicodeScalars.count, "characters")
    case .json(let text): (text.utf8.count, "bytes")
    case .bytes(let bytes): (bytes.count, "bytes")
    case .list(let scalars): (scalars.count, "elements")
    case .null, .bool, .int, .double, .timestamp: nil
    }
  }

  /// The bytes that a key holds of the value; `nil` when they do not depend on it.
  fileprivate var keyBytes: Int? {
    switch self {
    case .string(let text): text.utf8.count
    case .bytes(let bytes): bytes.count
    default: nil
    }
  }
}
