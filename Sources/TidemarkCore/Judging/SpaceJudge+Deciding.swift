/// What becomes of one item: its expected state, and what it would make of the entity.
extension SpaceJudge {
  /// A write that found its entity, or may make it.
  struct Attempt {
    var action: WriteAction
    var operation: OperationID
    /// When the person made the edit; `nil` when not said.
    var editedAt: Timestamp?
    var key: EntityKey
    var principal: Principal
    var manner = ChangeManner.plain
  }

  mutating func decide(_ item: WriteItem, _ id: EntityID, by principal: Principal) throws -> Decision {
    if let known = item.knownRevision, known < context.receiptFloor {
      return .refuse(.receiptExpired, nil, Messages.receiptExpired)
    }
    var attempt = Attempt(
      action: item.action, operation: item.operation, editedAt: item.editedAt, key: EntityKey(type: item.type, id: id),
      principal: principal)
    let current = try state.entity(attempt.key)
    guard let expected = attempt.action.expected else { return try make(attempt, current) }
    if let epoch = expected.epoch, epoch != context.epoch {
      return .refuse(.epochChanged, current, Messages.epochChanged)
    }
    guard let current else { return .refuse(.notFound, nil, Messages.notFound(item.type, id)) }
    if current.life != .alive, let revision = expected.revision, revision <= context.fence, revision < current.revision {
      return .refuse(.purged, current, Messages.purged(current))
    }
    let isCurrent =
      expected.version == current.version && expected.revision.map { $0 == current.revision } ?? true
    if !isCurrent {
      switch item.onConflict {
      case .fail: return .refuse(.conflict, current, Messages.conflict(expected, current))
      case .overwrite: attempt.manner = .overwritten
      case .merge:
        return try merge(attempt, current, expected) ?? .refuse(.conflict, current, Messages.conflict(expected, current))
      }
    }
    return try change(attempt, current)
  }

  /// A create or a get-or-create.
  private mutating func make(_ attempt: Attempt, _ current: Entity?) throws -> Decision {
    switch attempt.action {
    case .create(let fields):
      if let current, current.life == .alive {
        return .refuse(.alreadyExists, current, Messages.alreadyExists(current))
      }
      return try store(attempt, .create, CanonicalFields(completed(fields, attempt)), over: current, patch: nil)
    case .getOrCreate(let fields):
      if let current, current.life == .alive { return .unchanged(current) }
      let encoded = CanonicalFields(completed(fields, attempt))
      // Whoever holds one of its unique keys is the entity that was wanted.
      if let holder = try holder(of: encoded, attempt.key) { return .unchanged(holder) }
      return try store(attempt, .create, encoded, over: current, patch: nil)
    case .update, .replace, .delete, .restore:
      return .refuse(.notFound, current, Messages.notFound(attempt.key.type, attempt.key.id))
    }
  }

  /// A write to an entity that is in the expected state, or is to be overwritten.
  private mutating func change(_ attempt: Attempt, _ entity: Entity) throws -> Decision {
    switch attempt.action {
    case .create, .getOrCreate: return try make(attempt, entity)
    case .update(let patch, _):
      if let refusal = absence(of: entity) { return refusal }
      switch try entity.fields.patched(by: patch) {
      case .success(let fields): return try store(attempt, .update, fields, over: entity, patch: patch)
      case .failure(let violation): return .invalid([violation], entity)
      }
    case .replace(let fields, _):
      if let refusal = absence(of: entity) { return refusal }
      return try store(attempt, .replace, CanonicalFields(completed(fields, attempt)), over: entity, patch: nil)
    case .delete:
      return entity.life == .alive ? try delete(attempt, entity) : .unchanged(entity)
    case .restore:
      if entity.life == .purged { return .refuse(.purged, entity, Messages.purged(entity)) }
      return entity.life == .deleted
        ? try store(attempt, .restore, entity.fields, over: entity, patch: nil) : .unchanged(entity)
    }
  }

  /// Why an entity that is not alive cannot be changed; `nil` when it is alive.
  private func absence(of entity: Entity) -> Decision? {
    switch entity.life {
    case .alive: nil
    case .deleted: .refuse(.notFound, entity, Messages.deleted(entity))
    case .purged: .refuse(.purged, entity, Messages.purged(entity))
    }
  }

  private func completed(_ fields: Fields, _ attempt: Attempt) -> Fields {
    context.schema?[attempt.key.type]?.complete(fields) ?? fields
  }

  /// Checks what would be stored and stores it.
  ///
  /// - Parameter patch: what an update changes; `nil` when all fields are to be checked.
  mutating func store(
    _ attempt: Attempt, _ kind: ChangeKind, _ fields: CanonicalFields, over previous: Entity?, patch: Patch?,
    as code: OutcomeCode = .applied
  ) throws -> Decision {
    if let previous, let refusal = ownership(attempt, previous) { return refusal }
    if kind != .create, kind != .restore, let previous, fields == previous.fields { return .unchanged(previous) }
    guard fields.bytes.count <= Limits.entityBytesMax else {
      return .invalid([Violation.tooLarge(fields.bytes.count)], previous)
    }
    if let schema = context.schema {
      guard let type = schema[attempt.key.type] else {
        return .invalid([CompiledSchema.unknownType(attempt.key.type)], previous)
      }
      let violations: [Violation]
      if let patch, let previous {
        violations = try type.violations(of: patch, before: previous.fields, after: fields, limit: violationsToldMax + 1)
      } else {
        violations = try type.violations(of: fields, limit: violationsToldMax + 1)
      }
      if !violations.isEmpty { return .invalid(violations, previous) }
      let isPatch = patch.map { !type.touchesKeys($0) && !type.touchesReferences($0) } ?? false
      if !isPatch, let refusal = try move(attempt, type, fields, over: previous) { return refusal }
    }
    return .applied(apply(attempt, kind, fields, over: previous), code)
  }

  /// Why the principal may not touch somebody else's entity; `nil` when they may.
  func ownership(_ attempt: Attempt, _ entity: Entity) -> Decision? {
    guard let type = context.schema?[entity.key.type]?.type, type.isOwnerOnly, entity.created.by != attempt.principal.name,
      !attempt.principal.can(.admin, in: context.space)
    else { return nil }
    return .refuse(.forbidden, nil, Messages.forbidden)
  }

  /// Adds a change of an entity.
  mutating func apply(_ attempt: Attempt, _ kind: ChangeKind, _ fields: CanonicalFields, over previous: Entity?) -> Entity {
    let mark = Mark(at: context.now, by: attempt.principal.name)
    let created = kind == .create ? mark : previous?.created ?? mark
    let entity = Entity(
      key: attempt.key, version: previous?.version.next ?? .first, revision: state.revision.next, life: kind.life,
      created: created, updated: mark, fields: fields)
    // An edit cannot have been made after now: a clock that runs ahead would win for ever.
    let editedAt = context.schema == nil ? nil : attempt.editedAt.map { min($0, context.now) }
    state.apply(
      Change(
        entity: entity, kind: kind, previous: previous?.revision ?? .zero, operation: attempt.operation,
        manner: attempt.manner, editedAt: editedAt))
    return entity
  }
}

extension Violation {
  static func tooLarge(_ bytes: Int) -> Violation {
    Violation(
      rule: "entity_bytes_max",
      message: "The entity would take \(bytes) bytes; at most \(Limits.entityBytesMax) are allowed.")
  }
}
