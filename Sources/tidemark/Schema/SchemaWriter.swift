import TidemarkCore

/// Writes the YAML form of a schema.
struct SchemaWriter {
  private(set) var text = ""

  /// The units of times, greatest first.
  static let units: [(name: String, seconds: UInt64)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]

  mutating func write(_ schema: Schema) {
    guard !schema.types.isEmpty else { return line(0, "types: {}") }
    line(0, "types:")
    for type in schema.types.sorted(by: { $0.name < $1.name }) { write(type) }
  }

  private mutating func write(_ type: TypeSchema) {
    let before = text.count
    line(1, "\(type.name):")
    let head = text.count
    if !type.summary.isEmpty { line(2, "summary: \(SchemaWriter.quote(type.summary))") }
    if type.isOwnerOnly { line(2, "owner_only: true") }
    if type.allowsOtherFields { line(2, "other_fields: true") }
    if type.conflictPolicy != .manual { line(2, "conflict: \(type.conflictPolicy.word)") }
    if type.deletePolicy != .manual { line(2, "delete: \(type.deletePolicy.word)") }
    if let history = type.retention.historySeconds { line(2, "history: \(SchemaWriter.duration(history))") }
    if let tombstones = type.retention.tombstoneSeconds { line(2, "tombstones: \(SchemaWriter.duration(tombstones))") }
    if !type.fields.isEmpty { line(2, "fields:") }
    for field in type.fields.sorted(by: { $0.name < $1.name }) { write(field) }
    write("unique", type.uniqueKeys.map { ($0.name, $0.fields) })
    write("indexes", type.indexes.map { ($0.name, $0.fields) })
    if text.count == head {
      text.removeLast(head - before)
      line(1, "\(type.name): {}")
    }
  }

  private mutating func write(_ word: String, _ keys: [(name: FieldPath, fields: [FieldPath])]) {
    guard !keys.isEmpty else { return }
    line(2, "\(word):")
    for key in keys { line(3, "\(key.name): [\(key.fields.map(\.text).joined(separator: ", "))]") }
  }

  private mutating func write(_ field: FieldSchema) {
    var short = field.type.description + (field.isRequired ? "!" : "")
    if let reference = field.reference {
      short += " -> \(reference.target)"
      if reference.onDelete != .restrict { short += " \(reference.onDelete.word)" }
    }
    var rules: [(String, String)] = []
    if !field.summary.isEmpty { rules.append(("summary", SchemaWriter.quote(field.summary))) }
    if let value = field.defaultValue { rules.append(("default", SchemaWriter.text(value, field.type))) }
    if !field.allowedValues.isEmpty {
      rules.append(("enum", SchemaWriter.text(.list(field.allowedValues), field.type)))
    }
    if let minimum = field.minimum { rules.append(("min", SchemaWriter.text(minimum.value, field.type))) }
    if let maximum = field.maximum { rules.append(("max", SchemaWriter.text(maximum.value, field.type))) }
    if let length = field.lengthMin { rules.append(("length_min", "\(length)")) }
    if let length = field.lengthMax { rules.append(("length_max", "\(length)")) }
    if field.merge != .register { rules.append(("merge", field.merge.word)) }
    if let policy = field.conflictPolicy { rules.append(("conflict", policy.word)) }
    guard !rules.isEmpty else { return line(3, "\(field.name): \(short)") }
    line(3, "\(field.name):")
    line(4, "type: \(short)")
    for (key, value) in rules { line(4, "\(key): \(value)") }
  }

  private mutating func line(_ level: Int, _ content: String) {
    text += String(repeating: "  ", count: level) + content + "\n"
  }

  /// The time in the greatest unit that has no rest.
  private static func duration(_ seconds: UInt64) -> String {
    guard seconds > 0, let unit = units.first(where: { seconds % $0.seconds == 0 }) else { return "\(seconds)s" }
    return "\(seconds / unit.seconds)\(unit.name)"
  }

  /// A value of a field of some type.
  private static func text(_ value: Value, _ type: ValueType) -> String {
    switch value {
    case .null: return "null"
    case .bool(let value): return "\(value)"
    case .int(let value): return "\(value)"
    case .double(let bits): return "\(Double(bitPattern: bits))"
    case .string(let text): return quote(text)
    case .bytes(let bytes): return mark("bytes", quote(Base64.encode(bytes)), type)
    case .timestamp(let instant): return mark("timestamp", quote(TimeText.format(instant)), type)
    case .json(let text): return mark("json", quote(text), type)
    case .list(let scalars): return "[\(scalars.map { text($0.value, type) }.joined(separator: ", "))]"
    }
  }

  /// Names the kind where any is allowed.
  private static func mark(_ kind: String, _ text: String, _ type: ValueType) -> String {
    type == .any ? "{\(kind): \(text)}" : text
  }

  /// The text as it is when YAML cannot take it for anything else, otherwise in quotes.
  static func quote(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || " _-./".utf8.contains($0)
    }
    let words: Set<String> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"]
    if isPlain, let first = text.utf8.first, first >= 0x41, first != 0x5F, text.utf8.last != 0x20,
      !words.contains(text.lowercased())
    {
      return text
    }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x22: quoted += "\\\""
      case 0x5C: quoted += "\\\\"
      case 0x0A: quoted += "\\n"
      // What YAML takes for a line break or does not print.
      case 0..<0x20, 0x7F...0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
        let hex = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
