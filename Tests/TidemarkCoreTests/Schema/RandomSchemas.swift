import Testing
import TidemarkCore
import TidemarkTesting

/// Random schemas without problems, and entities that obey them.
struct RandomSchemas {
  var random: SeededGenerator

  init(_ name: String) {
    let seed = UInt64.random(in: 0 ... .max)
    print("\(name): seed \(seed)")
    random = SeededGenerator(seed: seed)
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
  mutating func flag(_ oneIn: Int = 2) -> Bool { number(1...oneIn) == 1 }
  mutating func pick<T>(_ choices: [T]) throws -> T { try RandomValues.require(choices.randomElement(using: &random)) }

  // MARK: Schemas

  mutating func schema() throws -> Schema {
    let names = try ["asset", "booking", "cart", "person"].prefix(number(1...4)).map { try RandomValues.require(TypeName($0)) }
    return Schema(types: try names.map { try type($0, targets: names) })
  }

  mutating func type(_ name: TypeName, targets: [TypeName]) throws -> TypeSchema {
    // No path lies above another one.
    let paths = ["active", "count.left", "count.right", "files", "name", "note", "size", "start.at", "tags", "zone"]
    var fields: [FieldSchema] = []
    for path in paths where flag() || path == "name" {
      fields.append(try field(try RandomValues.require(FieldPath(path)), targets: targets))
    }
    let keyable = fields.filter { $0.type.isKey }.map(\.name)
    func key(_ word: String) throws -> FieldPath { try RandomValues.require(FieldPath(word)) }
    var uniqueKeys: [UniqueKey] = []
    var indexes: [IndexKey] = []
    if !keyable.isEmpty, flag() {
      uniqueKeys.append(UniqueKey(name: try key("k"), fields: Array(keyable.shuffled(using: &random).prefix(3))))
    }
    if !keyable.isEmpty, flag() {
      indexes.append(IndexKey(name: try key("i"), fields: Array(keyable.shuffled(using: &random).prefix(2))))
    }
    return TypeSchema(
      name: name, summary: flag() ? "A thing" : "", fields: fields, allowsOtherFields: flag(4), uniqueKeys: uniqueKeys,
      indexes: indexes, conflictPolicy: try pick(ConflictPolicy.allCases), deletePolicy: try pick(DeletePolicy.allCases),
      isOwnerOnly: flag(), retention: Retention(historySeconds: flag() ? 86_400 : nil))
  }

  mutating func field(_ name: FieldPath, targets: [TypeName]) throws -> FieldSchema {
    let type = try pick(ValueType.allCases)
    var field = FieldSchema(
      name: name, type: type, isRequired: flag(), merge: try pick(MergeKind.allCases.filter { $0.fits(type) }))
    if type == .string || type == .stringList, flag(3) {
      let rules: [DeleteRule] = field.isRequired ? [.restrict, .cascade] : DeleteRule.allCases
      field.reference = Reference(target: try pick(targets), onDelete: try pick(rules))
    } else if type.hasRange, flag() {
      let bounds = [try scalar(type.element), try scalar(type.element)].sorted { $0.isBelow($1) }
      field.minimum = bounds[0]
      field.maximum = bounds[1]
    } else if type.element != .json, type != .any, flag() {
      field.allowedValues = Array(Set(try (0..<3).map { _ in try scalar(type.element) }))
    } else if type.hasLength, type != .json, flag() {
      field.lengthMin = number(0...3)
      field.lengthMax = number(3...8)
    }
    if flag() { field.defaultValue = try value(field) }
    return field
  }

  // MARK: Values

  mutating func scalar(_ type: ValueType) throws -> Scalar {
    switch type {
    case .bool: .bool(flag())
    case .int: .int(Int64(number(-50...50)))
    case .double: .double(Double(number(-500...500)) / 8)
    case .bytes: .bytes((0..<number(0...4)).map { _ in UInt8.random(in: 0...255, using: &random) })
    case .timestamp: .timestamp(Timestamp(rawValue: Int64(number(0...1_000_000))))
    default: .string(try pick(["a", "b", "日本", "e\u{301}", "no"]))
    }
  }

  /// A value that obeys the rules of a field.
  mutating func value(_ field: FieldSchema) throws -> Value {
    if field.type == .any { return try scalar(.int).value }
    if field.type == .json { return .json("{\"a\":1}") }
    guard field.type.isList else { return try element(field).value }
    let range = (field.lengthMin ?? 0)...(field.lengthMax ?? 5)
    return .list(try (0..<number(range)).map { _ in try element(field, isInList: true) })
  }

  private mutating func element(_ field: FieldSchema, isInList: Bool = false) throws -> Scalar {
    if !field.allowedValues.isEmpty { return try pick(field.allowedValues) }
    if let minimum = field.minimum, let maximum = field.maximum { return try pick([minimum, maximum]) }
    if field.reference != nil { return .string("id-\(number(1...9))") }
    guard !isInList, let length = field.lengthMin else { return try scalar(field.type.element) }
    return field.type == .bytes
      ? .bytes([UInt8](repeating: 7, count: length)) : .string(String(repeating: "日", count: length))
  }

  /// An entity without the fields that a default completes or that may be absent, by chance.
  mutating func entity(_ type: TypeSchema) throws -> Fields {
    var fields = Fields()
    for field in type.fields {
      if field.isRequired, field.defaultValue == nil {
        fields.set(field.name, try value(field))
      } else if flag() {
        fields.set(field.name, !field.isRequired && flag(4) ? .null : try value(field))
      }
    }
    if type.allowsOtherFields, let other = FieldPath("zz.other") { fields.set(other, .bool(true)) }
    return fields
  }
}

extension Scalar {
  /// The order of values, told apart from their encoding: kinds first, then what the kind says.
  func isBelow(_ other: Scalar) -> Bool {
    switch (self, other) {
    case (.bool(let a), .bool(let b)): !a && b
    case (.int(let a), .int(let b)): a < b
    case (.double(let a), .double(let b)):
      a != b && Double(bitPattern: a).isTotallyOrdered(belowOrEqualTo: Double(bitPattern: b))
    case (.timestamp(let a), .timestamp(let b)): a < b
    case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
    default: rank < other.rank
    }
  }

  private var rank: Int {
    switch self {
    case .null: 0
    case .bool: 1
    case .int: 2
    case .double: 3
    case .timestamp: 4
    case .string: 5
    case .bytes: 6
    }
  }
}
