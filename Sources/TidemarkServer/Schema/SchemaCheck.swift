internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// Walks the alive entities of a space and finds those that break the rules of a new schema.
///
/// On readers' threads it goes in pages, each from a state of its own, and then through what was changed since the first page, so that writers are not
/// held up. Within the transaction that applies the schema only the changes after that are left, and the entities of types of which
/// keys or references are to be made anew.
struct SchemaCheck: Sendable {
  private let plan: SchemaPlan
  /// What was found so far.
  private(set) var offenders: [ApplySchemaResponse.Offender] = []
  private(set) var checked: UInt64 = 0
  private(set) var offending: UInt64 = 0
  private var isWalked = false
  /// The changes up to here were looked at, once all pages were; `nil` before the first page.
  private(set) var seen: Revision?
  private var isUpToDate = false
  /// The types that are left; `nil` before they are known.
  private var typesLeft: [TypeName]?
  private var type: TypeName?
  private var after: EntityID?

  /// The offenders that are told, and the violations of each.
  static let offendersMax = 100
  static let violationsMax = 8
  private static let pageEntitiesMax = 256
  private static let pageBytesMax = 1 << 20
  private static let rowsPerRead = 8
  private static let rowsPerStep = 256
  /// The most changes that are looked at within the transaction that applies the schema.
  static let rowsPerCommitMax: UInt64 = 4_096

  init(_ plan: SchemaPlan) { self.init(plan, types: plan.types) }

  private init(_ plan: SchemaPlan, types: Set<TypeName>?) {
    self.plan = plan
    typesLeft = types.map { $0.sorted().reversed() }
  }

  /// Whether readers have no more to do: something wrong was found, or everything was looked at up to the latest state they know.
  var isDone: Bool { isWalked && (!isClean || isUpToDate || plan.validatesOnly) }

  /// Whether the walk found nothing wrong.
  var isClean: Bool { offending == 0 }

  /// The answer with what was found.
  func answer(isApplied: Bool, version: UInt64, message: String) -> ApplySchemaResponse {
    ApplySchemaResponse(
      isApplied: isApplied, version: version, changes: plan.changes, offenders: offenders, checkedEntities: checked,
      offendingEntities: offending, message: message)
  }

  /// Looks at one page, or at some of what was changed since the first.
  mutating func step(_ snapshot: any StoreSnapshot, _ record: SpaceRecord) throws {
    if seen == nil { seen = record.revision }
    guard !isWalked else { return try follow(snapshot, record, rowsMax: SchemaCheck.rowsPerStep) }
    guard let page = try nextPage(snapshot, record.id) else { return isWalked = true }
    var found: [EntityKey: [Violation]] = [:]
    for entity in page { found[entity.key] = try plan.violations(of: entity) }
    _ = try references(of: page, &found, snapshot, record.id)
    checked += UInt64(page.count)
    for entity in page { note(entity, found[entity.key] ?? []) }
  }

  /// Looks at what entities have become that were changed after `seen`.
  mutating func follow(_ snapshot: any StoreSnapshot, _ record: SpaceRecord, rowsMax: Int = .max) throws {
    var left = rowsMax
    while left > 0, let position = seen, position < record.revision {
      let rows = try snapshot.logRows(after: position, in: record.id, limit: min(left, SchemaCheck.rowsPerRead))
      guard let last = rows.last?.revision, last > position else { throw StoreError(.corrupt, "the log does not advance") }
      var keys: Set<EntityKey> = []
      for row in rows {
        guard case .intact(let entry) = row else { throw StoreError(.corrupt, "a row of the log does not decode") }
        if plan.types?.contains(entry.change.entity.key.type) ?? true { keys.insert(entry.change.entity.key) }
      }
      for case let entity? in try snapshot.entities(keys.sorted(), in: record.id) where entity.life == .alive {
        note(entity, try plan.violations(of: entity))
      }
      seen = last
      left -= rows.count
    }
    isUpToDate = seen == record.revision
  }

  /// Whether so much was changed since `seen` that it is better looked at on readers' threads; then `isDone` is false again.
  mutating func isBehind(_ record: SpaceRecord) -> Bool {
    guard let seen, record.revision.rawValue &- seen.rawValue > SchemaCheck.rowsPerCommitMax else { return false }
    isUpToDate = false
    return true
  }

  /// Gives keys and references to the entities that hold them, within the transaction that applies the schema.
  mutating func rebuild(_ transaction: any StoreTransaction, _ space: SpaceID) throws {
    for gone in plan.goneKeys { try transaction.releaseAllKeys(of: gone.type, key: gone.key, in: space) }
    for gone in plan.goneReferences { try transaction.releaseAllReferences(of: gone.type, field: gone.field, in: space) }
    var walk = SchemaCheck(plan, types: plan.rebuilds)
    while let page = try walk.nextPage(transaction, space) {
      var found: [EntityKey: [Violation]] = [:]
      try takeKeys(of: page, &found, transaction, space)
      let references = try references(of: page, &found, transaction, space)
      try transaction.moveReferences(released: [], taken: references, in: space)
      for entity in page { note(entity, found[entity.key] ?? []) }
    }
  }

  // MARK: Walking

  private mutating func note(_ entity: Entity, _ violations: [Violation]) {
    guard !violations.isEmpty else { return }
    offending += 1
    guard offenders.count < SchemaCheck.offendersMax else { return }
    offenders.append(
      .init(key: entity.key, version: entity.version, violations: Array(violations.prefix(SchemaCheck.violationsMax))))
  }

  /// The next entities; `nil` at the end.
  private mutating func nextPage(_ snapshot: any StoreSnapshot, _ space: SpaceID) throws -> [Entity]? {
    while true {
      if type == nil { type = try nextType(snapshot, space) }
      guard let type else { return nil }
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

  /// The new references of some entities whose targets are there; the others break a rule.
  private func references(
    of page: [Entity], _ found: inout [EntityKey: [Violation]], _ snapshot: any StoreSnapshot, _ space: SpaceID
  ) throws -> [HeldReference] {
    var wanted: [HeldReference] = []
    for entity in page {
      guard let fields = plan.newReferences[entity.key.type], let type = plan.schema[entity.key.type] else { continue }
      for reference in try type.references(of: entity.fields) where fields.contains(reference.field) {
        wanted.append(HeldReference(source: entity.key, field: reference.field, target: reference.target))
      }
    }
    var taken: [HeldReference] = []
    for (reference, target) in zip(wanted, try snapshot.areAlive(wanted.map(\.target), in: space)) {
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
    return taken
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
