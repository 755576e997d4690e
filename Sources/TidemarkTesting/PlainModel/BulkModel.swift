public import TidemarkCore

/// What the rules of bulks say, written a second time and as plainly as possible: whole worlds are copied, nothing is indexed.
public struct BulkModel: Sendable {
  /// One version of an entity.
  public struct State: Equatable, Sendable {
    public var version: UInt64
    public var revision: UInt64
    public var isAlive: Bool
    public var fields: [FieldPath: Value]

    public init(version: UInt64, revision: UInt64, isAlive: Bool, fields: [FieldPath: Value]) {
      self.version = version
      self.revision = revision
      self.isAlive = isAlive
      self.fields = fields
    }

    /// A stored entity in the model's form. Throws when its fields do not decode.
    public init(_ entity: Entity) throws {
      version = entity.version.rawValue
      revision = entity.revision.rawValue
      isAlive = entity.life == .alive
      fields = Dictionary(try entity.fields.decoded().sorted.map { ($0.name, $0.value) }) { $1 }
    }
  }

  /// What one item is answered.
  public struct Answer: Equatable, Sendable {
    public var code: OutcomeCode
    public var id: EntityID?
    public var version: UInt64?
    public var revision: UInt64?
    public var cause: Int?
    public var isReplay = false

    init(
      code: OutcomeCode, id: EntityID? = nil, version: UInt64? = nil, revision: UInt64? = nil, cause: Int? = nil,
      isReplay: Bool = false
    ) {
      self.code = code
      self.id = id
      self.version = version
      self.revision = revision
      self.cause = cause
      self.isReplay = isReplay
    }

    /// An engine's outcome in the model's form.
    public init(_ outcome: Outcome) {
      self.init(
        code: outcome.code, id: outcome.id, version: outcome.version?.rawValue, revision: outcome.revision?.rawValue,
        cause: outcome.cause, isReplay: outcome.isReplay)
    }
  }

  /// All that a space holds.
  public struct World: Sendable {
    /// Every version of every entity.
    public var past: [EntityKey: [State]] = [:]
    public var receipts: [OperationID: (item: WriteItem, answer: Answer)] = [:]
    public var revision: UInt64 = 0
    /// The revisions that made an entity, for the first time or anew.
    public var creations: Set<UInt64> = []
  }

  public let rules: BulkRules
  public var world = World()
  /// Does something wrong on purpose, to show that it is noticed.
  public var isWrong = false

  public init(rules: BulkRules) { self.rules = rules }

  /// What each item of a bulk must be answered; the world is as it must be afterwards.
  public mutating func apply(_ items: [WriteItem], mode: BulkMode, validatesOnly: Bool) -> [Answer] {
    let before = world
    var answers: [Answer] = []
    while answers.count < items.count {
      let start = answers.count
      let label = items[start].group
      let isGroup = mode == .atomic || label != nil
      let others = items.indices.first { $0 > start && (mode == .partial && (label == nil || items[$0].group != label)) }
      let end = others ?? items.count
      let saved = world
      for index in start..<end { answers.append(judge(index, items, answers)) }
      guard isGroup, let cause = (start..<end).first(where: { !answers[$0].code.isSuccess }) else { continue }
      world = saved
      for index in start..<end { answers[index] = settle(answers[index], items[index], cause) }
    }
    if validatesOnly { world = before }
    return answers
  }

  /// The latest version of an entity.
  public func now(_ key: EntityKey) -> State? { world.past[key]?.last }

  private func settle(_ answer: Answer, _ item: WriteItem, _ cause: Int) -> Answer {
    let aborted = Answer(code: .aborted, id: item.id, cause: cause)
    if answer.isReplay { return world.receipts[item.operation] == nil ? aborted : answer }
    if answer.code.isSuccess { return aborted }
    guard let revision = answer.revision, revision > world.revision, let id = answer.id else { return answer }
    let state = now(EntityKey(type: item.type, id: id))
    return Answer(code: answer.code, id: id, version: state?.version, revision: state?.revision, cause: answer.cause)
  }

  private mutating func judge(_ index: Int, _ items: [WriteItem], _ answers: [Answer]) -> Answer {
    let item = items[index]
    guard let id = item.id else { return Answer(code: .invalid) }
    for other in item.references.map(\.item) + [item.afterItem].compactMap({ $0 }) where !answers[other].code.isSuccess {
      return Answer(code: .aborted, id: id, cause: other)
    }
    if let other = item.afterItem, answers[other].id != id { return Answer(code: .invalid, id: id) }
    var content = item
    content.group = nil
    if let receipt = world.receipts[item.operation] {
      guard receipt.item == content else { return Answer(code: .invalid, id: id) }
      var answer = receipt.answer
      answer.isReplay = true
      return answer
    }
    var expected = item.action.expected.map { ($0.version.rawValue, $0.revision?.rawValue) }
    if let other = item.afterItem { expected = (answers[other].version ?? 1, answers[other].revision) }
    let more = item.references.map { ($0.field, Value.string(answers[$0.item].id?.text ?? "")) }
    let (code, key, state) = decide(item, EntityKey(type: item.type, id: id), expected, more)
    let answer = Answer(code: code, id: key.id, version: state?.version, revision: state?.revision)
    world.receipts[item.operation] = (content, answer)
    return answer
  }

  typealias Decision = (OutcomeCode, EntityKey, State?)

  private mutating func decide(
    _ item: WriteItem, _ key: EntityKey, _ expected: (UInt64, UInt64?)?, _ more: [(FieldPath, Value)]
  ) -> Decision {
    let state = now(key)
    let isAlive = state?.isAlive ?? false
    switch item.action {
    case .create(let fields):
      return isAlive ? (.alreadyExists, key, state) : create(key, plain(fields, more))
    case .getOrCreate(let fields):
      if isAlive { return (.unchanged, key, state) }
      let wanted = plain(fields, more)
      if let holder = holder(key, wanted) { return (.unchanged, holder, now(holder)) }
      return create(key, wanted)
    case .update, .replace, .delete, .restore: break
    }
    guard let state, let expected else { return (.notFound, key, nil) }
    if expected.0 != state.version || expected.1.map({ $0 != state.revision }) ?? false {
      switch item.onConflict {
      case .fail: return (.conflict, key, state)
      case .overwrite: break
      case .merge: return merge(item, key, state, expected, more)
      }
    }
    switch item.action {
    case .create, .getOrCreate: return (.notFound, key, state)
    case .update(let patch, _):
      guard isAlive else { return (.notFound, key, state) }
      guard let fields = patched(state.fields, patch, more) else { return (.invalid, key, state) }
      return store(key, true, fields)
    case .replace(let fields, _): return isAlive ? store(key, true, plain(fields, more)) : (.notFound, key, state)
    case .delete: return isAlive ? delete(key, state) : (.unchanged, key, state)
    case .restore: return isAlive ? (.unchanged, key, state) : store(key, true, state.fields, isForced: true)
    }
  }

  // MARK: Storing

  private mutating func create(_ key: EntityKey, _ fields: [FieldPath: Value]) -> Decision {
    let decision = store(key, true, fields, isForced: true)
    if decision.0 == .applied { world.creations.insert(world.revision) }
    return decision
  }

  mutating func store(
    _ key: EntityKey, _ isAlive: Bool, _ fields: [FieldPath: Value], isForced: Bool = false, as code: OutcomeCode = .applied
  ) -> Decision {
    let state = now(key)
    if !isForced, fields == state?.fields { return (.unchanged, key, state) }
    guard rules.allows(key.type, fields) else { return (.invalid, key, state) }
    if holder(key, fields) != nil { return (.uniqueViolation, key, state) }
    let targets = rules.targets(key.type, fields).filter { $0 != key }
    guard targets.allSatisfy({ now($0)?.isAlive ?? false }) else { return (.referenceViolation, key, state) }
    return (code, key, put(key, isAlive, fields))
  }

  private mutating func put(_ key: EntityKey, _ isAlive: Bool, _ fields: [FieldPath: Value]) -> State {
    world.revision += 1
    let state = State(version: (now(key)?.version ?? 0) + 1, revision: world.revision, isAlive: isAlive, fields: fields)
    world.past[key, default: []].append(state)
    return state
  }

  private func holder(_ key: EntityKey, _ fields: [FieldPath: Value]) -> EntityKey? {
    guard let value = rules.uniqueValue(key.type, fields) else { return nil }
    return world.past.keys.first { other in
      guard other != key, other.type == key.type, let state = now(other), state.isAlive else { return false }
      return rules.uniqueValue(other.type, state.fields) == value
    }
  }

  // MARK: Deletes

  private mutating func delete(_ key: EntityKey, _ state: State) -> Decision {
    var hidden = [key]
    var cleared: [(source: EntityKey, field: FieldPath)] = []
    var restricting: [EntityKey] = []
    var next = 0
    while next < hidden.count {
      let target = hidden[next]
      next += 1
      for (source, field, rule) in pointers(to: target) where source != target {
        switch isWrong && rule == .cascade ? .setNull : rule {
        case .restrict: restricting.append(source)
        case .setNull: cleared.append((source, field))
        case .cascade: if !hidden.contains(source) { hidden.append(source) }
        }
      }
    }
    guard restricting.allSatisfy({ hidden.contains($0) }) else { return (.referenceViolation, key, state) }
    var changed: [(EntityKey, [FieldPath: Value])] = []
    for (source, field) in cleared where !hidden.contains(source) {
      if let at = changed.firstIndex(where: { $0.0 == source }) {
        changed[at].1[field] = .null
      } else {
        var fields = now(source)?.fields ?? [:]
        fields[field] = .null
        changed.append((source, fields))
      }
    }
    guard changed.allSatisfy({ rules.allows($0.0.type, $0.1) }) else { return (.referenceViolation, key, state) }
    for (source, fields) in changed { _ = put(source, true, fields) }
    for dependant in hidden.dropFirst().reversed() { _ = put(dependant, false, now(dependant)?.fields ?? [:]) }
    return (.applied, key, put(key, false, state.fields))
  }

  private func pointers(to target: EntityKey) -> [(EntityKey, FieldPath, DeleteRule)] {
    world.past.keys.filter { now($0)?.isAlive ?? false }.sorted().flatMap { source in
      rules.references(source.type).compactMap { field, rule in
        let points = target.type == rules.target && now(source)?.fields[field] == .string(target.id.text)
        return points ? (source, field, rule) : nil
      }
    }
  }
}
