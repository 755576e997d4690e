internal import TidemarkCore
internal import TidemarkTesting

/// One client: what it knows, what it was promised, and what it thinks of next.
struct Client {
  /// What a client was told of a write that succeeded.
  struct Promise {
    var code: OutcomeCode
    var version: EntityVersion?
    var revision: Revision?
  }

  /// What a client knows of one space.
  struct Part {
    var maker: BulkMaker
    var knowledge: BulkMaker.Knowledge = [:]
    var promises: [(operation: OperationID, promise: Promise)] = []
    var knownRevision: UInt64 = 0
    /// What the latest successful bulk changed: the states before and after.
    var done: [(key: EntityKey, before: BulkModel.State?, after: BulkModel.State)] = []
  }

  let principal: Principal
  private let rules: BulkRules
  private let accounts: [EntityKey]
  private(set) var parts: [Part]
  var waiting: [Int: Call] = [:]
  private var random: SeededGenerator

  init(_ principal: Principal, rules: BulkRules, accounts: [EntityKey], spaces: Int, random: inout SeededGenerator) {
    self.principal = principal
    self.rules = rules
    self.accounts = accounts
    parts = (0..<spaces).map { _ in Part(maker: BulkMaker(seed: random.next(), rules: rules)) }
    self.random = SeededGenerator(seed: random.next())
  }

  // MARK: Thinking of calls

  mutating func makeCall(_ number: Int, client: Int) -> Call {
    let space = Int.random(in: 0..<parts.count, using: &random)
    var call = Call(number: number, client: client, space: space, kind: .read([]))
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<30:
      if let items = makeTransfer(space) {
        call.isTransfer = true
        call.kind = .write(items: items, mode: .atomic, validatesOnly: false)
      }
    case 30..<36:
      if let items = makeUndo(space) { call.kind = .write(items: items, mode: .atomic, validatesOnly: false) }
    case 36..<80:
      let items = parts[space].maker.next(parts[space].knowledge)
      let (mode, validatesOnly) = parts[space].maker.mode()
      call.kind = .write(items: items, mode: mode, validatesOnly: validatesOnly)
    default: break
    }
    if case .read = call.kind { call.kind = .read(makeKeys()) }
    call.knownRevision = parts[space].knownRevision
    return call
  }

  private mutating func makeKeys() -> [EntityKey] {
    let ids = ["a", "b", "c", "é"].compactMap { EntityID($0) }
    let types = Array(Set(rules.types)).sorted()
    return accounts + types.flatMap { type in ids.map { EntityKey(type: type, id: $0) } }.shuffled(using: &random).prefix(5)
  }

  /// An amount from one account to another; `nil` when the client knows too few.
  private mutating func makeTransfer(_ space: Int) -> [WriteItem]? {
    let pair = accounts.shuffled(using: &random).prefix(2)
    let amount = Int64.random(in: 1...40, using: &random)
    let items = zip(pair, [-amount, amount]).compactMap { key, amount -> WriteItem? in
      guard let past = parts[space].knowledge[key], let latest = past.last,
        let patch = try? Patch([Patch.Entry(rules.number, .incrementInt(amount))])
      else { return nil }
      let seen = Int.random(in: 0..<4, using: &random) == 0 ? past.randomElement(using: &random) ?? latest : latest
      var item = makeItem(key, .update(patch, Expected(version: EntityVersion(rawValue: seen.version))))
      item.onConflict = Bool.random(using: &random) ? .merge : .fail
      return item
    }
    return items.count == 2 ? items : nil
  }

  /// The inverse of the latest bulk; `nil` when there is nothing to take back, or the client does not know what was before.
  private mutating func makeUndo(_ space: Int) -> [WriteItem]? {
    defer { parts[space].done = [] }
    var items: [WriteItem] = []
    for (key, before, after) in parts[space].done.reversed() {
      let expected = Expected(
        version: EntityVersion(rawValue: after.version), revision: Revision(rawValue: after.revision))
      switch (before?.isAlive ?? false, after.isAlive) {
      case (false, true): items.append(makeItem(key, .delete(expected)))
      case (true, false): items.append(makeItem(key, .restore(expected)))
      case (false, false): continue
      case (true, true):
        let fields = (before?.fields ?? [:]).sorted { $0.key < $1.key }.map { Field($0.key, $0.value) }
        guard let fields = try? Fields(fields) else { return nil }
        items.append(makeItem(key, .replace(fields, expected)))
      }
    }
    return items.isEmpty ? nil : items
  }

  private mutating func makeItem(_ key: EntityKey, _ action: WriteAction) -> WriteItem {
    WriteItem(operation: OperationID(rawValue: .random(using: &random)), type: key.type, id: key.id, action: action)
  }

  // MARK: Learning

  /// Takes a reply to a call it waits for.
  mutating func take(_ reply: Reply, to call: Call) {
    switch reply {
    case .failed: break
    case .entities(let revision, let states):
      parts[call.space].knownRevision = max(parts[call.space].knownRevision, revision)
      for (key, state) in states { parts[call.space].learn(key, state) }
    case .outcomes(let outcomes):
      guard case .write(_, _, let validatesOnly) = call.kind, !validatesOnly else { return }
      parts[call.space].take(outcomes)
    }
  }
}

extension Client.Part {
  fileprivate mutating func learn(_ key: EntityKey, _ state: BulkModel.State) {
    let latest = knowledge[key]?.last?.version ?? 0
    if state.version > latest { knowledge[key, default: []].append(state) }
  }

  fileprivate mutating func take(_ outcomes: [Outcome]) {
    let isDone = outcomes.allSatisfy { $0.code == .applied && !$0.isReplay }
    done = []
    for outcome in outcomes where outcome.code.isSuccess {
      let promise = Client.Promise(code: outcome.code, version: outcome.version, revision: outcome.revision)
      promises.append((outcome.operation, promise))
      knownRevision = max(knownRevision, outcome.revision?.rawValue ?? 0)
    }
    for outcome in outcomes {
      guard let entity = outcome.entity, let state = try? BulkModel.State(entity) else { continue }
      // What a group left behind that was taken back is told nowhere; a failed item speaks of what is stored.
      let before = knowledge[entity.key]?.last
      if isDone {
        if before.map({ $0.version &+ 1 == state.version }) ?? (state.version == 1),
          !done.contains(where: { $0.key == entity.key })
        {
          done.append((entity.key, before, state))
        }
      }
      learn(entity.key, state)
    }
    // An item that changed an entity a second time makes what is known of it stale.
    if Set(done.map(\.key)).count < outcomes.count { done = [] }
  }
}
