/// Walks the fields of one encoded protobuf message, in order and without copying.
///
/// Every read is checked against the bounds; nothing a peer sends can trap. Groups (wire types 3 and 4) and the unassigned
/// wire types 6 and 7 are refused, as are field number 0 and varints of more than 64 bits.
struct WireReader {
  /// How the value of a field is encoded (protobuf.dev, "Message Structure").
  enum WireType: UInt8 {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case fixed32 = 5
  }

  /// The number of a field and how its value is encoded.
  struct Tag {
    var number: UInt32
    var type: WireType
  }

  private let bytes: UnsafeRawBufferPointer
  /// How many bytes were read.
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Reads the next tag; `nil` at the end of the message.
  @inline(__always)
  mutating func readTag() throws(WireError) -> Tag? {
    guard position < bytes.count else { return nil }
    let raw: UInt64
    let first = bytes[position]
    if first < 0x80 {
      position &+= 1
      raw = UInt64(first)
    } else {
      let start = position
      raw = try readLongVarint()
      guard position &- start <= 5, raw <= UInt64(UInt32.max) else { throw .badTag }
    }
    guard raw >= 8 else { throw .badTag }
    guard let type = WireType(rawValue: UInt8(truncatingIfNeeded: raw & 7)) else { throw .badWireType }
    return Tag(number: UInt32(truncatingIfNeeded: raw >> 3), type: type)
  }

  /// Reads a number of 7 bits a byte, lowest first, in at most 10 bytes.
  @inline(__always)
  mutating func readVarint() throws(WireError) -> UInt64 {
    guard position < bytes.count else { throw .truncated }
    let first = bytes[position]
    guard first >= 0x80 else {
      position &+= 1
      return UInt64(first)
    }
    return try readLongVarint()
  }

  private mutating func readLongVarint() throws(WireError) -> UInt64 {
    var result: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count {
      let byte = bytes[position]
      position &+= 1
      if shift == 63, byte > 1 { throw .varintTooLong }
      result |= UInt64(byte & 0x7F) &<< shift
      if byte < 0x80 { return result }
      shift &+= 7
    }
    throw .truncated
  }

  /// Reads a length and the bytes it announces.
  @inline(__always)
  mutating func readBytes() throws(WireError) -> UnsafeRawBufferPointer {
    let length = try readVarint()
    guard length <= UInt64(bytes.count &- position) else { throw .truncated }
    let start = position
    position &+= Int(length)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
  }

  /// Reads 8 bytes, lowest first.
  @inline(__always)
  mutating func readFixed64() throws(WireError) -> UInt64 {
    guard bytes.count &- position >= 8 else { throw .truncated }
    let value = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    position &+= 8
    return value
  }

  /// Reads a length and that much UTF-8.
  mutating func readString() throws(WireError) -> String { try String(wire: readBytes()) }

  /// Passes over a value that is not wanted.
  @inline(__always)
  mutating func skip(_ type: WireType) throws(WireError) {
    switch type {
    case .varint: _ = try readVarint()
    case .bytes: _ = try readBytes()
    case .fixed64: try skip(count: 8)
    case .fixed32: try skip(count: 4)
    }
  }

  private mutating func skip(count: Int) throws(WireError) {
    guard bytes.count &- position >= count else { throw .truncated }
    position &+= count
  }
}

extension WireReader {
  /// The content of the one sub-message of a message that has no other fields; `nil` when it is absent. Unknown fields are ignored.
  static func only(_ number: UInt32, of bytes: UnsafeRawBufferPointer) throws(WireError) -> UnsafeRawBufferPointer? {
    guard bytes.count <= WireLimits.messageBytesMax else { throw .tooLarge }
    var content: UnsafeRawBufferPointer?
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      guard tag.number == number else {
        try reader.skip(tag.type)
        continue
      }
      guard tag.type == .bytes else { throw .unparsable }
      guard content == nil else { throw .repeatedSubmessage }
      content = try reader.readBytes()
    }
    return content
  }
}

extension WireReader {
  /// Takes the elements of a repeated sub-message out of a message.
  ///
  /// - Returns: the elements, in place, and the message without them, which lives in the arena until the next reset.
  /// - Throws: `tooMany` when there are more than `countMax` elements.
  static func split(
    _ bytes: UnsafeRawBufferPointer, number: UInt32, countMax: Int, tooMany: WireError, in arena: MessageArena
  ) throws(WireError) -> (elements: [UnsafeRawBufferPointer], rest: UnsafeRawBufferPointer) {
    guard bytes.count <= WireLimits.messageBytesMax else { throw .tooLarge }
    let rest = UnsafeMutableRawBufferPointer(start: try arena.allocate(bytes: max(1, bytes.count)), count: bytes.count)
    var restCount = 0
    var elements: [UnsafeRawBufferPointer] = []
    var reader = WireReader(bytes)
    while true {
      let start = reader.position
      guard let tag = try reader.readTag() else { break }
      if tag.number == number, tag.type == .bytes {
        guard elements.count < countMax else { throw tooMany }
        elements.append(try reader.readBytes())
      } else {
        try reader.skip(tag.type)
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<reader.position])
        UnsafeMutableRawBufferPointer(rebasing: rest[restCount...]).copyMemory(from: piece)
        restCount += piece.count
      }
    }
    return (elements, UnsafeRawBufferPointer(rebasing: rest[..<restCount]))
  }
}

extension String {
  /// Copies text out of a message. NUL is text like any other.
  ///
  /// - Throws: `malformed` when the bytes are not UTF-8.
  init(wire bytes: UnsafeRawBufferPointer) throws(WireError) {
    // Most text is ASCII, which every decoder takes as it is. `validating` alone costs several times as much: it is not
    // specialised, and looks up metadata on each call (Swift 6.3).
    if bytes.isASCII {
      self = String(decoding: bytes, as: UTF8.self)
    } else if let text = String(validating: bytes, as: UTF8.self) {
      self = text
    } else {
      throw .notUTF8
    }
  }
}

extension UnsafeRawBufferPointer {
  /// True when no byte has its high bit set.
  fileprivate var isASCII: Bool {
    var position = 0
    var seen: UInt64 = 0
    while count &- position >= 8 {
      seen |= loadUnaligned(fromByteOffset: position, as: UInt64.self)
      position &+= 8
    }
    while position < count {
      seen |= UInt64(self[position])
      position &+= 1
    }
    return seen & 0x8080_8080_8080_8080 == 0
  }
}
