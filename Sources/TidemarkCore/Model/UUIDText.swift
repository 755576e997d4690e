/// The 36-character text of a UUID (RFC 9562, section 4).
public enum UUIDText {
  /// Writes lower-case text.
  public static func format(_ value: Bytes16) -> String {
    String(unsafeUninitializedCapacity: 36) { buffer in
      var position = 0
      for index in 0..<32 {
        if index == 8 || index == 12 || index == 16 || index == 20 {
          buffer[position] = UInt8(ascii: "-")
          position += 1
        }
        let word = index < 16 ? value.high : value.low
        let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - (index % 16) * 4)) & 0xF
        buffer[position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        position += 1
      }
      return 36
    }
  }

  /// Reads text of either case; `nil` when it is not a UUID.
  public static func parse(_ text: String) -> Bytes16? {
    var copy = text
    return copy.withUTF8 { parse(UnsafeRawBufferPointer($0)) }
  }

  /// Reads text of either case; `nil` when it is not a UUID.
  public static func parse(_ text: UnsafeRawBufferPointer) -> Bytes16? {
    guard text.count == 36, text[8] == dash, text[13] == dash, text[18] == dash, text[23] == dash else { return nil }
    var words: (UInt64, UInt64) = (0, 0)
    var nibbles = 0
    for index in 0..<36 where index != 8 && index != 13 && index != 18 && index != 23 {
      guard let nibble = hexValue(text[index]) else { return nil }
      if nibbles < 16 { words.0 = words.0 << 4 | nibble } else { words.1 = words.1 << 4 | nibble }
      nibbles += 1
    }
    return Bytes16(high: words.0, low: words.1)
  }

  private static let dash = UInt8(ascii: "-")

  /// Makes a version 7 UUID: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562, section 5.7).
  public static func makeVersion7(now: Timestamp, using random: inout some RandomNumberGenerator) -> Bytes16 {
    let milliseconds = UInt64(clamping: now.rawValue / 1_000) & 0xFFFF_FFFF_FFFF
    let noise: UInt64 = random.next()
    let tail: UInt64 = random.next()
    return Bytes16(high: milliseconds << 16 | 0x7000 | (noise & 0xFFF), low: 0x8000_0000_0000_0000 | (tail >> 2))
  }

  private static func hexValue(_ byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }
}
