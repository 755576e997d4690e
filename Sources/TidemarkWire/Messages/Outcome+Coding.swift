import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__Outcome> { static let outcome = MessageKind(tidemark__v1__outcome__init) }
extension MessageKind<Tidemark__V1__Conflict> { static let conflict = MessageKind(tidemark__v1__conflict__init) }
extension MessageKind<Tidemark__V1__FieldChange> { static let fieldChange = MessageKind(tidemark__v1__field_change__init) }
extension MessageKind<Tidemark__V1__ItemIndex> { static let itemIndex = MessageKind(tidemark__v1__item_index__init) }
extension MessageKind<Tidemark__V1__Violation> { static let violation = MessageKind(tidemark__v1__violation__init) }

extension Outcome: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makeOutcome(in: arena))
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> Outcome {
    try arena.decode(bytes, as: .outcome) { (message) throws(WireError) in try Outcome(message) }
  }

  func makeOutcome(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Outcome> {
    let message = try arena.make(.outcome)
    message.pointee.code = Tidemark__V1__OutcomeCode(rawValue: UInt32(code.rawValue))
    message.pointee.type = try arena.copy(type.text)
    message.pointee.id = try arena.copy(id?.text ?? "")
    message.pointee.operation_id = try arena.copy(operation.description)
    message.pointee.version = version?.rawValue ?? 0
    message.pointee.revision = revision?.rawValue ?? 0
    message.pointee.epoch = try arena.copy(epoch)
    message.pointee.applied_at_us = appliedAt?.rawValue ?? 0
    if let entity { message.pointee.entity = try entity.makeMessage(in: arena) }
    if let conflict { message.pointee.conflict = try conflict.makeMessage(in: arena, actual: actual) }
    message.pointee.n_violations = violations.count
    message.pointee.violations = try arena.makeList(violations) { (violation) throws(WireError) in
      try violation.makeMessage(in: arena)
    }
    message.pointee.message = try arena.copy(self.message)
    message.pointee.retry = Tidemark__V1__RetryAdvice(rawValue: UInt32(code.retryAdvice.rawValue))
    message.pointee.is_replay = isReplay ? 1 : 0
    if let cause { message.pointee.cause = try arena.makeIndex(cause) }
    message.pointee.n_related = related.count
    message.pointee.related = try arena.makeList(related) { (key) throws(WireError) in try key.makeMessage(in: arena) }
    return message
  }

  /// The state the entity is in, for the story of a conflict.
  private var actual: Expected? { version.map { Expected(version: $0, revision: revision, epoch: epoch) } }

  init(_ message: Tidemark__V1__Outcome) throws(WireError) {
    guard let code = UInt8(exactly: message.code.rawValue).flatMap({ OutcomeCode(rawValue: $0) }) else {
      throw .invalid("code", rule: "outcome_code", "The code of the outcome is not known.")
    }
    self.init(
      code: code, type: try Part.type(message.type), id: message.id.raw.isEmpty ? nil : try Part.id(message.id),
      operation: try Part.operation(message.operation_id),
      version: message.version == 0 ? nil : try Part.version(message.version),
      revision: try Part.optionalRevision(message.revision), epoch: try Part.requiredEpoch(message.epoch),
      appliedAt: message.applied_at_us == 0 ? nil : try Part.timestamp(message.applied_at_us, "applied_at_us"))
    if let entity = message.entity { self.entity = try Entity(entity.pointee) }
    if let conflict = message.conflict { self.conflict = try Conflict(conflict.pointee) }
    violations = try Part.list(message.n_violations, message.violations) { (violation) throws(WireError) in
      try Violation(violation)
    }
    self.message = try message.message.text()
    isReplay = message.is_replay != 0
    cause = message.cause.map { Int($0.pointee.item) }
    related = try Part.list(message.n_related, message.related) { (key) throws(WireError) in try EntityKey(key) }
  }
}

extension MessageArena {
  /// Makes the index of an item.
  func makeIndex(_ index: Int) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__ItemIndex> {
    let message = try make(.itemIndex)
    message.pointee.item = UInt32(clamping: index)
    return message
  }
}

extension Conflict {
  fileprivate func makeMessage(
    in arena: MessageArena, actual: Expected?
  ) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Conflict> {
    let message = try arena.make(.conflict)
    if let expected { message.pointee.expected = try expected.makeMessage(in: arena) }
    if let actual { message.pointee.actual = try actual.makeMessage(in: arena) }
    if let current { message.pointee.current_entity = try current.makeMessage(in: arena) }
    if let base { message.pointee.base_entity = try base.makeMessage(in: arena) }
    message.pointee.n_changes = changes.count
    message.pointee.changes = try arena.makeList(changes) { (change) throws(WireError) in try change.makeMessage(in: arena) }
    message.pointee.n_overlapping_fields = overlapping.count
    message.pointee.overlapping_fields = try arena.makeList(overlapping) { (name) throws(WireError) in try arena.copy(name.text) }
    message.pointee.truncated = isTruncated ? 1 : 0
    return message
  }

  fileprivate init(_ message: Tidemark__V1__Conflict) throws(WireError) {
    self.init(expected: try Expected(message.expected), current: nil)
    if let current = message.current_entity { self.current = try Entity(current.pointee) }
    if let base = message.base_entity { self.base = try Entity(base.pointee) }
    changes = try Part.list(message.n_changes, message.changes) { (change) throws(WireError) in try FieldChange(change) }
    if let names = message.overlapping_fields {
      for index in 0..<message.n_overlapping_fields {
        overlapping.append(try Part.fieldName(names[index], "overlapping_fields"))
      }
    }
    isTruncated = message.truncated != 0
  }
}

extension FieldChange {
  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__FieldChange>? {
    let message = try arena.make(.fieldChange)
    message.pointee.name = try arena.copy(name.text)
    if let before { message.pointee.before = try before.makeMessage(in: arena) }
    if let after { message.pointee.after = try after.makeMessage(in: arena) }
    message.pointee.version = version.rawValue
    message.pointee.changed_by = try arena.copy(changed.by.text)
    message.pointee.changed_at_us = changed.at.rawValue
    return message
  }

  fileprivate init(_ message: Tidemark__V1__FieldChange) throws(WireError) {
    let name = try Part.fieldName(message.name, "name")
    self.init(
      name: name, before: nil, after: nil, version: try Part.version(message.version),
      changed: try Part.mark(at: message.changed_at_us, by: message.changed_by, "changed_by"))
    if let before = message.before { self.before = try Value(before.pointee, name) }
    if let after = message.after { self.after = try Value(after.pointee, name) }
  }
}

extension Violation {
  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Violation>? {
    let message = try arena.make(.violation)
    message.pointee.field = try arena.copy(field?.text ?? "")
    message.pointee.rule = try arena.copy(rule)
    message.pointee.message = try arena.copy(self.message)
    return message
  }

  init(_ message: Tidemark__V1__Violation) throws(WireError) {
    self.init(field: FieldPath(try message.field.text()), rule: try message.rule.text(), message: try message.message.text())
  }
}
