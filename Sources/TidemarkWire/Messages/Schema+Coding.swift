import CTidemarkProtobufC
import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__Schema> { static let schema = MessageKind(tidemark__v1__schema__init) }
extension MessageKind<Tidemark__V1__TypeSchema> { static let typeSchema = MessageKind(tidemark__v1__type_schema__init) }
extension MessageKind<Tidemark__V1__FieldSchema> { static let fieldSchema = MessageKind(tidemark__v1__field_schema__init) }
extension MessageKind<Tidemark__V1__UniqueKey> { static let uniqueKey = MessageKind(tidemark__v1__unique_key__init) }
extension MessageKind<Tidemark__V1__IndexKey> { static let indexKey = MessageKind(tidemark__v1__index_key__init) }
extension MessageKind<Tidemark__V1__Reference> { static let reference = MessageKind(tidemark__v1__reference__init) }
extension MessageKind<Tidemark__V1__Retention> { static let retention = MessageKind(tidemark__v1__retention__init) }

extension Schema: EncodableMessage, DecodableMessage {
  /// Encodes to the form that is sent, stored and compared: types and fields sorted by name, so equal schemas have equal bytes.
  ///
  /// - Throws: `limitExceeded` when the encoding is larger than `WireLimits.messageBytesMax`.
  public func encode() throws(WireError) -> [UInt8] { try encode(using: MessageArena()) }

  /// Reads what `encode()` made. Whether the schema has `problems()` is another question.
  ///
  /// - Throws: `WireError` when the bytes are no schema.
  public static func decode(_ bytes: [UInt8]) throws(WireError) -> Schema {
    var result: Result<Schema, WireError> = .failure(.unparsable)
    bytes.withUnsafeBytes { raw in
      result = Result { () throws(WireError) in try decode(raw, using: MessageArena()) }
    }
    return try result.get()
  }

  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makeSchema(in: arena))
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> Schema {
    try arena.decode(bytes, as: .schema) { (message) throws(WireError) in try Schema(message) }
  }

  /// Reads a schema that is part of another message.
  init(_ message: Tidemark__V1__Schema) throws(WireError) {
    guard message.n_types <= Limits.typesPerSchemaMax else {
      throw .invalid("types", rule: "types_max", "A schema has at most \(Limits.typesPerSchemaMax) types.")
    }
    self.init(
      types: try Part.list(message.n_types, message.types) { (type) throws(WireError) in try TypeSchema(type) })
  }

  /// Makes a schema that is part of another message.
  func makeSchema(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Schema> {
    let message = try arena.make(.schema)
    let sorted = types.sorted { $0.name < $1.name }
    message.pointee.n_types = sorted.count
    message.pointee.types = try arena.makeList(sorted) { (type) throws(WireError) in try type.makeMessage(in: arena) }
    return message
  }
}

// MARK: Types

extension TypeSchema {
  fileprivate init(_ message: Tidemark__V1__TypeSchema) throws(WireError) {
    let name = try Part.type(message.name, "types.name")
    guard message.n_fields <= Limits.fieldsPerEntityMax else {
      throw .invalid("fields", rule: "fields_max", "A type has at most \(Limits.fieldsPerEntityMax) fields.")
    }
    guard max(message.n_unique_keys, message.n_indexes) <= Limits.keysPerTypeMax else {
      throw .invalid(
        "unique_keys", rule: "keys_max", "A type has at most \(Limits.keysPerTypeMax) unique keys and as many indexes.")
    }
    self.init(
      name: name, summary: try message.summary.text(),
      fields: try Part.list(message.n_fields, message.fields) { (field) throws(WireError) in try FieldSchema(field) },
      allowsOtherFields: message.allows_other_fields != 0,
      uniqueKeys: try Part.list(message.n_unique_keys, message.unique_keys) { (key) throws(WireError) in
        UniqueKey(
          name: try Part.fieldName(key.name, "unique_keys.name"), fields: try Part.keyFields(key.n_fields, key.fields))
      },
      indexes: try Part.list(message.n_indexes, message.indexes) { (key) throws(WireError) in
        IndexKey(name: try Part.fieldName(key.name, "indexes.name"), fields: try Part.keyFields(key.n_fields, key.fields))
      },
      conflictPolicy: try Part.policy(message.conflict_policy) ?? .manual,
      deletePolicy: try Part.word(message.delete_policy.rawValue, "delete_policy", unspecified: .manual),
      isOwnerOnly: message.is_owner_only != 0, retention: Retention(message.retention))
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__TypeSchema>? {
    let message = try arena.make(.typeSchema)
    message.pointee.name = try arena.copy(name.text)
    message.pointee.summary = try arena.copy(summary)
    let sorted = fields.sorted { $0.name < $1.name }
    message.pointee.n_fields = sorted.count
    message.pointee.fields = try arena.makeList(sorted) { (field) throws(WireError) in try field.makeMessage(in: arena) }
    message.pointee.allows_other_fields = allowsOtherFields ? 1 : 0
    message.pointee.n_unique_keys = uniqueKeys.count
    message.pointee.unique_keys = try arena.makeList(uniqueKeys) {
      (key) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__UniqueKey>? in
      let part = try arena.make(.uniqueKey)
      part.pointee.name = try arena.copy(key.name.text)
      part.pointee.n_fields = key.fields.count
      part.pointee.fields = try arena.makeList(key.fields) { (field) throws(WireError) in try arena.copy(field.text) }
      return part
    }
    message.pointee.n_indexes = indexes.count
    message.pointee.indexes = try arena.makeList(indexes) {
      (key) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__IndexKey>? in
      let part = try arena.make(.indexKey)
      part.pointee.name = try arena.copy(key.name.text)
      part.pointee.n_fields = key.fields.count
      part.pointee.fields = try arena.makeList(key.fields) { (field) throws(WireError) in try arena.copy(field.text) }
      return part
    }
    message.pointee.conflict_policy = Tidemark__V1__ConflictPolicy(rawValue: UInt32(conflictPolicy.rawValue))
    message.pointee.delete_policy = Tidemark__V1__DeletePolicy(rawValue: UInt32(deletePolicy.rawValue))
    message.pointee.is_owner_only = isOwnerOnly ? 1 : 0
    message.pointee.retention = try retention.makeMessage(in: arena)
    return message
  }
}

extension Retention {
  fileprivate init(_ message: UnsafeMutablePointer<Tidemark__V1__Retention>?) {
    self.init()
    guard let message = message?.pointee else { return }
    if message.history_rule_case == TIDEMARK__V1__RETENTION__HISTORY_RULE_HISTORY_SECONDS {
      historySeconds = message.history_seconds
    }
    if message.tombstone_rule_case == TIDEMARK__V1__RETENTION__TOMBSTONE_RULE_TOMBSTONE_SECONDS {
      tombstoneSeconds = message.tombstone_seconds
    }
  }

  /// Nothing when everything stays.
  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Retention>? {
    guard self != Retention() else { return nil }
    let message = try arena.make(.retention)
    if let historySeconds {
      message.pointee.history_rule_case = TIDEMARK__V1__RETENTION__HISTORY_RULE_HISTORY_SECONDS
      message.pointee.history_seconds = historySeconds
    }
    if let tombstoneSeconds {
      message.pointee.tombstone_rule_case = TIDEMARK__V1__RETENTION__TOMBSTONE_RULE_TOMBSTONE_SECONDS
      message.pointee.tombstone_seconds = tombstoneSeconds
    }
    return message
  }
}

// MARK: Fields

extension FieldSchema {
  fileprivate init(_ message: Tidemark__V1__FieldSchema) throws(WireError) {
    let name = try Part.fieldName(message.name, "types.fields.name")
    var lengths: (min: Int?, max: Int?)
    if message.length_min_rule_case == TIDEMARK__V1__FIELD_SCHEMA__LENGTH_MIN_RULE_LENGTH_MIN {
      lengths.min = try Part.length(message.length_min, "length_min")
    }
    if message.length_max_rule_case == TIDEMARK__V1__FIELD_SCHEMA__LENGTH_MAX_RULE_LENGTH_MAX {
      lengths.max = try Part.length(message.length_max, "length_max")
    }
    self.init(
      name: name, summary: try message.summary.text(),
      type: try Part.word(message.type.rawValue, "value_type", unspecified: nil), isRequired: message.is_required != 0,
      defaultValue: try Part.optional(message.default_value) { (value) throws(WireError) in try Value(value, name) },
      allowedValues: try Part.list(message.n_allowed_values, message.allowed_values) { (value) throws(WireError) in
        try Scalar(value, name)
      },
      minimum: try Part.optional(message.minimum) { (value) throws(WireError) in try Scalar(value, name) },
      maximum: try Part.optional(message.maximum) { (value) throws(WireError) in try Scalar(value, name) },
      lengthMin: lengths.min, lengthMax: lengths.max,
      merge: try Part.word(message.merge.rawValue, "merge", unspecified: .register),
      reference: try Part.optional(message.reference) { (reference) throws(WireError) in
        Reference(
          target: try Part.type(reference.target, "reference.target"),
          onDelete: try Part.word(reference.on_delete.rawValue, "on_delete", unspecified: .restrict))
      },
      conflictPolicy: try Part.policy(message.conflict_policy))
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__FieldSchema>? {
    let message = try arena.make(.fieldSchema)
    message.pointee.name = try arena.copy(name.text)
    message.pointee.summary = try arena.copy(summary)
    message.pointee.type = Tidemark__V1__ValueType(rawValue: UInt32(type.rawValue))
    message.pointee.is_required = isRequired ? 1 : 0
    if let defaultValue { message.pointee.default_value = try defaultValue.makeMessage(in: arena) }
    message.pointee.n_allowed_values = allowedValues.count
    message.pointee.allowed_values = try arena.makeList(allowedValues) { (value) throws(WireError) in
      try value.makeMessage(in: arena)
    }
    if let minimum { message.pointee.minimum = try minimum.makeMessage(in: arena) }
    if let maximum { message.pointee.maximum = try maximum.makeMessage(in: arena) }
    if let lengthMin {
      message.pointee.length_min_rule_case = TIDEMARK__V1__FIELD_SCHEMA__LENGTH_MIN_RULE_LENGTH_MIN
      message.pointee.length_min = UInt64(clamping: lengthMin)
    }
    if let lengthMax {
      message.pointee.length_max_rule_case = TIDEMARK__V1__FIELD_SCHEMA__LENGTH_MAX_RULE_LENGTH_MAX
      message.pointee.length_max = UInt64(clamping: lengthMax)
    }
    message.pointee.merge = Tidemark__V1__MergeKind(rawValue: UInt32(merge.rawValue))
    if let reference {
      let part = try arena.make(.reference)
      part.pointee.target = try arena.copy(reference.target.text)
      part.pointee.on_delete = Tidemark__V1__DeleteRule(rawValue: UInt32(reference.onDelete.rawValue))
      message.pointee.reference = part
    }
    if let conflictPolicy {
      message.pointee.conflict_policy = Tidemark__V1__ConflictPolicy(rawValue: UInt32(conflictPolicy.rawValue))
    }
    return message
  }
}

// MARK: Parts

extension Part {
  /// Reads a case by its number; 0 is `unspecified`, refused when there is none.
  fileprivate static func word<Word: RawRepresentable>(
    _ number: UInt32, _ field: String, unspecified: Word?
  ) throws(WireError) -> Word where Word.RawValue == UInt8 {
    if number == 0, let unspecified { return unspecified }
    guard let word = UInt8(exactly: number).flatMap({ Word(rawValue: $0) }) else {
      throw .invalid(field, rule: field, "The part '\(field)' has a number that is not known.")
    }
    return word
  }

  fileprivate static func policy(_ policy: Tidemark__V1__ConflictPolicy) throws(WireError) -> ConflictPolicy? {
    policy.rawValue == 0 ? nil : try word(policy.rawValue, "conflict_policy", unspecified: nil)
  }

  fileprivate static func length(_ value: UInt64, _ field: String) throws(WireError) -> Int {
    guard value <= UInt64(Limits.lengthMax) else {
      throw .invalid(field, rule: field, "A length is at most \(Limits.lengthMax).")
    }
    return Int(value)
  }

  fileprivate static func optional<Message, Result>(
    _ message: UnsafeMutablePointer<Message>?, _ read: (Message) throws(WireError) -> Result
  ) throws(WireError) -> Result? {
    guard let message else { return nil }
    return try read(message.pointee)
  }

  fileprivate static func keyFields(
    _ count: Int, _ elements: UnsafeMutablePointer<ProtobufCBinaryData>?
  ) throws(WireError) -> [FieldPath] {
    guard count <= Limits.fieldsPerKeyMax else {
      throw .invalid("fields", rule: "key_fields_max", "A key has at most \(Limits.fieldsPerKeyMax) fields.")
    }
    guard let elements else { return [] }
    var fields: [FieldPath] = []
    for index in 0..<count { fields.append(try fieldName(elements[index], "fields")) }
    return fields
  }
}
