extension ValueType: CustomStringConvertible {
  /// The word of the type, as schemas are written: `string`, and `string[]` for a list of strings.
  public var description: String {
    switch self {
    case .any: "any"
    case .bool: "bool"
    case .int: "int"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .timestamp: "timestamp"
    case .json: "json"
    case .boolList, .intList, .doubleList, .stringList, .bytesList, .timestampList: "\(element)[]"
    }
  }

  /// The type that a word names; `nil` when there is none.
  public init?(_ word: some StringProtocol) {
    guard let type = ValueType.allCases.first(where: { $0.description == word }) else { return nil }
    self = type
  }

  /// Whether the value is a list.
  public var isList: Bool { element != self }

  /// The type of an element; of what is no list, the type itself.
  public var element: ValueType {
    switch self {
    case .any, .bool, .int, .double, .string, .bytes, .timestamp, .json: self
    case .boolList: .bool
    case .intList: .int
    case .doubleList: .double
    case .stringList: .string
    case .bytesList: .bytes
    case .timestampList: .timestamp
    }
  }

  /// Whether values of the type can stand in a unique key or index.
  public var isKey: Bool {
    switch self {
    case .bool, .int, .double, .string, .bytes, .timestamp: true
    case .any, .json, .boolList, .intList, .doubleList, .stringList, .bytesList, .timestampList: false
    }
  }

  /// Whether the values, or the elements, have a smallest and a greatest one.
  public var hasRange: Bool { element == .int || element == .double || element == .timestamp }

  /// Whether the values have a length.
  public var hasLength: Bool { isList || self == .string || self == .bytes || self == .json }

  /// Whether a value has this type. Null has none; every element of a list must have the element's.
  public func matches(_ value: Value) -> Bool {
    switch (self, value) {
    case (_, .null): false
    case (.any, _), (.bool, .bool), (.int, .int), (.double, .double), (.string, .string), (.bytes, .bytes),
      (.timestamp, .timestamp), (.json, .json):
      true
    case (_, .list(let scalars)): isList && scalars.allSatisfy { element.matches($0.value) }
    default: false
    }
  }
}

extension MergeKind {
  /// Whether values of a type can be merged this way.
  public func fits(_ type: ValueType) -> Bool {
    switch self {
    case .register, .lastWriter: true
    case .counter: type == .int || type == .double
    case .set: type.isList
    case .max, .min: type == .int || type == .double || type == .timestamp || type == .string
    case .text: type == .string
    }
  }
}
