public import TidemarkCore

/// A checksum over a stored receipt or schema, so that a damaged one is never taken for an answer.
///
/// FNV-1a over 64-bit words with a final mix. Each step is a bijection of the state, so a change of any one word, thus of any one
/// byte, always changes the sum. It finds damage, not forgery.
public struct RowChecksum {
  private var state: UInt64 = 0xCBF2_9CE4_8422_2325

  /// The sum over a receipt of a principal that its rows know by number.
  public static func of(_ receipt: Receipt, space: SpaceID, principal: Int64, at: Timestamp) -> Int64 {
    var sum = RowChecksum()
    sum.add(UInt64(space.rawValue))
    sum.add(UInt64(bitPattern: principal))
    sum.add(receipt, at: at)
    return sum.value
  }

  /// The sum over a receipt of a principal that its rows know by name.
  public static func of(_ receipt: Receipt, space: SpaceID, principal: PrincipalName, at: Timestamp) -> Int64 {
    var sum = RowChecksum()
    sum.add(UInt64(space.rawValue))
    sum.add(principal.text.utf8)
    sum.add(receipt, at: at)
    return sum.value
  }

  private mutating func add(_ receipt: Receipt, at: Timestamp) {
    add(receipt.operation.rawValue.high)
    add(receipt.operation.rawValue.low)
    add(receipt.content.words.0)
    add(receipt.content.words.1)
    add(receipt.content.words.2)
    add(receipt.content.words.3)
    add(UInt64(receipt.code.rawValue) << 2 | (receipt.version == nil ? 0 : 1) << 1 | (receipt.revision == nil ? 0 : 1))
    add(receipt.version?.rawValue ?? 0)
    add(receipt.revision?.rawValue ?? 0)
    add(UInt64(bitPattern: at.rawValue))
  }

  /// The sum over a schema.
  public static func of(_ schema: SchemaRecord, space: SpaceID) -> Int64 {
    var sum = RowChecksum()
    sum.add(UInt64(space.rawValue))
    sum.add(schema.version)
    sum.add(UInt64(bitPattern: schema.appliedAt.rawValue))
    sum.add(schema.appliedBy.text.utf8)
    sum.add(schema.content)
    return sum.value
  }

  private var value: Int64 { Int64(bitPattern: state ^ (state >> 29)) }

  private mutating func add(_ word: UInt64) {
    state = (state ^ word) &* 0x0000_0100_0000_01B3
    state ^= state >> 32
  }

  /// Adds a length and the bytes.
  private mutating func add(_ bytes: some Collection<UInt8>) {
    add(UInt64(bytes.count))
    for byte in bytes { add(UInt64(byte)) }
  }
}
