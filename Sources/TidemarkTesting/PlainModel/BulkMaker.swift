public import TidemarkCore

/// Makes random bulks whose items meet, depend on each other, and come again.
public struct BulkMaker: Sendable {
  /// What entities were like, oldest state first, as far as whoever writes knows.
  public typealias Knowledge = [EntityKey: [BulkModel.State]]

  var random: SeededGenerator
  private let rules: BulkRules
  private let ids = ["a", "b", "c", "é"].compactMap { EntityID($0) }
  private var sent: [WriteItem] = []

  public init(seed: UInt64, rules: BulkRules) {
    random = SeededGenerator(seed: seed)
    self.rules = rules
  }

  /// Whether the next bulk is atomic, and whether it only asks.
  public mutating func mode() -> (BulkMode, validatesOnly: Bool) {
    (Int.random(in: 0..<6, using: &random) == 0 ? .atomic : .partial, Int.random(in: 0..<10, using: &random) == 0)
  }

  /// One to seven writes.
  public mutating func next(_ knowledge: Knowledge) -> [WriteItem] {
    var items: [WriteItem] = []
    for _ in 0..<Int.random(in: 1...7, using: &random) {
      var item = makeItem(knowledge, items)
      item.group = ["g", "h", nil, nil].randomElement(using: &random) ?? nil
      if !items.contains(where: { $0.operation == item.operation }) { items.append(item) }
    }
    // What names other items of this bulk by their places means something else in another one.
    sent += items.filter { $0.references.isEmpty && $0.afterItem == nil }
    return items
  }

  private mutating func makeItem(_ knowledge: Knowledge, _ before: [WriteItem]) -> WriteItem {
    let dice = Int.random(in: 0..<100, using: &random)
    if dice < 9, let again = sent.randomElement(using: &random) { return again }
    let type = rules.types[Int.random(in: 0..<rules.types.count, using: &random)]
    let id = ids[Int.random(in: 0..<ids.count, using: &random)]
    let past = knowledge[EntityKey(type: type, id: id)] ?? []
    let known = Int.random(in: 0..<3, using: &random) == 0 ? past.randomElement(using: &random) : past.last
    var expected = Expected(version: EntityVersion(rawValue: known?.version ?? 1))
    if Bool.random(using: &random) { expected.revision = known.map { Revision(rawValue: $0.revision) } }
    var item = WriteItem(
      operation: OperationID(rawValue: .random(using: &random)), type: type, id: id, action: makeAction(type, expected))
    if dice < 12, let reused = sent.randomElement(using: &random) { item.operation = reused.operation }
    addDependencies(&item, before)
    switch item.action {
    case .update, .replace: item.onConflict = [.fail, .merge, .merge, .overwrite].randomElement(using: &random) ?? .fail
    case .delete, .restore: item.onConflict = [.fail, .fail, .overwrite].randomElement(using: &random) ?? .fail
    case .create, .getOrCreate: break
    }
    return item
  }

  private mutating func addDependencies(_ item: inout WriteItem, _ before: [WriteItem]) {
    let same = before.indices.filter { before[$0].type == item.type && before[$0].id == item.id }
    if item.action.expected != nil, Bool.random(using: &random) { item.afterItem = same.last }
    let rooms = before.indices.filter { before[$0].type == rules.target }
    guard let room = rooms.randomElement(using: &random),
      let field = rules.references(item.type).map(\.0).randomElement(using: &random)
    else { return }
    switch item.action {
    case .create(let fields): item.action = .create(fields.without(field))
    case .getOrCreate(let fields): item.action = .getOrCreate(fields.without(field))
    case .replace(let fields, let expected): item.action = .replace(fields.without(field), expected)
    case .update(let patch, let expected):
      guard let rest = try? Patch(patch.entries.filter { $0.name != field }), !rest.entries.isEmpty else { return }
      item.action = .update(rest, expected)
    case .delete, .restore: return
    }
    item.references = [ItemReference(field: field, item: room)]
  }

  private mutating func makeAction(_ type: TypeName, _ expected: Expected) -> WriteAction {
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1: .create(makeFields(type))
    case 2, 3: .getOrCreate(makeFields(type))
    case 4: .replace(makeFields(type), expected)
    case 5, 6: .delete(expected)
    case 7: .restore(expected)
    default: makePatch(type).map { .update($0, expected) } ?? .delete(expected)
    }
  }

  private mutating func makeFields(_ type: TypeName) -> Fields {
    var fields = Fields()
    for name in rules.names(type) where Int.random(in: 0..<10, using: &random) < 6 {
      fields.set(name, rules.value(name, ids, &random))
    }
    return fields
  }

  private mutating func makePatch(_ type: TypeName) -> Patch? {
    let names = rules.names(type).shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random))
    let entries = names.map { name in
      if rules.isCounter(name), Bool.random(using: &random) {
        return Patch.Entry(name, .incrementInt([1, 1, -2, .max].randomElement(using: &random) ?? 1))
      }
      let isGone = Int.random(in: 0..<8, using: &random) == 0
      return Patch.Entry(name, isGone ? .unset : .set(rules.value(name, ids, &random)))
    }
    return try? Patch(entries)
  }
}

extension Fields {
  fileprivate func without(_ name: FieldPath) -> Fields {
    var result = self
    result.unset(name)
    return result
  }
}
