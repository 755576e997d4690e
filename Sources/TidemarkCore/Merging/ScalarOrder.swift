extension Value {
  /// Whether this value is smaller than another of the same kind; `nil` when the two have no order.
  ///
  /// Ints and timestamps by value, strings and bytes by bytes, doubles by the total order of IEEE 754: negative NaN, -inf, …,
  /// -0.0, 0.0, …, inf, NaN. Null, bool, list and JSON have none.
  func isLess(than other: Value) -> Bool? {
    switch (self, other) {
    case (.int(let a), .int(let b)): a < b
    case (.timestamp(let a), .timestamp(let b)): a < b
    case (.double(let a), .double(let b)): Value.totalOrderKey(a) < Value.totalOrderKey(b)
    case (.string(let a), .string(let b)): a.precedesByBytes(b)
    case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
    default: nil
    }
  }

  /// The bits of a double, rearranged so that comparing them as an unsigned number is the total order.
  private static func totalOrderKey(_ bits: UInt64) -> UInt64 { bits >> 63 == 1 ? ~bits : bits | 1 << 63 }
}

extension Scalar {
  /// The order in which merged sets hold what was added: by kind, then by value.
  static func precedes(_ a: Scalar, _ b: Scalar) -> Bool {
    if case .bool(let x) = a, case .bool(let y) = b { return !x && y }
    return a.value.isLess(than: b.value) ?? (a.kindRank < b.kindRank)
  }

  private var kindRank: Int {
    switch self {
    case .null: 0
    case .bool: 1
    case .int: 2
    case .double: 3
    case .string: 4
    case .bytes: 5
    case .timestamp: 6
    }
  }
}
