internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTesting

/// What holds in every committed state of a space, whatever was asked for.
struct Invariants {
  let snapshot: any StoreSnapshot
  let record: SpaceRecord
  let rules: BulkRules

  /// Looks at everything.
  ///
  /// - Returns: the latest state of every entity.
  func check() throws -> [EntityKey: BulkModel.State] {
    let latest = try walkLog()
    var verifier = ChainVerifier(space: record.name)
    while !verifier.isDone { guard try verifier.step(snapshot, limit: 500) else { break } }
    if let fault = verifier.faults.first {
      throw Violation(.nothingIsDamaged, "\(fault.kind) at revision \(fault.revision) of the space \(record.name)")
    }
    try checkKeys(latest)
    try checkReferences(latest)
    return try latest.mapValues { try BulkModel.State($0) }
  }

  /// Goes through the log: revisions without gaps, versions by one, a write once.
  private func walkLog() throws -> [EntityKey: Entity] {
    var latest: [EntityKey: Entity] = [:]
    var done: Set<OperationID> = []
    var previous: Change?
    for row in try snapshot.logRows(after: .zero, in: record.id, limit: 100_000) {
      guard case .intact(let entry) = row else { throw Violation(.nothingIsDamaged, "revision \(row.revision) is damaged") }
      let (change, entity) = (entry.change, entry.change.entity)
      let revision = previous?.entity.revision ?? .zero
      guard entity.revision == revision.next else {
        throw Violation(.nothingIsDamaged, "revision \(entity.revision) comes after \(revision)")
      }
      let before = latest[entity.key]
      guard entity.version == before?.version.next ?? .first, change.previous == before?.revision ?? .zero else {
        throw Violation(
          .versionsStepByOne,
          "\(entity.key) has version \(entity.version) at revision \(entity.revision), after version \(before?.version.rawValue ?? 0)"
        )
      }
      if previous?.operation != change.operation {
        guard done.insert(change.operation).inserted else {
          throw Violation(.writesApplyOnce, "the write \(change.operation) is applied again at revision \(entity.revision)")
        }
      }
      latest[entity.key] = entity
      previous = change
    }
    return latest
  }

  private func checkKeys(_ latest: [EntityKey: Entity]) throws {
    let schema = CompiledSchema(rules.schema)
    var holders: [HeldKey: EntityID] = [:]
    var released: Set<HeldKey> = []
    for (key, entity) in latest {
      guard let type = schema[key.type] else { continue }
      for value in try type.uniqueKeys(of: entity.fields) {
        let held = HeldKey(type: key.type, key: type.type.uniqueKeys[value.index].name, value: value.bytes)
        guard entity.life == .alive else {
          released.insert(held)
          continue
        }
        if let other = holders.updateValue(key.id, forKey: held) {
          throw Violation(.keysAreHeldOnce, "\(key.id) and \(other) have the same \(held.key)")
        }
      }
    }
    let keys = Array(released.union(holders.keys))
    for (held, holder) in zip(keys, try snapshot.holders(of: keys, in: record.id)) where holder != holders[held] {
      throw Violation(
        .keysAreHeldOnce, "\(held.key) is held by \(holder?.text ?? "nobody") in place of \(holders[held]?.text ?? "nobody")")
    }
  }

  private func checkReferences(_ latest: [EntityKey: Entity]) throws {
    let schema = CompiledSchema(rules.schema)
    var pointing: [EntityKey: Set<HeldReference>] = [:]
    for (key, entity) in latest where entity.life == .alive {
      for reference in try schema[key.type]?.references(of: entity.fields) ?? [] {
        guard latest[reference.target]?.life == .alive else {
          throw Violation(.referencesResolve, "\(reference.field) of \(key) leads to \(reference.target), which is not alive")
        }
        pointing[reference.target, default: []].insert(
          HeldReference(source: key, field: reference.field, target: reference.target))
      }
    }
    for key in latest.keys {
      guard Set(try snapshot.referrers(of: key, in: record.id, limit: 100_000)) == pointing[key] ?? [] else {
        throw Violation(.referencesResolve, "what points to \(key) is not what is kept of it")
      }
    }
  }
}
