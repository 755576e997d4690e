/// Reads protobuf by hand: what is judged of each reply must cost the loader next to nothing.
struct WireCursor {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }

  /// A tag or number; `nil` when none is there.
  mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < bytes.count, shift < 64 {
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  /// A length and that many bytes; `nil` when fewer are there.
  mutating func part() -> UnsafeRawBufferPointer? {
    guard let length = varint(), length <= UInt64(bytes.count - offset) else { return nil }
    defer { offset += Int(length) }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + Int(length))])
  }
}

/// What a loader looks at of an `Outcome` in outcome.proto.
struct OutcomeState {
  static let applied: UInt64 = 1
  static let conflict: UInt64 = 4

  private(set) var code: UInt64 = 0
  private(set) var version: UInt64 = 0
  private(set) var revision: UInt64 = 0

  /// `nil` when the bytes are no outcome that tells a state.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var cursor = WireCursor(bytes)
    while !cursor.isAtEnd {
      guard let tag = cursor.varint() else { return nil }
      switch tag & 7 {
      case 0:
        guard let value = cursor.varint() else { return nil }
        switch tag >> 3 {
        case 1: code = value
        case 5: version = value
        case 6: revision = value
        default: break
        }
      case 2: guard cursor.part() != nil else { return nil }
      default: return nil
      }
    }
    guard version > 0, revision > 0 else { return nil }
  }
}
