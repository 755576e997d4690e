/// Rules between entities: unique keys, references, and what a delete does to those that point here.
extension SpaceJudge {
  /// The other alive entity that holds a unique key which these fields would need; `nil` when all are free.
  mutating func holder(of fields: CanonicalFields, _ key: EntityKey) throws -> Entity? {
    guard let type = context.schema?[key.type] else { return nil }
    for held in try heldKeys(type, fields) {
      if let holder = try state.holder(of: held), holder != key.id,
        let entity = try state.entity(EntityKey(type: key.type, id: holder)), entity.life == .alive
      {
        return entity
      }
    }
    return nil
  }

  /// Moves the unique keys and references of an entity to what its new fields say; or says why that cannot be.
  mutating func move(
    _ attempt: Attempt, _ type: CompiledType, _ fields: CanonicalFields, over previous: Entity?
  ) throws -> Decision? {
    let id = attempt.key.id
    let before = previous?.life == .alive ? previous : nil
    let keysBefore = try before.map { try heldKeys(type, $0.fields) } ?? []
    let keysNow = try heldKeys(type, fields)
    for key in keysNow where !keysBefore.contains(key) {
      guard let holder = try state.holder(of: key), holder != id else { continue }
      return .related(
        .uniqueViolation, previous, [type.violation(ofHeld: key, attempt.key)],
        related: [EntityKey(type: key.type, id: holder)])
    }
    let pointsBefore = try before.map { try heldReferences(type, $0.fields, attempt.key) } ?? []
    let pointsNow = try heldReferences(type, fields, attempt.key)
    state.charge(references: pointsBefore.count + pointsNow.count)
    // Sets: a list may hold thousands of references.
    let (setBefore, setNow) = (Set(pointsBefore), Set(pointsNow))
    var missing: [HeldReference] = []
    let missingMax = max(violationsToldMax, Limits.relatedEntitiesMax)
    for reference in pointsNow where reference.target != attempt.key && !setBefore.contains(reference) {
      // One more than is told says that there are more.
      if missing.count > missingMax { break }
      if try !state.isAlive(reference.target) { missing.append(reference) }
    }
    guard missing.isEmpty else {
      return .related(
        .referenceViolation, previous, missing.map { Violation.missing($0) }, related: missing.map(\.target))
    }
    for key in keysBefore where !keysNow.contains(key) { state.setHolder(of: key, from: id, to: nil) }
    for key in keysNow where !keysBefore.contains(key) { state.setHolder(of: key, from: nil, to: id) }
    for reference in pointsBefore where !setNow.contains(reference) { state.setReference(reference, isThere: false) }
    for reference in pointsNow where !setBefore.contains(reference) { state.setReference(reference, isThere: true) }
    return nil
  }

  private func heldKeys(_ type: CompiledType, _ fields: CanonicalFields) throws -> [HeldKey] {
    try type.uniqueKeys(of: fields).map {
      HeldKey(type: type.type.name, key: type.type.uniqueKeys[$0.index].name, value: $0.bytes)
    }
  }

  private func heldReferences(_ type: CompiledType, _ fields: CanonicalFields, _ source: EntityKey) throws -> [HeldReference] {
    try type.references(of: fields).map { HeldReference(source: source, field: $0.field, target: $0.target) }
  }

  // MARK: Deletes

  /// What a delete does beside hiding its entity.
  private struct DeletePlan {
    /// The entities to hide, the one that was asked for first.
    var deleted: [Entity]
    /// Fields that must no longer point to hidden entities.
    var cleared: [HeldReference] = []
    /// References that forbid the delete unless their source is hidden, too.
    var restricting: [HeldReference] = []
  }

  mutating func delete(_ attempt: Attempt, _ entity: Entity) throws -> Decision {
    if let refusal = ownership(attempt, entity) { return refusal }
    guard let schema = context.schema else { return .applied(hide(attempt, entity), .applied) }
    // Of a type that left the schema nobody knows the rules any more, that of owners among them.
    guard schema[entity.key.type] != nil else { return .invalid([CompiledSchema.unknownType(entity.key.type)], entity) }
    let bytesMax = state.bytes + Limits.bulkBytesMax
    let referenceBytesMax = state.referenceBytes + Limits.bulkBytesMax
    let tooMuch = Decision.invalid([Violation.tooManyDependants()], entity)
    guard let plan = try plan(deleteOf: entity, schema, bytesMax: bytesMax) else { return tooMuch }
    let hidden = Set(plan.deleted.map(\.key))
    let restricting = plan.restricting.filter { !hidden.contains($0.source) }
    guard restricting.isEmpty else {
      return .related(
        .referenceViolation, entity, [Violation.pointedAt(entity.key, restricting)], related: restricting.map(\.source))
    }
    var cleared: [EntityKey: [HeldReference]] = [:]
    var order: [EntityKey] = []
    for reference in plan.cleared where !hidden.contains(reference.source) {
      if cleared[reference.source] == nil { order.append(reference.source) }
      cleared[reference.source, default: []].append(reference)
    }
    var updates: [(Entity, CanonicalFields, CompiledType)] = []
    for source in order {
      guard let holder = try state.entity(source), holder.life == .alive, let type = schema[source.type] else { continue }
      guard state.bytes <= bytesMax else { return tooMuch }
      let fields = try CanonicalFields(holder.fields.decoded().clearing(cleared[source] ?? []))
      // Only what is cleared is looked at: what was wrong before stays as it is.
      let patch = try? Patch(Set((cleared[source] ?? []).map(\.field)).map { Patch.Entry($0, .unset) })
      let violations = try patch.map { try type.violations(of: $0, before: holder.fields, after: fields) } ?? []
      guard violations.isEmpty else {
        return .related(
          .referenceViolation, entity, [Violation.pointedAt(entity.key, cleared[source] ?? [])] + violations, related: [source])
      }
      updates.append((holder, fields, type))
    }
    // Each of them may hold many references: what all cost together is known only on the way.
    let mark = state.mark()
    let before = state.changes.count
    for (holder, fields, type) in updates where state.referenceBytes <= referenceBytesMax {
      var update = attempt
      (update.key, update.manner) = (holder.key, .cascaded)
      // Clearing a reference releases keys at most, so nothing can refuse it.
      _ = try move(update, type, fields, over: holder)
      _ = apply(update, .update, fields, over: holder)
    }
    // Those that point here go first; among themselves they may be hidden in any order.
    for dependant in plan.deleted.dropFirst().reversed() where state.referenceBytes <= referenceBytesMax {
      var cascade = attempt
      (cascade.key, cascade.manner) = (dependant.key, .cascaded)
      try release(dependant, schema)
      _ = hide(cascade, dependant)
    }
    guard state.referenceBytes <= referenceBytesMax else {
      state.takeBack(to: mark)
      return tooMuch
    }
    try release(entity, schema)
    let deleted = hide(attempt, entity)
    state.join(since: before)
    state.forget(mark)
    return .applied(deleted, .applied)
  }

  private mutating func hide(_ attempt: Attempt, _ entity: Entity) -> Entity {
    apply(attempt, .delete, entity.fields, over: entity)
  }

  /// Gives up the keys and references of an entity that is hidden.
  private mutating func release(_ entity: Entity, _ schema: CompiledSchema) throws {
    guard let type = schema[entity.key.type] else { return }
    for key in try heldKeys(type, entity.fields) { state.setHolder(of: key, from: entity.key.id, to: nil) }
    for reference in try heldReferences(type, entity.fields, entity.key) {
      state.setReference(reference, isThere: false)
    }
  }

  /// Follows references against their direction; `nil` when too many entities would change.
  private mutating func plan(deleteOf entity: Entity, _ schema: CompiledSchema, bytesMax: Int) throws -> DeletePlan? {
    var plan = DeletePlan(deleted: [entity])
    var seen: Set<EntityKey> = [entity.key]
    var next = 0
    while next < plan.deleted.count {
      let target = plan.deleted[next].key
      next += 1
      guard let rules = schema.referrers(to: target.type) else { continue }
      let found = try state.referrers(of: target, limit: Limits.dependantsMax + 1)
      for reference in found where reference.source != target {
        guard let rule = rules[reference.source.type]?[reference.field] else { continue }
        switch rule {
        case .restrict: plan.restricting.append(reference)
        case .setNull: plan.cleared.append(reference)
        case .cascade:
          guard seen.insert(reference.source).inserted else { continue }
          guard let source = try state.entity(reference.source), source.life == .alive else { continue }
          plan.deleted.append(source)
          guard state.bytes <= bytesMax else { return nil }
        }
      }
      guard plan.deleted.count + plan.cleared.count <= Limits.dependantsMax,
        plan.restricting.count <= 2 * Limits.dependantsMax, state.bytes <= bytesMax
      else { return nil }
    }
    return plan
  }
}

extension CompiledType {
  /// The violation of a write that needs a key somebody else holds.
  fileprivate func violation(ofHeld key: HeldKey, _ entity: EntityKey) -> Violation {
    let fields = type.uniqueKeys.first { $0.name == key.key }?.fields ?? []
    let names = fields.map(\.text).joined(separator: ", ")
    return Violation(
      field: fields.first, rule: "unique",
      message: "Another \(entity.type) has the same \(names); the key '\(key.key)' is unique.")
  }
}

extension Violation {
  fileprivate static func missing(_ reference: HeldReference) -> Violation {
    Violation(
      field: reference.field, rule: "reference",
      message: "There is no \(reference.target.type) '\(reference.target.id)' to point to.")
  }

  fileprivate static func pointedAt(_ key: EntityKey, _ by: [HeldReference]) -> Violation {
    let first = by.first.map { "\($0.source.type) '\($0.source.id)'" } ?? "another entity"
    let more = by.count > 1 ? " and \(by.count - 1) more" : ""
    return Violation(rule: "referenced", message: "The \(key.type) '\(key.id)' is needed by \(first)\(more).")
  }

  fileprivate static func tooManyDependants() -> Violation {
    Violation(
      rule: "dependants_max",
      message:
        "More than \(Limits.dependantsMax) entities depend on this one, or they are too large or hold too many references together. "
        + "Delete them in parts first.")
  }
}

extension Fields {
  /// The fields without some references: null in place of an id, and lists without its element.
  fileprivate func clearing(_ references: [HeldReference]) -> Fields {
    var result = self
    for (field, references) in Dictionary(grouping: references, by: \.field) {
      if case .list(let elements) = result[field] {
        let gone = Set(references.map(\.target.id))
        result.set(field, .list(elements.filter { !(CompiledField.id($0).map { gone.contains($0) } ?? false) }))
      } else {
        result.set(field, .null)
      }
    }
    return result
  }
}
