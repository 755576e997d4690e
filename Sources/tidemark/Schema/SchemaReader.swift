import TidemarkCore

extension TypeSchema {
  fileprivate static let keys = [
    "summary", "fields", "other_fields", "unique", "indexes", "conflict", "delete", "owner_only", "history", "tombstones",
  ]

  /// Reads a type; without a value it has no fields.
  init(_ name: TypeName, _ part: SchemaPart) throws(SchemaTextError) {
    let members = try part.members(known: TypeSchema.keys)
    self.init(name: name)
    summary = try members["summary"]?.text() ?? ""
    fields = try (members["fields"]?.entries() ?? []).map { (entry) throws(SchemaTextError) in
      try FieldSchema(try entry.part.fieldName(entry.name), entry.part)
    }
    .sorted { $0.name < $1.name }
    allowsOtherFields = try members["other_fields"]?.bool() ?? false
    isOwnerOnly = try members["owner_only"]?.bool() ?? false
    for (name, part) in try members["unique"]?.entries() ?? [] {
      uniqueKeys.append(UniqueKey(name: try part.fieldName(name), fields: try part.fieldNames()))
    }
    for (name, part) in try members["indexes"]?.entries() ?? [] {
      indexes.append(IndexKey(name: try part.fieldName(name), fields: try part.fieldNames()))
    }
    conflictPolicy = try members["conflict"]?.word() ?? .manual
    deletePolicy = try members["delete"]?.word() ?? .manual
    retention = Retention(
      historySeconds: try members["history"]?.seconds(), tombstoneSeconds: try members["tombstones"]?.seconds())
  }
}

extension FieldSchema {
  fileprivate static let keys = [
    "type", "summary", "required", "default", "enum", "min", "max", "length_min", "length_max", "merge", "references", "conflict",
  ]

  /// Reads a field: `string! -> project`, or a mapping with such a text as `type`.
  init(_ name: FieldPath, _ part: SchemaPart) throws(SchemaTextError) {
    guard part.isMapping else {
      try self.init(name, short: part)
      return
    }
    let members = try part.members(known: FieldSchema.keys)
    guard let type = members["type"] else { throw part.fail("the field does not say its type") }
    try self.init(name, short: type)
    summary = try members["summary"]?.text() ?? ""
    if let isRequired = try members["required"]?.bool() { self.isRequired = self.isRequired || isRequired }
    if let references = members["references"] {
      guard reference == nil else { throw references.fail("the type says already what the field points to") }
      reference = try references.reference(try references.words())
    }
    defaultValue = try members["default"]?.value(self.type)
    allowedValues = try (members["enum"]?.elements() ?? []).map { (part) throws(SchemaTextError) in
      try part.scalar(self.type.element)
    }
    minimum = try members["min"]?.scalar(self.type.element)
    maximum = try members["max"]?.scalar(self.type.element)
    lengthMin = try members["length_min"]?.length()
    lengthMax = try members["length_max"]?.length()
    merge = try members["merge"]?.word() ?? .register
    conflictPolicy = try members["conflict"]?.word()
  }

  /// Reads `TYPE`, `TYPE!`, `TYPE -> TARGET`, `TYPE -> TARGET RULE`.
  private init(_ name: FieldPath, short part: SchemaPart) throws(SchemaTextError) {
    let words = try part.words()
    guard var word = words.first else { throw part.fail("the field does not say its type") }
    let isRequired = word.hasSuffix("!")
    if isRequired { word.removeLast() }
    guard let type = ValueType(word) else { throw part.unknown("type", word, ValueType.allCases.map(\.description)) }
    self.init(name: name, type: type, isRequired: isRequired)
    guard words.count > 1 else { return }
    guard words[1] == "->" else { throw part.fail("after the type stands nothing, or '-> type' for a reference") }
    reference = try part.reference(Array(words.dropFirst(2)))
  }
}

extension SchemaPart {
  fileprivate func words() throws(SchemaTextError) -> [String] { try text().split(separator: " ").map(String.init) }

  fileprivate func fieldName(_ text: String) throws(SchemaTextError) -> FieldPath {
    guard let name = FieldPath(text) else {
      throw fail("'\(text)' is no name: letters, digits and _, no digit first, levels separated by dots")
    }
    return name
  }

  fileprivate func fieldNames() throws(SchemaTextError) -> [FieldPath] {
    try elements().map { (part) throws(SchemaTextError) in try part.fieldName(try part.text()) }
  }

  /// Reads `TARGET` or `TARGET RULE`.
  fileprivate func reference(_ words: [String]) throws(SchemaTextError) -> Reference {
    guard let target = words.first.flatMap({ TypeName($0) }), words.count <= 2 else {
      throw fail("a reference is the name of a type, and what happens on its delete: restrict, cascade or set_null")
    }
    guard let rule = words.dropFirst().first else { return Reference(target: target) }
    guard let onDelete = DeleteRule(word: rule) else { throw unknown("rule", rule, DeleteRule.words) }
    return Reference(target: target, onDelete: onDelete)
  }

  fileprivate func word<Word: SchemaWord>() throws(SchemaTextError) -> Word {
    let text = try text()
    guard let word = Word(word: text) else { throw unknown("word", text, Word.words) }
    return word
  }

  fileprivate func length() throws(SchemaTextError) -> Int {
    let text = try text()
    guard let length = Int(text) else { throw fail("'\(text)' is no length") }
    return length
  }

  /// Reads `90d`; a number without a unit is seconds.
  fileprivate func seconds() throws(SchemaTextError) -> UInt64 {
    let text = try text()
    let unit = SchemaWriter.units.first { text.hasSuffix($0.name) }
    guard let count = UInt64(unit == nil ? text : String(text.dropLast())) else {
      throw fail("'\(text)' is no time such as 90d, 12h, 30m or 45s")
    }
    let (seconds, isTooLong) = count.multipliedReportingOverflow(by: unit?.seconds ?? 1)
    guard !isTooLong else { throw fail("'\(text)' is too long a time") }
    return seconds
  }

  // MARK: Values

  /// Reads a value of a type.
  fileprivate func value(_ type: ValueType) throws(SchemaTextError) -> Value {
    if type == .json {
      let text = try text()
      do throws(ValueError) { return try ValueKind.json.value(ofText: text) } catch { throw fail(error.what) }
    }
    if type.isList || (type == .any && isList) {
      return .list(try elements().map { (part) throws(SchemaTextError) in try part.scalar(type.element) })
    }
    if type == .any, isMapping {
      let members = try members(known: ["json", "bytes", "timestamp"])
      guard let (name, part) = members.first, members.count == 1, let type = ValueType(name) else {
        throw fail("a value that is marked with its kind has one kind")
      }
      return try part.value(type)
    }
    return try scalar(type).value
  }

  /// Reads a value that a list can hold.
  fileprivate func scalar(_ type: ValueType) throws(SchemaTextError) -> Scalar {
    let text = try text()
    if isNull {
      guard type == .any else { throw fail("there is no value; text such as null needs quotes") }
      return .null
    }
    let kind: ValueKind
    switch type {
    case .bool: return .bool(try bool())
    case .int: kind = .int
    case .double: kind = .double
    case .bytes: kind = .bytes
    case .timestamp: kind = .timestamp
    case .any: kind = isPlain ? SchemaPart.kind(of: text) : .string
    default: return .string(text)
    }
    do throws(ValueError) {
      guard let scalar = Scalar(try kind.value(ofText: text)) else { throw ValueError(what: "'\(text)' is no \(type)") }
      return scalar
    } catch {
      throw fail(error.what)
    }
  }

  /// What a plain value looks like, where any is allowed.
  private static func kind(of text: String) -> ValueKind {
    if text == "true" || text == "false" { return .bool }
    guard let first = text.utf8.first, (0x30...0x39).contains(first) || first == 0x2D || first == 0x2B else { return .string }
    if Int64(text) != nil { return .int }
    return Double(text) != nil ? .double : .string
  }
}
