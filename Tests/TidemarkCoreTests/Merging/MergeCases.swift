import TidemarkCore
import TidemarkTesting

/// Random states of one field, of the sort that a merge kind is for, and now and then of any other.
enum MergeCases {
  /// A state; `nil` when the field is absent.
  static func value(_ kind: MergeKind, _ random: inout SeededGenerator) -> Value? {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return nil
    case 1: return RandomValues.value(&random)
    default: break
    }
    switch kind {
    case .register, .lastWriter: return RandomValues.value(&random)
    case .counter: return counter(&random)
    case .set: return .list(elements(&random))
    case .max, .min: return comparable(&random)
    case .text: return .string(text(&random))
    }
  }

  /// Mostly ints, near zero and near the ends of their range.
  private static func counter(_ random: inout SeededGenerator) -> Value {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: .double(bits: [0, 1 << 63, Double.nan.bitPattern, Double.infinity.bitPattern, 1].randomElement(using: &random) ?? 0)
    case 1: .double(Double(Int.random(in: -9...9, using: &random)))
    case 2: .int([.min, .max, .max - 1].randomElement(using: &random) ?? 0)
    default: .int(Int64.random(in: -9...9, using: &random))
    }
  }

  private static func comparable(_ random: inout SeededGenerator) -> Value {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: .double(bits: [0, 1 << 63, Double.nan.bitPattern, ~0, random.next()].randomElement(using: &random) ?? 0)
    case 1: .timestamp(Timestamp(rawValue: Int64.random(in: -3...3, using: &random)))
    case 2: .string(RandomValues.text(&random))
    case 3: .int([.min, .max].randomElement(using: &random) ?? 0)
    default: .int(Int64.random(in: -5...5, using: &random))
    }
  }

  /// A few elements of a small alphabet, with duplicates.
  static func elements(_ random: inout SeededGenerator) -> [Scalar] {
    let alphabet: [Scalar] = [.null, .bool(true), .int(1), .int(-1), .double(0.0), .double(-0.0), .string("a"), .bytes([1])]
    return (0..<Int.random(in: 0...5, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) }
  }

  static func text(_ random: inout SeededGenerator) -> String {
    (0..<Int.random(in: 0...8, using: &random)).map { _ in ["a", "b", "c\r", "", "é"].randomElement(using: &random) ?? "" }
      .joined(separator: "\n")
  }

  /// A stamp; now and then none.
  static func stamp(_ random: inout SeededGenerator) -> EditStamp? {
    guard Int.random(in: 0..<6, using: &random) > 0 else { return nil }
    let editedAt = Timestamp(rawValue: [.min, .max, 1, 2, 3].randomElement(using: &random) ?? 0)
    let operation = OperationID(rawValue: Bytes16(high: 0, low: UInt64.random(in: 0...5, using: &random)))
    return EditStamp(editedAt: editedAt, operation: operation)
  }

  /// Three concurrent edits that a kind merges completely, unless a sum leaves its range.
  static func edits(_ kind: MergeKind, base: Value, _ random: inout SeededGenerator) -> [Value] {
    (0..<3).map { _ in
      switch (kind, base) {
      case (.counter, .int(let value)): .int(value &+ Int64.random(in: -9...9, using: &random))
      case (.counter, .double(let bits)): .double(Double(bitPattern: bits) + Double(Int.random(in: -9...9, using: &random)))
      case (.set, .list(let old)): .list(setEdit(of: old, &random))
      case (.max, _), (.min, _): .int(Int64.random(in: -20...20, using: &random))
      default: .int(Int64.random(in: 0...3, using: &random))
      }
    }
  }

  /// Removes and adds elements; those that stay keep their order, those that are new stand behind, in any order.
  private static func setEdit(of old: [Scalar], _ random: inout SeededGenerator) -> [Scalar] {
    var result = old.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let new = Scalar.int(Int64.random(in: 100...106, using: &random))
      if !result.contains(new) { result.append(new) }
    }
    return result
  }

  /// Where a chain of edits of one kind may begin.
  static func base(_ kind: MergeKind, _ random: inout SeededGenerator) -> Value {
    switch kind {
    case .counter: Bool.random(using: &random) ? .int(Int64.random(in: -9...9, using: &random)) : .double(3)
    case .set: .list((0..<Int64.random(in: 0...5, using: &random)).map { .int($0) })
    case .register, .max, .min, .text, .lastWriter: .int(Int64.random(in: -20...20, using: &random))
    }
  }
}
