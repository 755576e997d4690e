internal import TidemarkCore
internal import TidemarkStore

/// A random history of transactions, run on several engines at once: whatever one answers, all must answer.
///
/// Every operation of the contract takes part, also failing bodies, operations that are refused, and opening the store again.
public struct RandomHistory {
  /// An answer on which the engines differ.
  public struct Disagreement: Error, CustomStringConvertible {
    public var seed: UInt64
    public var step: Int
    public var what: String
    public var description: String { "seed \(seed), step \(step): \(what)" }
  }

  private struct Refusal: Error {}

  private let stores: [StoreUnderTest]
  private var random: SeededGenerator
  private var scripts: [SpaceScript] = []
  private var tokenIDs: [String] = []
  private var step = 0
  /// How many changes were committed.
  public private(set) var changeCount = 0
  private var receiptCount: UInt64 = 0
  private let types: [TypeName]
  private let ids: [EntityID]
  private let principals: [PrincipalName]
  private let paths: [FieldPath]

  public init(seed: UInt64, stores: [StoreUnderTest]) throws {
    self.stores = stores
    random = SeededGenerator(seed: seed)
    types = try ["b", "A", "_", "a1"].map { try .sample($0) }
    ids = try Conformance.awkwardIDs.map { try .sample($0) }
    principals = try ["p", "é", "e\u{301}"].map { try .sample($0) }
    paths = try ["b", "a.b", "_", "B"].map { try .sample($0) }
  }

  /// Runs a number of steps.
  ///
  /// - Throws: `Disagreement`.
  public mutating func run(steps: Int) throws {
    for _ in 0..<steps {
      step += 1
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<6: try makeSpace()
      case 6..<8: try deleteSpace()
      case 8..<60: try extend(failing: false)
      case 60..<68: try extend(failing: true)
      case 68..<76: try insertReceipts()
      case 76..<79: try changeTokens()
      case 79..<80: try insertSchema()
      case 80..<82: for store in stores { store.close() }
      case 82..<84: for store in stores { try store.idle() }
      case 84..<88: try moveKeys()
      case 88..<92: try moveReferences()
      default: try readSomething()
      }
    }
    try readEverything()
  }

  // MARK: Changes

  private mutating func makeSpace() throws {
    let name = "s\(Int.random(in: 0..<6, using: &random))"
    let seed = UInt64(step)
    let record = try agree("making the space \(name)") { store in
      try store.write { try $0.makeSampleSpace(name, seed: seed) }
    }
    if case .success(let record) = record { scripts.append(SpaceScript(record)) }
  }

  private mutating func deleteSpace() throws {
    guard !scripts.isEmpty else { return }
    let id = scripts.remove(at: Int.random(in: 0..<scripts.count, using: &random)).record.id
    try agree("deleting space \(id.rawValue)") { store in try store.write { try $0.deleteSpace(id) } }
  }

  private mutating func extend(failing: Bool) throws {
    guard let index = scripts.indices.randomElement(using: &random) else { return }
    var script = scripts[index]
    var entries: [LogEntry] = []
    for _ in 0..<Int.random(in: 1...8, using: &random) { entries.append(try makeEntry(&script)) }
    let made = script
    // A batch that begins one entry late leaves a gap.
    let sent = failing && Bool.random(using: &random) ? Array(entries.dropFirst()) + [entries[0]] : entries
    let answer = try agree("appending \(entries.count) entries") { store in
      try store.write { transaction in
        try transaction.extend(made, sent)
        if failing { throw Refusal() }
      }
    }
    guard case .success = answer else { return }
    scripts[index] = script
    changeCount += entries.count
  }

  private mutating func makeEntry(_ script: inout SpaceScript) throws -> LogEntry {
    let key = makeKey()
    let life = script.entities[key]?.life
    let kinds: [ChangeKind] =
      switch life {
      case .alive: [.update, .update, .replace, .delete]
      case .deleted: [.restore, .purge, .create]
      case .purged, nil: [.create]
      }
    let kind = kinds.randomElement(using: &random) ?? .create
    let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    return script.make(
      kind, key, fields: CanonicalFields(unchecked: bytes), by: principals.randomElement(using: &random) ?? .sample,
      manner: Bool.random(using: &random) ? .plain : ChangeManner.allCases.randomElement(using: &random) ?? .plain,
      editedAt: Bool.random(using: &random) ? nil : Timestamp(rawValue: Int64.random(in: 0..<1_000, using: &random)),
      bits: random.next())
  }

  private mutating func insertReceipts() throws {
    guard let script = scripts.randomElement(using: &random) else { return }
    let principal = principals.randomElement(using: &random) ?? .sample
    var receipts: [Receipt] = []
    for _ in 0..<Int.random(in: 0..<5, using: &random) {
      // One in ten was there before.
      let isOld = Int.random(in: 0..<10, using: &random) == 0
      if !isOld { receiptCount += 1 }
      let number = isOld ? UInt64.random(in: 0...receiptCount, using: &random) : receiptCount
      receipts.append(.sample(number, code: OutcomeCode.allCases.randomElement(using: &random) ?? .applied))
    }
    let sent = receipts
    let fails = Int.random(in: 0..<4, using: &random) == 0
    let asked = sent.map(\.operation) + [.sample(UInt64.random(in: 0...receiptCount, using: &random))]
    try agree("keeping \(sent.count) receipts") { store in
      try store.write { transaction in
        let before = try transaction.receipts(asked, of: principal, in: script.record.id)
        try transaction.insertReceipts(sent, of: principal, in: script.record.id, at: script.record.changedAt)
        // Asked in any case: an engine may refuse what was kept only then.
        let after = try transaction.receipts(asked, of: principal, in: script.record.id)
        if fails { throw Refusal() }
        return before + after
      }
    }
  }

  private mutating func changeTokens() throws {
    let id = ["a", "b", "B", "é"].randomElement(using: &random) ?? "a"
    if Bool.random(using: &random) {
      var token = try TokenRecord.sample(id)
      token.roleEverywhere = Role.allCases.randomElement(using: &random)
      if Bool.random(using: &random) { token.roles = [.default: .reader] }
      let sent = token
      try agree("inserting the token \(id)") { store in try store.write { try $0.insertToken(sent) } }
    } else {
      try agree("deleting the token \(id)") { store in try store.write { try $0.deleteToken(id: id) } }
    }
  }

  private mutating func insertSchema() throws {
    guard let script = scripts.randomElement(using: &random) else { return }
    let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    let schema = SchemaRecord(
      version: UInt64.random(in: 1..<12, using: &random), content: bytes, appliedAt: script.record.changedAt,
      appliedBy: principals.randomElement(using: &random) ?? .sample)
    try agree("the schema \(schema.version)") { store in
      try store.write { try $0.insertSchema(schema, in: script.record.id) }
    }
  }

  /// Moves keys that can move; one time in ten also some that perhaps cannot, and one time in ten gives all of one name up.
  private mutating func moveKeys() throws {
    guard let script = scripts.randomElement(using: &random) else { return }
    let id = script.record.id
    let keys = (0..<8).map { _ in makeHeldKey() }.distinct
    let holder = ids.randomElement(using: &random) ?? ids[0]
    let (isRash, releasesAll) = (Int.random(in: 0..<10, using: &random) == 0, Int.random(in: 0..<10, using: &random) == 0)
    try agree("moving \(keys.count) keys") { store in
      try store.write { transaction in
        if releasesAll { try transaction.releaseAllKeys(of: keys[0].type, key: keys[0].key, in: id) }
        let held = try zip(keys, transaction.holders(of: keys, in: id)).filter { $0.1 != nil }.map(\.0)
        let taken = keys.prefix(5).filter { isRash || !held.contains($0) } + held.prefix(2)
        try transaction.moveKeys(released: held.filter { _ in !isRash }, taken: taken.map { ($0, holder) }, in: id)
        return try transaction.holders(of: keys, in: id)
      }
    }
  }

  private mutating func moveReferences() throws {
    guard let script = scripts.randomElement(using: &random) else { return }
    let id = script.record.id
    let target = makeKey()
    let made = (0..<6).map { _ in HeldReference(source: makeKey(), field: makePath(), target: target) }.distinct
    let (isRash, releasesAll) = (Int.random(in: 0..<10, using: &random) == 0, Int.random(in: 0..<10, using: &random) == 0)
    try agree("moving \(made.count) references") { store in
      try store.write { transaction in
        if releasesAll { try transaction.releaseAllReferences(of: made[0].source.type, field: made[0].field, in: id) }
        let held = try transaction.referrers(of: target, in: id, limit: .max)
        try transaction.moveReferences(
          released: Array(held.prefix(2)), taken: made.filter { isRash || !held.contains($0) }, in: id)
        return try transaction.referrers(of: target, in: id, limit: .max)
      }
    }
  }

  // MARK: Reads

  private mutating func makePath() -> FieldPath { paths[Int.random(in: 0..<paths.count, using: &random)] }

  private mutating func makeHeldKey() -> HeldKey {
    let value = (0..<Int.random(in: 0..<2, using: &random)).map { _ in UInt8.random(in: 0..<4, using: &random) }
    return HeldKey(type: types[Int.random(in: 0..<types.count, using: &random)], key: makePath(), value: value)
  }

  private mutating func makeKey() -> EntityKey {
    let type = types[Int.random(in: 0..<types.count, using: &random)]
    return EntityKey(type: type, id: ids[Int.random(in: 0..<ids.count, using: &random)])
  }

  private mutating func readSomething() throws {
    guard let script = scripts.randomElement(using: &random) else { return }
    let id = script.record.id
    let keys = (0..<6).map { _ in makeKey() }
    let limit = Int.random(in: 0..<12, using: &random)
    let bytesMax = Int.random(in: 0..<200, using: &random)
    let revision = Revision(rawValue: UInt64.random(in: 0...(script.record.revision.rawValue + 2), using: &random))
    let filter = [DeletedFilter.exclude, .include, .only].randomElement(using: &random) ?? .include
    let after = Bool.random(using: &random) ? keys[1].id : nil
    let operations = (0..<4).map { _ in OperationID.sample(UInt64.random(in: 0...(receiptCount + 1), using: &random)) }
    let principal = principals[0]
    try agree("entities") { try $0.read { try $0.entities(keys, in: id) } }
    try agree("a listing") { store in
      try store.read {
        try $0.entities(of: keys[0].type, in: id, after: after, deleted: filter, limit: limit, bytesMax: bytesMax)
      }
    }
    try agree("an entry") { try $0.read { try $0.logEntry(at: revision, in: id) } }
    try agree("rows") { try $0.read { try $0.logRows(after: revision, in: id, limit: limit) } }
    try agree("heads") { try $0.read { try $0.heads(after: keys[0], in: id, limit: limit) } }
    try agree("receipts") { try $0.read { try $0.receipts(operations, of: principal, in: id) } }
    try agree("a schema") { try $0.read { try $0.schema(version: UInt64(limit), in: id) } }
    let held = (0..<6).map { _ in makeHeldKey() }
    try agree("holders") { try $0.read { try $0.holders(of: held, in: id) } }
    try agree("referrers") { try $0.read { try $0.referrers(of: keys[0], in: id, limit: limit) } }
  }

  private func readEverything() throws {
    try agree("spaces") { try $0.read { try $0.spaces() } }
    try agree("tokens") { try $0.read { try $0.tokens() } }
    for script in scripts {
      let id = script.record.id
      try agree("the log of \(id.rawValue)") { try $0.read { try $0.logRows(after: .zero, in: id, limit: .max) } }
      try agree("the heads of \(id.rawValue)") { try $0.read { try $0.heads(after: nil, in: id, limit: .max) } }
    }
  }

  /// Asks every store, compares the answers or the codes of the errors, and returns the answer.
  @discardableResult
  private func agree<Answer: Equatable>(
    _ what: String, _ ask: (StoreUnderTest) throws -> Answer
  ) throws -> Result<Answer, StoreError> {
    try agree(what, isSame: ==, ask)
  }

  @discardableResult
  private func agree(_ what: String, _ ask: (StoreUnderTest) throws -> Void) throws -> Result<Void, StoreError> {
    try agree(what, isSame: { _, _ in true }, ask)
  }

  private func agree<Answer>(
    _ what: String, isSame: (Answer, Answer) -> Bool, _ ask: (StoreUnderTest) throws -> Answer
  ) throws -> Result<Answer, StoreError> {
    var first: Result<Answer, StoreError>?
    for store in stores {
      let answer: Result<Answer, StoreError>
      do { answer = .success(try ask(store)) } catch let error as StoreError { answer = .failure(error) } catch is Refusal {
        answer = .failure(StoreError(.failed, "refused"))
      }
      switch (first, answer) {
      case (nil, _): first = answer
      case (.success(let one)?, .success(let other)) where isSame(one, other): break
      case (.failure(let one)?, .failure(let other)) where one.code == other.code: break
      case (let one, let other):
        let told = one.map { "\($0)" } ?? "nothing"
        throw Disagreement(seed: random.seed, step: step, what: "\(what): \(told) against \(other)")
      }
    }
    return first ?? .failure(StoreError(.failed, "no stores"))
  }
}

extension Array where Element: Equatable {
  /// The elements without repetitions, in order of first appearance.
  fileprivate var distinct: [Element] { reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }
}
