/// What one field of an entity holds. Nothing recursive.
public enum Value: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  /// Equal when the bits are equal: `-0.0` differs from `0.0`, and a NaN equals itself.
  case double(bits: UInt64)
  /// Equal when the bytes are equal.
  case string(String)
  case bytes([UInt8])
  case timestamp(Timestamp)
  case list([Scalar])
  /// One JSON document, kept byte for byte and compared as one value.
  case json(String)

  /// A double by its value.
  public static func double(_ value: Double) -> Value { .double(bits: value.bitPattern) }

  /// A stable word for the kind: `null`, `bool`, `int`, `double`, `string`, `bytes`, `timestamp`, `list`, `json`.
  public var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "bool"
    case .int: "int"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .timestamp: "timestamp"
    case .list: "list"
    case .json: "json"
    }
  }

  public static func == (a: Value, b: Value) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let x), .bool(let y)): x == y
    case (.int(let x), .int(let y)): x == y
    case (.double(let x), .double(let y)): x == y
    case (.string(let x), .string(let y)), (.json(let x), .json(let y)): x.hasSameBytes(as: y)
    case (.bytes(let x), .bytes(let y)): x == y
    case (.timestamp(let x), .timestamp(let y)): x == y
    case (.list(let x), .list(let y)): x == y
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .null: hasher.combine(0)
    case .bool(let value): hasher.combine(value)
    case .int(let value): hasher.combine(value)
    case .double(let bits): hasher.combine(bits)
    case .string(let text), .json(let text): text.hashBytes(into: &hasher)
    case .bytes(let bytes): hasher.combine(bytes)
    case .timestamp(let instant): hasher.combine(instant)
    case .list(let scalars): hasher.combine(scalars)
    }
  }
}

/// A value that a list may hold.
public enum Scalar: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(bits: UInt64)
  case string(String)
  case bytes([UInt8])
  case timestamp(Timestamp)

  /// A double by its value.
  public static func double(_ value: Double) -> Scalar { .double(bits: value.bitPattern) }

  /// The same as a value of its own.
  public var value: Value {
    switch self {
    case .null: .null
    case .bool(let value): .bool(value)
    case .int(let value): .int(value)
    case .double(let bits): .double(bits: bits)
    case .string(let text): .string(text)
    case .bytes(let bytes): .bytes(bytes)
    case .timestamp(let instant): .timestamp(instant)
    }
  }

  /// The value as a list element; `nil` for lists and JSON.
  public init?(_ value: Value) {
    switch value {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .int(value)
    case .double(let bits): self = .double(bits: bits)
    case .string(let text): self = .string(text)
    case .bytes(let bytes): self = .bytes(bytes)
    case .timestamp(let instant): self = .timestamp(instant)
    case .list, .json: return nil
    }
  }

  public static func == (a: Scalar, b: Scalar) -> Bool { a.value == b.value }
  public func hash(into hasher: inout Hasher) { value.hash(into: &hasher) }
}
