import TidemarkCore
import TidemarkTesting

/// Makes random lists of writes that often meet: few entities, versions near the current ones, repeated operation ids.
struct HistoryMaker {
  private var random: SeededGenerator
  private var sent: [WriteItem] = []
  private let types: [TypeName]
  private let ids: [EntityID]
  private let names: [FieldPath]

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    types = ["booking", "room"].compactMap { TypeName($0) }
    ids = ["a", "b", "é", "日"].compactMap { EntityID($0) }
    names = ["n", "n.deep", "title", "title.en"].compactMap { FieldPath($0) }
  }

  /// One to four writes.
  mutating func next(_ model: ReferenceModel) -> [WriteItem] {
    (0..<Int.random(in: 1...4, using: &random)).compactMap { _ in
      let item = makeItem(model)
      if let item { sent.append(item) }
      return item
    }
  }

  private mutating func makeItem(_ model: ReferenceModel) -> WriteItem? {
    let dice = Int.random(in: 0..<100, using: &random)
    if dice < 8, let again = sent.randomElement(using: &random) { return again }
    guard let type = types.randomElement(using: &random), let id = ids.randomElement(using: &random) else { return nil }
    let current = model.states[EntityKey(type: type, id: id)]?.version ?? 0
    let wrong = Int.random(in: 0..<4, using: &random) == 0
    let seen = wrong ? UInt64.random(in: 1...(current + 3), using: &random) : max(current, 1)
    var item = WriteItem(
      operation: OperationID(rawValue: .random(using: &random)), type: type, id: id,
      action: makeAction(Expected(version: EntityVersion(rawValue: seen))))
    if dice < 12, let reused = sent.randomElement(using: &random) { item.operation = reused.operation }
    return item
  }

  private mutating func makeAction(_ expected: Expected) -> WriteAction {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: .create(makeFields())
    case 1: .getOrCreate(makeFields())
    case 2: .replace(makeFields(), expected)
    case 3: .delete(expected)
    case 4: .restore(expected)
    default: makePatch().map { .update($0, expected) } ?? .delete(expected)
    }
  }

  private mutating func makeFields() -> Fields {
    var fields = Fields()
    for name in names where Bool.random(using: &random) { fields.set(name, makeValue()) }
    return fields
  }

  private mutating func makePatch() -> Patch? {
    guard let name = names.randomElement(using: &random) else { return nil }
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return try? Patch([.init(name, .unset)])
    case 1: return try? Patch([.init(name, .incrementInt([1, -3, .max].randomElement(using: &random) ?? 1))])
    default: return try? Patch([.init(name, .set(makeValue()))])
    }
  }

  private mutating func makeValue() -> Value {
    [.null, .int(1), .int(7), .string("x"), .string("å"), .list([.int(1)]), .json("{}")].randomElement(using: &random) ?? .null
  }
}
