import TidemarkCore
import TidemarkTesting

/// Random values of the data model.
enum RandomValues {
  static let names = ["a", "a.b", "a.b.c", "a0", "aa", "b", "title", "start.at", "start.zone", "_x", "Z"]

  static func name(_ random: inout SeededGenerator) throws -> FieldPath {
    try require(FieldPath(names.randomElement(using: &random) ?? "a"))
  }

  static func value(_ random: inout SeededGenerator) -> Value {
    switch Int.random(in: 0..<9, using: &random) {
    case 0: .null
    case 1: .bool(Bool.random(using: &random))
    case 2: .int([0, 1, -1, .min, .max, Int64.random(in: -1000...1000, using: &random)].randomElement(using: &random) ?? 0)
    case 3: .double(bits: [0, 1 << 63, Double.nan.bitPattern, random.next()].randomElement(using: &random) ?? 0)
    case 4: .string(text(&random))
    case 5: .bytes((0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
    case 6: .timestamp(Timestamp(rawValue: Int64.random(in: -1_000_000...4_000_000_000_000_000, using: &random)))
    case 7: .list((0..<Int.random(in: 0...5, using: &random)).compactMap { _ in Scalar(value(&random)) })
    default: .json(["{}", "[1,2]", "\"x\"", "{\"a\":[null,true]}"].randomElement(using: &random) ?? "{}")
    }
  }

  static func text(_ random: inout SeededGenerator) -> String {
    ["", "x", "Año", "日本の祝日", "e\u{301}", "\u{0}mid\u{0}", String(repeating: "long ", count: 60)].randomElement(using: &random)
      ?? ""
  }

  /// Fields built by setting, so that overlaps are resolved as a patch resolves them.
  static func fields(_ random: inout SeededGenerator) throws -> Fields {
    var fields = Fields()
    for _ in 0..<Int.random(in: 0...6, using: &random) { fields.set(try name(&random), value(&random)) }
    return fields
  }

  /// A patch of one to four operations; `nil` when they overlap.
  static func patch(_ random: inout SeededGenerator) throws -> Patch? {
    var entries: [Patch.Entry] = []
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let operation: Patch.Operation =
        switch Int.random(in: 0..<5, using: &random) {
        case 0: .unset
        case 1: .incrementInt([1, -1, .max].randomElement(using: &random) ?? 1)
        case 2: .incrementDouble(bits: Double(0.5).bitPattern)
        default: .set(value(&random))
        }
      entries.append(.init(try name(&random), operation))
    }
    return try? Patch(entries)
  }

  static func require<Wrapped>(_ value: Wrapped?) throws -> Wrapped {
    guard let value else { throw Missing() }
    return value
  }

  struct Missing: Error {}
}
