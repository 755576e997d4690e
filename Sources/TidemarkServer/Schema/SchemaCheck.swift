internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// Walks the alive entities of a space and finds those that break the rules of a new schema.
///
/// Goes in pages, each from whatever state it is given: on readers' threads to find offenders without holding up writers, and once more within the
/// transaction that applies the schema, where it also makes keys and references anew.
struct SchemaCheck: Sendable {
  private let plan: SchemaPlan
  /// What was found so far.
  private(set) var offenders: [ApplySchemaResponse.Offender] = []
  private(set) var checked: UInt64 = 0
  private(set) var offending: UInt64 = 0
  private(set) var isDone = false
  /// The types that are left; `nil` before they are known.
  private var typesLeft: [TypeName]?
  private var type: TypeName?
  private var after: EntityID?

  /// The offenders that are told, and the violations of each.
  static let offendersMax = 100
  static let violationsMax = 8
  private static let pageEntitiesMax = 256
  private static let pageBytesMax = 1 << 20

  init(_ plan: SchemaPlan) {
    self.plan = plan
    typesLeft = plan.types.map { $0.reversed() }
  }

  /// Whether the walk found nothing wrong.
  var isClean: Bool { offending == 0 }

  /// The answer with what was found.
  func answer(isApplied: Bool, version: UInt64, message: String) -> ApplySchemaResponse {
    ApplySchemaResponse(
      isApplied: isApplied, version: version, changes: plan.changes, offenders: offenders, checkedEntities: checked,
      offendingEntities: offending, message: message)
  }

  /// Looks at one page.
  mutating func step(_ snapshot: any StoreSnapshot, _ space: SpaceID) throws {
    guard let page = try nextPage(snapshot, space) else { return }
    for entity in page { note(entity, try plan.violations(of: entity)) }
  }

  /// Looks at everything, within the transaction that applies the schema, and gives keys and references to the entities that hold them.
  mutating func rebuild(_ transaction: any StoreTransaction, _ space: SpaceID) throws {
    for gone in plan.goneKeys { try transaction.releaseAllKeys(of: gone.type, key: gone.key, in: space) }
    for gone in plan.goneReferences { try transaction.releaseAllReferences(of: gone.type, field: gone.field, in: space) }
    while let page = try nextPage(transaction, space) {
      var found: [EntityKey: [Violation]] = [:]
      for entity in page { found[entity.key] = try plan.violations(of: entity) }
      try takeKeys(of: page, &found, transaction, space)
      try takeReferences(of: page, &found, transaction, space)
      for entity in page { note(entity, found[entity.key] ?? []) }
    }
  }

  // MARK: Walking

  private mutating func note(_ entity: Entity, _ violations: [Violation]) {
    checked += 1
    guard !violations.isEmpty else { return }
    offending += 1
    guard offenders.count < SchemaCheck.offendersMax else { return }
    offenders.append(
      .init(key: entity.key, version: entity.version, violations: Array(violations.prefix(SchemaCheck.violationsMax))))
  }

  /// The next entities; `nil` at the end.
  private mutating func nextPage(_ snapshot: any StoreSnapshot, _ space: SpaceID) throws -> [Entity]? {
    while !isDone {
      if type == nil { type = try nextType(snapshot, space) }
      guard let type else {
        isDone = true
        return nil
      }
      let page = try snapshot.entities(
        of: type, in: space, after: after, deleted: .exclude, limit: SchemaCheck.pageEntitiesMax,
        bytesMax: SchemaCheck.pageBytesMax)
      if let last = page.last {
        // A damaged index must not make the walk endless.
        guard after.map({ $0 < last.key.id }) ?? true else { throw StoreError(.corrupt, "a listing does not advance") }
        after = last.key.id
        return page
      }
      (self.type, after) = (nil, nil)
    }
    return nil
  }

  private mutating func nextType(_ snapshot: any StoreSnapshot, _ space: SpaceID) throws -> TypeName? {
    if typesLeft == nil {
      var all: [TypeName] = []
      // No id sorts after this one, so the next head is of the next type.
      let lastID = EntityID(String(repeating: "\u{10FFFF}", count: Limits.entityIDBytesMax / 4))
      var key: EntityKey?
      while let head = try snapshot.heads(after: key, in: space, limit: 1).first {
        guard all.last.map({ $0 < head.key.type }) ?? true else { throw StoreError(.corrupt, "the heads do not advance") }
        all.append(head.key.type)
        guard let lastID else { break }
        key = EntityKey(type: head.key.type, id: lastID)
      }
      typesLeft = all.reversed()
    }
    return typesLeft?.popLast()
  }

  // MARK: Keys and references

  private func takeKeys(
    of page: [Entity], _ found: inout [EntityKey: [Violation]], _ transaction: any StoreTransaction, _ space: SpaceID
  ) throws {
    var wanted: [(HeldKey, Entity)] = []
    for entity in page {
      guard let names = plan.newKeys[entity.key.type], let type = plan.schema[entity.key.type] else { continue }
      for value in try type.uniqueKeys(of: entity.fields) {
        guard let name = names[value.index] else { continue }
        wanted.append((HeldKey(type: entity.key.type, key: name, value: value.bytes), entity))
      }
    }
    guard !wanted.isEmpty else { return }
    var holders: [HeldKey: EntityID] = [:]
    for (key, holder) in zip(wanted.map(\.0), try transaction.holders(of: wanted.map(\.0), in: space)) {
      if let holder { holders[key] = holder }
    }
    var taken: [(HeldKey, EntityID)] = []
    for (key, entity) in wanted {
      if let holder = holders[key] {
        found[entity.key, default: []].append(
          Violation(
            field: key.key, rule: "unique", message: "The key '\(key.key)' is the same as that of the \(key.type) '\(holder)'."))
      } else {
        holders[key] = entity.key.id
        taken.append((key, entity.key.id))
      }
    }
    try transaction.moveKeys(released: [], taken: taken, in: space)
  }

  private func takeReferences(
    of page: [Entity], _ found: inout [EntityKey: [Violation]], _ transaction: any StoreTransaction, _ space: SpaceID
  ) throws {
    var wanted: [HeldReference] = []
    for entity in page {
      guard let fields = plan.newReferences[entity.key.type], let type = plan.schema[entity.key.type] else { continue }
      for reference in try type.references(of: entity.fields) where fields.contains(reference.field) {
        wanted.append(HeldReference(source: entity.key, field: reference.field, target: reference.target))
      }
    }
    guard !wanted.isEmpty else { return }
    var taken: [HeldReference] = []
    for (reference, target) in zip(wanted, try transaction.areAlive(wanted.map(\.target), in: space)) {
      if target {
        taken.append(reference)
      } else {
        found[reference.source, default: []].append(
          Violation(
            field: reference.field, rule: "reference",
            message:
              "The field '\(reference.field)' points to the \(reference.target.type) '\(reference.target.id)', which is not there."
          ))
      }
    }
    try transaction.moveReferences(released: [], taken: taken, in: space)
  }
}

extension StoreSnapshot {
  /// Whether entities are alive. Few are read at a time: they may be large.
  fileprivate func areAlive(_ keys: [EntityKey], in space: SpaceID) throws -> [Bool] {
    var alive: [Bool] = []
    alive.reserveCapacity(keys.count)
    for start in stride(from: 0, to: keys.count, by: 16) {
      let some = Array(keys[start..<min(start + 16, keys.count)])
      alive += try entities(some, in: space).map { $0?.life == .alive }
    }
    return alive
  }
}
