/// What the judge knows of a space while it judges: the state before the first item, as far as it was looked up, and what the items changed.
///
/// Changes can be taken back to a mark: a group that fails, or a bulk that only asks.
struct JudgeState {
  /// Names a receipt within a space.
  struct ReceiptKey: Hashable {
    var principal: PrincipalName
    var operation: OperationID

    /// The operation tells nearly all apart: at most as many are equal as principals write at once.
    func hash(into hasher: inout Hasher) { hasher.combine(operation) }
  }

  /// An entity that was looked at.
  private struct Known {
    let key: EntityKey
    var entity: Entity?
  }

  /// What is there to be taken back.
  struct Mark {
    fileprivate var undo: Int
    fileprivate var changes: Int
    fileprivate var receipts: Int
    fileprivate(set) var revision: Revision
  }

  private enum Undo {
    case entity(Int, Entity?)
    case receipt(Int)
    case holder(HeldKey, EntityID?)
    case reference(HeldReference, Bool)
  }

  private let source: any JudgeSource
  /// The latest revision, the changes so far included.
  private(set) var revision: Revision
  /// What was given before the first item. What `known` says goes before.
  private let given: [EntityKey: Entity?]
  private var known: [Known] = []
  /// Where in `known` an entity is: each is looked at several times, and searched for once.
  private var places: [EntityKey: Int] = [:]
  private var latestPlace = 0
  private var receipts: [Receipt?] = []
  /// Where in `receipts` the one of an operation is, or will be.
  private var receiptPlaces: [ReceiptKey: Int] = [:]
  /// Who holds a key, and who held it before the first item.
  private var holders: [HeldKey: (before: EntityID?, now: EntityID?)] = [:]
  /// By target: whether a reference is there, and whether it was before the first item.
  private var references: [EntityKey: [HeldReference: (before: Bool, now: Bool)]] = [:]
  /// In order of their revisions.
  private(set) var changes: [Change] = []
  private(set) var newReceipts: [(principal: PrincipalName, receipt: Receipt)] = []
  /// Whether an entity that was only pointed to is alive. What `known` says of it goes before.
  private var lives: [EntityKey: Bool] = [:]
  /// What the items have cost so far: the bytes of the fields that were looked up or made, `bytesPerEntity` for each time, and
  /// `bytesPerReference` for each reference that was looked at or moved. It bounds memory and time.
  private(set) var bytes = 0
  /// The part of `bytes` that is about references.
  private(set) var referenceBytes = 0
  private var undo: [Undo] = []
  private var marks = 0

  /// What an entity takes beside its fields, about.
  private static let bytesPerEntity = 512
  /// A reference costs what an entity does: it is looked up, kept, and stored or removed by itself.
  private static let bytesPerReference = 512
  /// Whether an entity is there costs less, and so does a reference that is only looked through.
  private static let bytesPerLife = 128
  private static let changesPerRead = 8

  /// - Parameter itemCount: how many items will be judged, about.
  init(revision: Revision, entities: [EntityKey: Entity?], itemCount: Int, source: any JudgeSource) {
    self.revision = revision
    given = entities
    self.source = source
    known.reserveCapacity(itemCount)
    places.reserveCapacity(itemCount)
    receipts.reserveCapacity(itemCount)
    receiptPlaces.reserveCapacity(itemCount)
    changes.reserveCapacity(itemCount)
    newReceipts.reserveCapacity(itemCount)
  }

  // MARK: Entities and receipts

  mutating func entity(_ key: EntityKey) throws -> Entity? {
    if let place = place(of: key) { return known[place].entity }
    let found: Entity?
    if let entity = given.isEmpty ? nil : given[key] {
      found = entity
    } else {
      found = try source.entity(key)
      bytes += (found?.fields.bytes.count ?? 0) + JudgeState.bytesPerEntity
    }
    add(key, found)
    return found
  }

  /// Where an entity that was looked at is kept.
  private mutating func place(of key: EntityKey) -> Int? {
    // What is changed was mostly looked at just before.
    if latestPlace < known.count, known[latestPlace].key == key { return latestPlace }
    guard let place = places[key] else { return nil }
    latestPlace = place
    return place
  }

  private mutating func add(_ key: EntityKey, _ entity: Entity?) {
    latestPlace = known.count
    places[key] = latestPlace
    known.append(Known(key: key, entity: entity))
  }

  /// Whether an entity is alive. Its fields are not kept: many entities may be pointed to.
  mutating func isAlive(_ key: EntityKey) throws -> Bool {
    if let place = place(of: key) { return known[place].entity?.life == .alive }
    if let entity = given[key] { return entity?.life == .alive }
    if let isAlive = lives[key] { return isAlive }
    let isAlive = try source.entity(key)?.life == .alive
    lives[key] = isAlive
    bytes += JudgeState.bytesPerLife
    return isAlive
  }

  /// Which entity the change at a revision is of, the changes of the items so far included.
  func key(at revision: Revision) throws -> EntityKey? {
    guard let first = changes.first?.entity.revision, first <= revision else { return try source.key(at: revision) }
    return made(at: revision)?.entity.key
  }

  /// As `JudgeSource.history(of:downTo:limit:)`, the changes of the items so far included. Ends early, too, when it gets too large.
  mutating func history(of entity: Entity, downTo version: EntityVersion, limit: Int) throws -> [Change] {
    var found: [Change] = []
    var next = entity
    let bytesMax = bytes + Limits.historyBytesPerConflictMax
    while found.count < limit, bytes < bytesMax, let change = made(at: next.revision) {
      found.append(change)
      bytes += change.entity.fields.bytes.count + JudgeState.bytesPerEntity
      guard change.entity.version > version, change.previous != .zero else { return found }
      next = JudgeState.before(change)
    }
    return try found + stored(of: next, downTo: version, limit: limit - found.count, bytesMax: bytesMax)
  }

  /// The change of the items so far at a revision; `nil` when it is none of theirs.
  private func made(at revision: Revision) -> Change? {
    guard let first = changes.first?.entity.revision, first <= revision else { return nil }
    let index = revision.rawValue &- first.rawValue
    return index < UInt64(changes.count) ? changes[Int(index)] : nil
  }

  /// Reads a few changes at a time, so that those of a large entity are not all looked through.
  private mutating func stored(
    of entity: Entity, downTo version: EntityVersion, limit: Int, bytesMax: Int
  ) throws -> [Change] {
    var found: [Change] = []
    var next = entity
    while found.count < limit, bytes < bytesMax {
      let more = try source.history(of: next, downTo: version, limit: min(JudgeState.changesPerRead, limit - found.count))
      guard let last = more.last else { break }
      found += more
      bytes += more.reduce(0) { $0 + $1.entity.fields.bytes.count + JudgeState.bytesPerEntity }
      guard last.entity.version > version, last.previous != .zero else { break }
      next = JudgeState.before(last)
    }
    return found
  }

  /// The version before a change, as far as it takes to find it.
  private static func before(_ change: Change) -> Entity {
    var entity = change.entity
    entity.version = EntityVersion(rawValue: entity.version.rawValue &- 1)
    entity.revision = change.previous
    return entity
  }

  /// Adds a change at the next revision.
  mutating func apply(_ change: Change) {
    if let place = place(of: change.entity.key) {
      if marks > 0 { undo.append(.entity(place, known[place].entity)) }
      known[place].entity = change.entity
    } else {
      add(change.entity.key, change.entity)
      if marks > 0 { undo.append(.entity(latestPlace, nil)) }
    }
    revision = change.entity.revision
    bytes += change.entity.fields.bytes.count + JudgeState.bytesPerEntity
    changes.append(change)
  }

  func receipt(_ key: ReceiptKey) -> Receipt? { receiptPlaces[key].flatMap { receipts[$0] } }

  /// Where the receipt of an operation is, or will be: for `receipt(at:)` and `keep`.
  mutating func receiptPlace(_ key: ReceiptKey) -> Int {
    let place = receiptPlaces[key, default: receipts.count].keptInPlace()
    if place == receipts.count { receipts.append(nil) }
    return place
  }

  func receipt(at place: Int) -> Receipt? { receipts[place] }

  /// Gives a receipt that is stored.
  mutating func add(_ receipt: Receipt, of principal: PrincipalName) {
    let place = receiptPlace(ReceiptKey(principal: principal, operation: receipt.operation))
    receipts[place] = receipt
  }

  /// Keeps a receipt of now.
  mutating func keep(_ receipt: Receipt, of principal: PrincipalName, at place: Int) {
    if marks > 0 { undo.append(.receipt(place)) }
    receipts[place] = receipt
    newReceipts.append((principal, receipt))
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
  mutating func referrers(of target: EntityKey, limit: Int) throws -> [HeldReference] {
    let found = try referrersNow(of: target, limit: limit)
    charge(references: found.count, JudgeState.bytesPerReference)
    return found
  }

  private func referrersNow(of target: EntityKey, limit: Int) throws -> [HeldReference] {
    guard let moved = references[target] else { return try source.referrers(of: target, limit: limit) }
    let gone = moved.filter { $0.value.before && !$0.value.now }
    let stored = try source.referrers(of: target, limit: limit + gone.count).filter { moved[$0]?.now ?? true }
    let known = Set(stored)
    let added = moved.filter { $0.value.now && !known.contains($0.key) }.map(\.key)
    guard !added.isEmpty else { return Array(stored.prefix(limit)) }
    return Array((stored + added).sorted { ($0.source, $0.field) < ($1.source, $1.field) }.prefix(limit))
  }

  /// Counts references of an entity that are read from its fields.
  mutating func charge(references: Int) { charge(references: references, JudgeState.bytesPerLife) }

  private mutating func charge(references: Int, _ each: Int) {
    bytes += references * each
    referenceBytes += references * each
  }

  mutating func setReference(_ reference: HeldReference, isThere: Bool) {
    let known = references[reference.target]?[reference] ?? (!isThere, !isThere)
    charge(references: 1, JudgeState.bytesPerReference)
    if marks > 0 { undo.append(.reference(reference, known.now)) }
    references[reference.target, default: [:]][reference] = (known.before, isThere)
  }

  /// What the references of the space have to become.
  var referenceMoves: (released: [HeldReference], taken: [HeldReference]) {
    var released: [HeldReference] = []
    var taken: [HeldReference] = []
    for moved in references.values {
      for (reference, state) in moved where state.before != state.now {
        if state.now { taken.append(reference) } else { released.append(reference) }
      }
    }
    return (released, taken)
  }

  // MARK: Taking back

  /// Begins something that may be taken back. Ends with `forget` or `takeBack`, the latest mark first.
  mutating func mark() -> Mark {
    marks += 1
    return Mark(undo: undo.count, changes: changes.count, receipts: newReceipts.count, revision: revision)
  }

  /// Makes the changes since some count of changes one whole: each but the last goes on with the next.
  mutating func join(since count: Int) {
    guard changes.count > count + 1 else { return }
    for index in count..<changes.count - 1 { changes[index].goesOn = true }
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
      case .entity(let place, let entity): known[place].entity = entity
      case .receipt(let place): receipts[place] = nil
      case .holder(let key, let holder): holders[key]?.now = holder
      case .reference(let reference, let isThere): references[reference.target]?[reference]?.now = isThere
      }
    }
    changes.removeSubrange(mark.changes...)
    newReceipts.removeSubrange(mark.receipts...)
    revision = mark.revision
  }
}

extension Int {
  /// The number itself. Mutating, so that a dictionary puts its default in place with the same search that finds it.
  fileprivate mutating func keptInPlace() -> Int { self }
}
