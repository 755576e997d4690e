/// What the judge knows of a space while it judges: the state before the first item, as far as it was looked up, and what the items changed.
///
/// Changes can be taken back to a mark: a group that fails, or a bulk that only asks.
struct JudgeState {
  /// Names a receipt within a space.
  struct ReceiptKey: Hashable {
    var principal: PrincipalName
    var operation: OperationID
  }

  /// What is there to be taken back.
  struct Mark {
    fileprivate var undo: Int
    fileprivate var changes: Int
    fileprivate var receipts: Int
    fileprivate(set) var revision: Revision
  }

  private enum Undo {
    case entity(EntityKey, Entity?)
    case receipt(ReceiptKey)
    case holder(HeldKey, EntityID?)
    case reference(HeldReference, Bool)
  }

  private let source: any JudgeSource
  /// The latest revision, the changes so far included.
  private(set) var revision: Revision
  private var entities: [EntityKey: Entity?]
  private var receipts: [ReceiptKey: Receipt] = [:]
  /// Who holds a key, and who held it before the first item.
  private var holders: [HeldKey: (before: EntityID?, now: EntityID?)] = [:]
  /// Whether a reference is there, and whether it was before the first item.
  private var references: [HeldReference: (before: Bool, now: Bool)] = [:]
  /// In order of their revisions.
  private(set) var changes: [Change] = []
  private(set) var newReceipts: [(principal: PrincipalName, receipt: Receipt)] = []
  /// The bytes of the fields that were looked up or made.
  private(set) var bytes = 0
  private var undo: [Undo] = []
  private var marks = 0

  init(revision: Revision, entities: [EntityKey: Entity?], source: any JudgeSource) {
    self.revision = revision
    self.entities = entities
    self.source = source
  }

  // MARK: Entities and receipts

  mutating func entity(_ key: EntityKey) throws -> Entity? {
    if let known = entities[key] { return known }
    let found = try source.entity(key)
    entities[key] = .some(found)
    bytes += found?.fields.bytes.count ?? 0
    return found
  }

  /// As `JudgeSource.history(of:downTo:limit:)`, the changes of the items so far included.
  func history(of entity: Entity, downTo version: EntityVersion, limit: Int) throws -> [Change] {
    let mine = changes.reversed().filter { $0.entity.key == entity.key && $0.entity.version >= version }
    guard let first = mine.last else { return try source.history(of: entity, downTo: version, limit: limit) }
    guard first.entity.version > version, first.previous != .zero else { return mine }
    var stored = first.entity
    stored.version = EntityVersion(rawValue: stored.version.rawValue &- 1)
    stored.revision = first.previous
    return mine + (try source.history(of: stored, downTo: version, limit: limit))
  }

  /// Adds a change at the next revision.
  mutating func apply(_ change: Change) {
    let key = change.entity.key
    if marks > 0 { undo.append(.entity(key, entities[key] ?? nil)) }
    revision = change.entity.revision
    entities[key] = .some(change.entity)
    bytes += change.entity.fields.bytes.count
    changes.append(change)
  }

  func receipt(_ key: ReceiptKey) -> Receipt? { receipts[key] }

  /// Gives a receipt that is stored.
  mutating func add(_ receipt: Receipt, of principal: PrincipalName) {
    receipts[ReceiptKey(principal: principal, operation: receipt.operation)] = receipt
  }

  /// Keeps a receipt of now.
  mutating func keep(_ receipt: Receipt, _ key: ReceiptKey) {
    if marks > 0 { undo.append(.receipt(key)) }
    receipts[key] = receipt
    newReceipts.append((key.principal, receipt))
  }

  // MARK: Unique keys

  mutating func holder(of key: HeldKey) throws -> EntityID? {
    if let known = holders[key] { return known.now }
    let found = try source.holder(of: key)
    holders[key] = (found, found)
    return found
  }

  /// Gives a key to an entity, or to nobody. `before` is who holds it now.
  mutating func setHolder(of key: HeldKey, from before: EntityID?, to now: EntityID?) {
    let known = holders[key] ?? (before, before)
    if marks > 0 { undo.append(.holder(key, known.now)) }
    holders[key] = (known.before, now)
  }

  /// What the keys of the space have to become.
  var keyMoves: (released: [HeldKey], taken: [(HeldKey, EntityID)]) {
    var released: [HeldKey] = []
    var taken: [(HeldKey, EntityID)] = []
    for (key, holder) in holders where holder.before != holder.now {
      if holder.before != nil { released.append(key) }
      if let now = holder.now { taken.append((key, now)) }
    }
    return (released, taken)
  }

  // MARK: References

  /// The alive entities that point to one, at most `limit`.
  func referrers(of target: EntityKey, limit: Int) throws -> [HeldReference] {
    let gone = references.filter { $0.key.target == target && $0.value.before && !$0.value.now }
    let stored = try source.referrers(of: target, limit: limit + gone.count).filter { references[$0]?.now ?? true }
    let known = Set(stored)
    let added = references.filter { $0.key.target == target && $0.value.now && !known.contains($0.key) }.map(\.key)
    return Array((stored + added.sorted { ($0.source, $0.field) < ($1.source, $1.field) }).prefix(limit))
  }

  mutating func setReference(_ reference: HeldReference, isThere: Bool) {
    let known = references[reference] ?? (!isThere, !isThere)
    if marks > 0 { undo.append(.reference(reference, known.now)) }
    references[reference] = (known.before, isThere)
  }

  /// What the references of the space have to become.
  var referenceMoves: (released: [HeldReference], taken: [HeldReference]) {
    var released: [HeldReference] = []
    var taken: [HeldReference] = []
    for (reference, state) in references where state.before != state.now {
      if state.now { taken.append(reference) } else { released.append(reference) }
    }
    return (released, taken)
  }

  // MARK: Taking back

  /// Begins something that may be taken back. Ends with `forget` or `takeBack`, the latest mark first.
  mutating func mark() -> Mark {
    marks += 1
    return Mark(undo: undo.count, changes: changes.count, receipts: newReceipts.count, revision: revision)
  }

  /// Keeps what was done since.
  mutating func forget(_ mark: Mark) {
    marks -= 1
    if marks == 0 { undo.removeAll(keepingCapacity: true) }
  }

  /// Takes back what was done since.
  mutating func takeBack(to mark: Mark) {
    marks -= 1
    while undo.count > mark.undo, let step = undo.popLast() {
      switch step {
      case .entity(let key, let entity): entities[key] = .some(entity)
      case .receipt(let key): receipts[key] = nil
      case .holder(let key, let holder): holders[key]?.now = holder
      case .reference(let reference, let isThere): references[reference]?.now = isThere
      }
    }
    changes.removeSubrange(mark.changes...)
    newReceipts.removeSubrange(mark.receipts...)
    revision = mark.revision
  }
}
