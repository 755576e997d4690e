import Testing
import TidemarkCore

@testable import TidemarkWire

/// Runs a throwing closure over an array's bytes with its typed error.
func withBytes<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> R) throws(WireError) -> R {
  var result: Result<R, WireError> = .failure(.unparsable)
  bytes.withUnsafeBytes { raw in result = Result { () throws(WireError) in try body(raw) } }
  return try result.get()
}

extension DecodableMessage {
  /// Decodes an array.
  static func decode(_ bytes: [UInt8], using arena: MessageArena) throws(WireError) -> Self {
    try withBytes(bytes) { (raw) throws(WireError) in try decode(raw, using: arena) }
  }
}

/// The error that decoding throws; `nil` when it succeeds.
func refusal<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> R) -> WireError? {
  do throws(WireError) {
    _ = try withBytes(bytes, body)
    return nil
  } catch {
    return error
  }
}

/// Puts protobuf together by hand.
enum Raw {
  static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
  static func number(_ field: UInt64, _ value: UInt64) -> [UInt8] { varint(field << 3) + varint(value) }
  static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
    varint(field << 3 | 2) + varint(UInt64(content.count)) + content
  }
  static func text(_ field: UInt64, _ content: String) -> [UInt8] { bytes(field, Array(content.utf8)) }
}

/// A seed for this run: printed, and settable to repeat a failure.
func freshSeed(_ name: String) -> UInt64 {
  let seed = UInt64.random(in: 0 ... .max)
  print("\(name): seed \(seed)")
  return seed
}
