/// Writes into memory whose size was computed before.
struct ByteWriter {
  private let target: UnsafeMutableBufferPointer<UInt8>
  private(set) var position = 0

  init(_ target: UnsafeMutableBufferPointer<UInt8>) { self.target = target }

  mutating func writeByte(_ byte: UInt8) {
    precondition(position < target.count, "the size of an encoding was computed too small")
    target[position] = byte
    position += 1
  }

  mutating func writeVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      writeByte(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    writeByte(UInt8(truncatingIfNeeded: rest))
  }

  mutating func writeFixed64(_ value: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { writeByte(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  /// Writes the length, then the bytes.
  mutating func writeText(_ text: String) {
    var copy = text
    copy.withUTF8 { writeLengthAndBytes(UnsafeRawBufferPointer($0)) }
  }

  /// Writes the length, then the bytes.
  mutating func writeBytes(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { writeLengthAndBytes($0) }
  }

  private mutating func writeLengthAndBytes(_ bytes: UnsafeRawBufferPointer) {
    writeVarint(UInt64(bytes.count))
    copy(bytes)
  }

  /// Writes the bytes alone.
  mutating func copy(_ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count <= target.count - position, "the size of an encoding was computed too small")
    guard bytes.count > 0 else { return }
    UnsafeMutableRawBufferPointer(target)[position..<(position + bytes.count)].copyBytes(from: bytes)
    position += bytes.count
  }

  static func sizeOfVarint(_ value: UInt64) -> Int { value < 0x80 ? 1 : (64 - value.leadingZeroBitCount + 6) / 7 }

  /// A tag of one byte, a length, and a body of that size.
  static func sizeOfNested(_ size: Int) -> Int { 1 + sizeOfVarint(UInt64(size)) + size }
}

/// Reads bytes and never past their end. Every read answers `nil` on bytes that do not fit.
struct ByteReader {
  private let source: UnsafeRawBufferPointer
  private var position: Int

  init(_ source: UnsafeRawBufferPointer) {
    self.source = source
    position = 0
  }

  var isAtEnd: Bool { position == source.count }
  var remainingBytes: [UInt8] { [UInt8](source[position...]) }

  mutating func readByte() -> UInt8? {
    guard position < source.count else { return nil }
    defer { position += 1 }
    return source[position]
  }

  mutating func readBool() -> Bool? {
    switch readByte() {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// Reads a varint of at most ten bytes, as short as it can be.
  mutating func readVarint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard let byte = readByte() else { return nil }
      if shift == 63, byte > 1 { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return byte == 0 && shift > 0 ? nil : value }
    }
    return nil
  }

  mutating func readFixed64() -> UInt64? {
    guard source.count - position >= 8 else { return nil }
    defer { position += 8 }
    return UInt64(littleEndian: source.loadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  /// Reads a length and that many bytes.
  mutating func readNested() -> ByteReader? {
    guard let length = readVarint(), length <= UInt64(source.count - position) else { return nil }
    defer { position += Int(length) }
    return ByteReader(UnsafeRawBufferPointer(rebasing: source[position..<(position + Int(length))]))
  }

  /// Reads a length and that many bytes of valid UTF-8.
  mutating func readText() -> String? {
    guard let nested = readNested() else { return nil }
    // Most text is ASCII, which every decoder takes as it is; `validating` is not specialised (Swift 6.3) and costs several times as much.
    if nested.source.allSatisfy({ $0 < 0x80 }) { return String(decoding: nested.source, as: UTF8.self) }
    return String(validating: nested.source, as: UTF8.self)
  }
}
