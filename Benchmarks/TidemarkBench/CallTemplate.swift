internal import TidemarkWire

/// The bytes of calls.
enum CallTemplate {
  /// The metadata of every call; empty without a token.
  static func meta(token: String) -> [UInt8] {
    guard !token.isEmpty else { return [] }
    var meta = CallMeta()
    meta.authorization = "Bearer \(token)"
    return meta.encode()
  }

  /// One CALL with everything.
  static func frame(_ method: Method, message: [UInt8], meta: [UInt8], stream: UInt32) -> [UInt8] {
    var bytes = start(method, meta: meta, stream: stream)
    bytes += message
    close(&bytes)
    return bytes
  }

  /// A CALL up to its message, with a length of 0.
  static func start(_ method: Method, meta: [UInt8], stream: UInt32 = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    let flags: FrameFlags = meta.isEmpty ? .end : [.end, .meta]
    bytes.append(FrameHeader(length: 0, type: .call, flags: flags, aux: method.rawValue, stream: stream))
    if !meta.isEmpty {
      bytes.append(UInt8(truncatingIfNeeded: meta.count >> 8))
      bytes.append(UInt8(truncatingIfNeeded: meta.count))
      bytes += meta
    }
    return bytes
  }

  /// Sets the length once the message is there.
  static func close(_ bytes: inout [UInt8]) { bytes.store(UInt32(clamping: bytes.count - FrameHeader.bytes), at: 0) }

  /// Sets the stream.
  static func setStream(_ stream: UInt32, in bytes: inout [UInt8]) { bytes.store(stream, at: 8) }
}

extension [UInt8] {
  mutating func appendBigEndian(_ number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }

  mutating func append(_ header: FrameHeader) {
    appendBigEndian(header.head)
    appendBigEndian(header.stream)
  }

  /// Overwrites four bytes, big-endian.
  mutating func store(_ number: UInt32, at offset: Int) {
    withUnsafeMutableBytes { $0.storeBytes(of: number.bigEndian, toByteOffset: offset, as: UInt32.self) }
  }

  /// Appends a protobuf varint.
  mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }
}
