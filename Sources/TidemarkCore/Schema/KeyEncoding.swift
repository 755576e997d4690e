/// Encodes the values of a key so that the order of the bytes is the order of the values, in every engine.
///
/// Every value starts with a tag, and the tags sort kinds: null first. A value is never a prefix of another one of its kind.
///
/// ```
/// null 01 | bool 02 b | int 03 8 bytes BE, sign bit flipped | double 04 8 bytes BE, sign bit flipped, all bits when negative
/// | timestamp 05 as int | string 06 bytes, 00 as 00 FF, then 00 | bytes 07 as string
/// ```
/// Doubles are in the total order of IEEE 754: negative NaN, -infinity, …, -0, 0, …, infinity, NaN. Strings are ordered by their UTF-8.
public enum KeyEncoding {
  /// Appends a value; false, and nothing appended, for a list or JSON, which have no order.
  public static func append(_ value: Value, to bytes: inout [UInt8]) -> Bool {
    switch value {
    case .null: bytes.append(0x01)
    case .bool(let value): bytes += [0x02, value ? 1 : 0]
    case .int(let value): append(0x03, UInt64(bitPattern: value) ^ signBit, to: &bytes)
    case .double(let bits): append(0x04, bits & signBit == 0 ? bits ^ signBit : ~bits, to: &bytes)
    case .timestamp(let value): append(0x05, UInt64(bitPattern: value.rawValue) ^ signBit, to: &bytes)
    case .string(let text): append(0x06, text.utf8, to: &bytes)
    case .bytes(let content): append(0x07, content, to: &bytes)
    case .list, .json: return false
    }
    return true
  }

  private static let signBit: UInt64 = 1 << 63

  private static func append(_ tag: UInt8, _ bits: UInt64, to bytes: inout [UInt8]) {
    bytes.append(tag)
    for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
  }

  private static func append(_ tag: UInt8, _ content: some Collection<UInt8>, to bytes: inout [UInt8]) {
    bytes.append(tag)
    for byte in content {
      bytes.append(byte)
      if byte == 0 { bytes.append(0xFF) }
    }
    bytes.append(0)
  }
}
