import TidemarkCore
import TidemarkTesting

/// Makes random values of the core.
struct RandomValues {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
  mutating func flag() -> Bool { Bool.random(using: &random) }
  mutating func pick<T>(_ choices: [T]) -> T { choices[number(0...choices.count - 1)] }
  mutating func maybe<T>(_ make: (inout RandomValues) -> T) -> T? { flag() ? make(&self) : nil }
  mutating func many<T>(_ range: ClosedRange<Int>, _ make: (inout RandomValues) -> T) -> [T] {
    (0..<number(range)).map { _ in make(&self) }
  }

  mutating func text(_ bytesMax: Int = 40) -> String {
    let pieces = ["a", "Z", "0", " ", "\0", "\n", "ä", "e\u{301}", "é", "日", "𝄞", "👩‍👩‍👧", "\"", "\\"]
    var text = ""
    for _ in 0..<number(0...12) {
      let piece = pick(pieces)
      if text.utf8.count + piece.utf8.count > bytesMax { break }
      text += piece
    }
    return text
  }

  mutating func bytes(_ countMax: Int = 40) -> [UInt8] { many(0...countMax) { UInt8.random(in: 0...255, using: &$0.random) } }
  mutating func word(_ lengths: ClosedRange<Int> = 1...12) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz")
    return String((0..<number(lengths)).map { _ in pick(letters) })
  }

  mutating func int64() -> Int64 {
    pick([0, 1, -1, 127, 128, Int64.max, Int64.min, Int64.random(in: .min ... .max, using: &random)])
  }
  mutating func timestamp() -> Timestamp {
    let range = Timestamp.validRange
    return pick([
      range.lowerBound, range.upperBound, Timestamp(rawValue: 0),
      Timestamp(rawValue: Int64.random(in: range.lowerBound.rawValue...range.upperBound.rawValue, using: &random)),
    ])
  }
  mutating func doubleBits() -> UInt64 {
    pick([
      (0.0).bitPattern, (-0.0).bitPattern, Double.nan.bitPattern, Double.infinity.bitPattern, 0x7FF8_0000_0000_0001,
      random.next(),
    ])
  }

  mutating func scalar() -> Scalar {
    switch number(0...6) {
    case 0: .null
    case 1: .bool(flag())
    case 2: .int(int64())
    case 3: .double(bits: doubleBits())
    case 4: .string(text())
    case 5: .bytes(bytes())
    default: .timestamp(timestamp())
    }
  }
  mutating func value() -> Value {
    switch number(0...8) {
    case 0: .list(many(0...5) { $0.scalar() })
    case 1: .json(pick(["{}", "[1, 2.5e3]", "null", " {\"a\": [true, \"\\u00e9\"]} "]))
    default: scalar().value
    }
  }

  mutating func space() -> SpaceName { SpaceName(word()) ?? .default }
  mutating func type() -> TypeName { TypeName(word()) ?? .init("t").unsafelyUnwrapped }
  mutating func id() -> EntityID { EntityID(pick([word(), "é\(word())", "x"])) ?? .init("x").unsafelyUnwrapped }
  mutating func key() -> EntityKey { EntityKey(type: type(), id: id()) }
  mutating func principal() -> PrincipalName { PrincipalName(word()) ?? .init("p").unsafelyUnwrapped }
  mutating func path() -> FieldPath {
    FieldPath(many(1...3) { $0.word(1...20) }.joined(separator: ".")) ?? .init("f").unsafelyUnwrapped
  }
  /// Any time but the one that stands for none.
  mutating func editedAt() -> Timestamp { Timestamp(rawValue: Swift.max(timestamp().rawValue, 1)) }
  mutating func mark() -> Mark { Mark(at: timestamp(), by: principal()) }
  mutating func bits() -> Bytes16 { Bytes16.random(using: &random) }
  mutating func epoch() -> Epoch { Epoch(rawValue: bits()) }
  mutating func operation() -> OperationID { OperationID(rawValue: bits()) }
  mutating func revision() -> Revision { Revision(rawValue: UInt64.random(in: 1...Limits.revisionMax, using: &random)) }
  mutating func version() -> EntityVersion { EntityVersion(rawValue: UInt64(number(1...Int.max))) }
  mutating func expected() -> Expected {
    Expected(version: version(), revision: maybe { $0.revision() }, epoch: maybe { $0.epoch() })
  }

  mutating func fields() -> Fields {
    var fields = Fields()
    for _ in 0..<number(0...12) { fields.set(path(), value()) }
    return fields
  }
  mutating func patch() -> Patch {
    while true {
      let entries = many(1...8) { random in
        Patch.Entry(
          random.path(),
          random.pick([
            .set(random.value()), .unset, .incrementInt(random.int64()), .incrementDouble(bits: random.doubleBits()),
          ]))
      }
      if let patch = try? Patch(entries) { return patch }
    }
  }
  mutating func entity() -> Entity {
    Entity(
      key: key(), version: version(), revision: revision(), life: pick([.alive, .deleted, .purged]), created: mark(),
      updated: mark(), fields: CanonicalFields(fields()))
  }
  mutating func item() -> WriteItem {
    let actions: [WriteAction] = [
      .create(fields()), .getOrCreate(fields()), .update(patch(), expected()), .replace(fields(), expected()),
      .delete(expected()), .restore(expected()),
    ]
    let action = pick(actions)
    var id: EntityID? = id()
    if case .create = action, flag() { id = nil }
    return WriteItem(
      operation: operation(), type: type(), id: id, action: action, knownRevision: maybe { $0.revision() },
      editedAt: maybe { $0.timestamp() }.flatMap { $0.rawValue == 0 ? nil : $0 })
  }
  /// The items of a bulk, some of which depend on the ones before them.
  mutating func items(_ counts: ClosedRange<Int> = 1...6) -> [WriteItem] {
    var items: [WriteItem] = []
    for index in 0..<number(counts) {
      var item = item()
      item.group = maybe { $0.word() }
      if index > 0, item.action.expected != nil, flag() {
        item.afterItem = number(0...index - 1)
        item.id = maybe { $0.id() }
        // What the expected state is, is known when the item before was judged.
        switch item.action {
        case .create, .getOrCreate: break
        case .update(let patch, _): item.action = .update(patch, Expected(version: .first))
        case .replace(let fields, _): item.action = .replace(fields, Expected(version: .first))
        case .delete: item.action = .delete(Expected(version: .first))
        case .restore: item.action = .restore(Expected(version: .first))
        }
      }
      switch item.action {
      case .update, .replace: item.onConflict = pick([.fail, .merge, .overwrite])
      case .delete, .restore: item.onConflict = pick([.fail, .overwrite])
      case .create, .getOrCreate: break
      }
      switch item.action {
      case .delete, .restore: break
      case .create, .getOrCreate, .update, .replace:
        if index > 0 { item.references = many(0...2) { ItemReference(field: $0.path(), item: $0.number(0...index - 1)) } }
      }
      items.append(item)
    }
    return items
  }
  mutating func outcome() -> Outcome {
    var outcome = Outcome(
      code: pick(OutcomeCode.allCases), type: type(), id: maybe { $0.id() }, operation: operation(),
      version: maybe { $0.version() },
      revision: maybe { $0.revision() }, epoch: epoch(), appliedAt: maybe { _ in Timestamp(rawValue: 1) })
    outcome.entity = maybe { $0.entity() }
    outcome.conflict = maybe { $0.conflict() }
    outcome.violations = many(0...3) { Violation(field: $0.maybe { $0.path() }, rule: $0.word(), message: $0.text()) }
    outcome.message = text()
    outcome.isReplay = flag()
    outcome.cause = maybe { $0.number(0...999) }
    outcome.related = many(0...3) { $0.key() }
    return outcome
  }
  mutating func conflict() -> Conflict {
    Conflict(
      expected: maybe { $0.expected() }, current: maybe { $0.entity() }, base: maybe { $0.entity() },
      changes: many(0...4) { random in
        FieldChange(
          name: random.path(), before: random.maybe { $0.value() }, after: random.maybe { $0.value() },
          version: random.version(), changed: random.mark())
      }, overlapping: many(0...3) { $0.path() }, isTruncated: flag())
  }
  mutating func principalWithGrants() -> Principal {
    var principal = Principal(name: principal())
    for _ in 0..<number(0...3) { principal.roles[space()] = pick(Role.allCases) }
    principal.roleEverywhere = principal.roles.isEmpty ? .admin : maybe { $0.pick(Role.allCases) }
    return principal
  }
}
