import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__ApplySchemaResponse> {
  static let applySchemaResponse = MessageKind(tidemark__v1__apply_schema_response__init)
}
extension MessageKind<Tidemark__V1__RollbackSchemaResponse> {
  static let rollbackSchemaResponse = MessageKind(tidemark__v1__rollback_schema_response__init)
}
extension MessageKind<Tidemark__V1__SchemaChange> { static let schemaChange = MessageKind(tidemark__v1__schema_change__init) }
extension MessageKind<Tidemark__V1__SchemaOffender> {
  static let schemaOffender = MessageKind(tidemark__v1__schema_offender__init)
}

/// Tells what became of a new schema.
public struct ApplySchemaResponse: Hashable, Sendable {
  /// An entity that breaks a new rule.
  public struct Offender: Hashable, Sendable {
    public var key: EntityKey
    public var version: EntityVersion
    /// The rules it breaks.
    public var violations: [Violation]

    public init(key: EntityKey, version: EntityVersion, violations: [Violation]) {
      self.key = key
      self.version = version
      self.violations = violations
    }
  }

  /// Whether the schema is in force now.
  public var isApplied: Bool
  /// The version in force; 0 for none.
  public var version: UInt64
  /// The differences to the schema before.
  public var changes: [SchemaChange]
  /// Some of the entities that break a new rule.
  public var offenders: [Offender]
  /// How many entities were checked.
  public var checkedEntities: UInt64
  /// How many of them break a new rule.
  public var offendingEntities: UInt64
  /// What is wrong with the schema itself. Nothing else was looked at then.
  public var problems: [Violation]
  /// Why it was not applied, for people; empty when it was, or when nothing was to be applied.
  public var message: String

  public init(
    isApplied: Bool, version: UInt64, changes: [SchemaChange] = [], offenders: [Offender] = [], checkedEntities: UInt64 = 0,
    offendingEntities: UInt64 = 0, problems: [Violation] = [], message: String = ""
  ) {
    self.isApplied = isApplied
    self.version = version
    self.changes = changes
    self.offenders = offenders
    self.checkedEntities = checkedEntities
    self.offendingEntities = offendingEntities
    self.problems = problems
    self.message = message
  }
}

extension ApplySchemaResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makeAnswer(in: arena))
  }

  fileprivate func makeAnswer(
    in arena: MessageArena
  ) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__ApplySchemaResponse> {
    let message = try arena.make(.applySchemaResponse)
    message.pointee.applied = isApplied ? 1 : 0
    message.pointee.version = version
    message.pointee.n_changes = changes.count
    message.pointee.changes = try arena.makeList(changes) { (change) throws(WireError) in try change.makeMessage(in: arena) }
    message.pointee.n_offenders = offenders.count
    message.pointee.offenders = try arena.makeList(offenders) { (offender) throws(WireError) in
      try offender.makeMessage(in: arena)
    }
    message.pointee.checked_entities = checkedEntities
    message.pointee.offending_entities = offendingEntities
    message.pointee.n_problems = problems.count
    message.pointee.problems = try arena.makeList(problems) { (problem) throws(WireError) in
      try problem.makeMessage(in: arena)
    }
    message.pointee.message = try arena.copy(self.message)
    return message
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ApplySchemaResponse {
    try arena.decode(bytes, as: .applySchemaResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      try ApplySchemaResponse(message)
    }
  }

  fileprivate init(_ message: Tidemark__V1__ApplySchemaResponse) throws(WireError) {
    self.init(
      isApplied: message.applied != 0, version: try Part.schemaVersion(message.version, "version"),
      changes: try Part.list(message.n_changes, message.changes) { (change) throws(WireError) in try SchemaChange(change) },
      offenders: try Part.list(message.n_offenders, message.offenders) { (offender) throws(WireError) in
        try Offender(offender)
      }, checkedEntities: message.checked_entities, offendingEntities: message.offending_entities,
      problems: try Part.list(message.n_problems, message.problems) { (problem) throws(WireError) in
        try Violation(problem)
      }, message: try message.message.text())
  }
}

extension ApplySchemaResponse.Offender {
  fileprivate init(_ message: Tidemark__V1__SchemaOffender) throws(WireError) {
    self.init(
      key: try Part.required(message.key, "key") { (m) throws(WireError) in try EntityKey(m) },
      version: try Part.version(message.version),
      violations: try Part.list(message.n_violations, message.violations) { (violation) throws(WireError) in
        try Violation(violation)
      })
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__SchemaOffender>? {
    let message = try arena.make(.schemaOffender)
    message.pointee.key = try key.makeMessage(in: arena)
    message.pointee.version = version.rawValue
    message.pointee.n_violations = violations.count
    message.pointee.violations = try arena.makeList(violations) { (violation) throws(WireError) in
      try violation.makeMessage(in: arena)
    }
    return message
  }
}

extension SchemaChange {
  /// Whether the change is about a unique key or an index, and not about a field: both travel under one name.
  fileprivate static func isOfKey(_ kind: Kind) -> Bool {
    switch kind {
    case .uniqueKeyAdded, .uniqueKeyRemoved, .uniqueKeyChanged, .indexAdded, .indexRemoved, .indexChanged, .keyOrder: true
    case .schemaAdded, .typeAdded, .typeRemoved, .typeSummary, .otherFields, .typeConflictPolicy, .deletePolicy, .ownerRule,
      .retention, .fieldAdded, .fieldRemoved, .fieldSummary, .valueType, .required, .defaultValue, .allowedValues, .minimum,
      .maximum, .lengthMin, .lengthMax, .merge, .reference, .fieldConflictPolicy:
      false
    }
  }

  fileprivate init(_ message: Tidemark__V1__SchemaChange) throws(WireError) {
    guard let kind = Kind(rawValue: try message.kind.text()) else {
      throw .invalid("kind", rule: "schema_change", "The kind of the change is not known.")
    }
    let compatibility: Compatibility
    switch message.compatibility {
    case TIDEMARK__V1__COMPATIBILITY__COMPATIBILITY_COMPATIBLE: compatibility = .compatible
    case TIDEMARK__V1__COMPATIBILITY__COMPATIBILITY_NEEDS_CHECK: compatibility = .needsCheck
    case TIDEMARK__V1__COMPATIBILITY__COMPATIBILITY_BREAKING: compatibility = .breaking
    default: throw .invalid("compatibility", rule: "compatibility", "The compatibility of the change is not known.")
    }
    let name = message.field.raw.isEmpty ? nil : try Part.fieldName(message.field, "field")
    let isOfKey = SchemaChange.isOfKey(kind)
    self.init(
      kind: kind, type: message.type.raw.isEmpty ? nil : try Part.type(message.type), field: isOfKey ? nil : name,
      key: isOfKey ? name : nil, compatibility: compatibility, message: try message.message.text())
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__SchemaChange>? {
    let message = try arena.make(.schemaChange)
    message.pointee.type = try arena.copy(type?.text ?? "")
    message.pointee.field = try arena.copy((SchemaChange.isOfKey(kind) ? key : field)?.text ?? "")
    message.pointee.kind = try arena.copy(kind.rawValue)
    switch compatibility {
    case .compatible: message.pointee.compatibility = TIDEMARK__V1__COMPATIBILITY__COMPATIBILITY_COMPATIBLE
    case .needsCheck: message.pointee.compatibility = TIDEMARK__V1__COMPATIBILITY__COMPATIBILITY_NEEDS_CHECK
    case .breaking: message.pointee.compatibility = TIDEMARK__V1__COMPATIBILITY__COMPATIBILITY_BREAKING
    }
    message.pointee.message = try arena.copy(self.message)
    return message
  }
}

/// Tells what became of going back to an earlier schema.
public struct RollbackSchemaResponse: Hashable, Sendable {
  public var result: ApplySchemaResponse

  public init(result: ApplySchemaResponse) { self.result = result }
}

extension RollbackSchemaResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.rollbackSchemaResponse)
    message.pointee.result = try result.makeAnswer(in: arena)
    return MessagePointer(message)
  }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer, using arena: MessageArena
  ) throws(WireError) -> RollbackSchemaResponse {
    try arena.decode(bytes, as: .rollbackSchemaResponse, elementsMax: WireLimits.answerElementsMax) {
      (message) throws(WireError) in
      RollbackSchemaResponse(
        result: try Part.required(message.result, "result") { (m) throws(WireError) in try ApplySchemaResponse(m) })
    }
  }
}
