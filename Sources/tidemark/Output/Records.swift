import TidemarkCore
import TidemarkWire

extension Entity {
  /// The members of an entity's record, for `--fields ?`.
  static let recordNames = [
    "type", "id", "version", "revision", "state", "created_at", "created_by", "updated_at", "updated_by", "deleted_at",
    "deleted_by", "fields", "kinds",
  ]

  /// The entity as commands print it. `kinds` names what JSON cannot show by itself.
  func json() throws(CorruptFields) -> JSON {
    let (fields, kinds) = try self.fields.decoded().json
    var members: [JSON.Member] = [
      .init("type", .string(key.type.text)), .init("id", .string(key.id.text)), .init("version", .int(version.rawValue)),
      .init("revision", .int(revision.rawValue)), .init("state", .string("\(life)")),
      .init("created_at", .string(TimeText.format(created.at))), .init("created_by", .string(created.by.text)),
      .init("updated_at", .string(TimeText.format(updated.at))), .init("updated_by", .string(updated.by.text)),
    ]
    if life != .alive {
      members.append(.init("deleted_at", .string(TimeText.format(updated.at))))
      members.append(.init("deleted_by", .string(updated.by.text)))
    }
    members.append(.init("fields", fields))
    if let kinds { members.append(.init("kinds", kinds)) }
    return .object(members)
  }
}

extension Violation {
  var json: JSON {
    .object([
      .init("field", .text(field?.text)), .init("rule", .string(rule)), .init("message", .string(message)),
    ])
  }
}

extension OutcomeCode {
  /// The word for the outcome, as in the glossary, with `_` for blanks.
  var word: String {
    switch self {
    case .applied: "applied"
    case .unchanged: "unchanged"
    case .merged: "merged"
    case .conflict: "conflict"
    case .notFound: "not_found"
    case .alreadyExists: "already_exists"
    case .uniqueViolation: "unique_violation"
    case .referenceViolation: "reference_violation"
    case .invalid: "invalid"
    case .forbidden: "forbidden"
    case .vetoed: "vetoed"
    case .purged: "purged"
    case .epochChanged: "epoch_changed"
    case .receiptExpired: "receipt_expired"
    case .aborted: "aborted"
    }
  }
}

extension Outcome {
  static let recordNames = [
    "outcome", "type", "id", "version", "revision", "operation_id", "applied_at", "is_replay", "message", "violations", "entity",
    "conflict",
  ]

  /// The outcome as commands print it.
  func json() throws(CorruptFields) -> JSON {
    var members: [JSON.Member] = [
      .init("outcome", .string(code.word)), .init("type", .string(type.text)), .init("id", .text(id?.text)),
      .init("version", version.map { .int($0.rawValue) } ?? .null),
      .init("revision", revision.map { .int($0.rawValue) } ?? .null),
      .init("operation_id", .string(operation.description)),
    ]
    if let appliedAt { members.append(.init("applied_at", .string(TimeText.format(appliedAt)))) }
    if isReplay { members.append(.init("is_replay", .bool(true))) }
    if !message.isEmpty { members.append(.init("message", .string(message))) }
    if !violations.isEmpty { members.append(.init("violations", .array(violations.map { $0.json }))) }
    if let entity { members.append(.init("entity", try entity.json())) }
    if let conflict { members.append(.init("conflict", try conflict.json())) }
    return .object(members)
  }
}

extension Conflict {
  func json() throws(CorruptFields) -> JSON {
    var members: [JSON.Member] = [
      .init("expected_version", expected.map { .int($0.version.rawValue) } ?? .null)
    ]
    members.append(.init("current_entity", try current?.json() ?? .null))
    members.append(.init("base_entity", try base?.json() ?? .null))
    var list: [JSON] = []
    for change in changes {
      // A field that is not there has no member; one that holds null has null.
      var parts: [JSON.Member] = [.init("name", .string(change.name.text))]
      if let before = change.before { parts.append(.init("before", before.json.value)) }
      if let after = change.after { parts.append(.init("after", after.json.value)) }
      parts.append(.init("version", .int(change.version.rawValue)))
      parts.append(.init("changed_by", .string(change.changed.by.text)))
      parts.append(.init("changed_at", .string(TimeText.format(change.changed.at))))
      list.append(.object(parts))
    }
    members.append(.init("changes", .array(list)))
    members.append(.init("overlapping_fields", .array(overlapping.map { .string($0.text) })))
    if isTruncated { members.append(.init("truncated", .bool(true))) }
    return .object(members)
  }
}

extension SpaceDescription {
  static let recordNames = ["name", "revision", "alive_entities", "created_at", "epoch"]

  var json: JSON {
    .object([
      .init("name", .string(name.text)), .init("revision", .int(revision.rawValue)),
      .init("alive_entities", .int(aliveEntities)), .init("created_at", .string(TimeText.format(createdAt))),
      .init("epoch", .string(UUIDText.format(epoch.rawValue))),
    ])
  }
}

extension TokenDescription {
  static let recordNames = ["id", "principal", "grants", "created_at"]

  var json: JSON {
    var grants = principal.roles.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    if let role = principal.roleEverywhere { grants.insert("*=\(role)", at: 0) }
    return .object([
      .init("id", .string(id)), .init("principal", .string(principal.name.text)),
      .init("grants", .array(grants.map { .string($0) })), .init("created_at", .string(TimeText.format(createdAt))),
    ])
  }
}
