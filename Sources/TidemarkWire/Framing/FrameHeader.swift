/// The 12 bytes before every payload.
///
/// ```
///  0        4     5      6      8         12
///  | length | type | flags | aux  | stream  | payload (length bytes) …
///  | u32    | u8   | u8    | u16  | u32     |            all big-endian
/// ```
///
/// A value of this type is not yet checked: `type` may be unknown, `length` above every limit, `stream` of the wrong parity.
@frozen public struct FrameHeader: Hashable, Sendable {
  /// The encoded size of a header.
  public static let bytes = 12

  /// The bytes of the payload, this header not included.
  public var length: UInt32
  /// The raw value of a `FrameType`, or of a type this version does not know.
  public var type: UInt8
  /// The flags; their meaning depends on the type.
  public var flags: FrameFlags
  /// The method in CALL, the status in REPLY, a `FramingErrorCode` in CANCEL and GOAWAY; else 0.
  public var aux: UInt16
  /// The stream, or 0 for the connection.
  public var stream: UInt32

  @inlinable
  public init(length: UInt32, type: FrameType, flags: FrameFlags = [], aux: UInt16 = 0, stream: UInt32 = 0) {
    self.length = length
    self.type = type.rawValue
    self.flags = flags
    self.aux = aux
    self.stream = stream
  }

  /// Decodes the header at the start of `bytes`; `nil` when there are fewer than 12.
  @inlinable
  public init?(decoding bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= FrameHeader.bytes else { return nil }
    let head = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    length = UInt32(truncatingIfNeeded: head >> 32)
    type = UInt8(truncatingIfNeeded: head >> 24)
    flags = FrameFlags(rawValue: UInt8(truncatingIfNeeded: head >> 16))
    aux = UInt16(truncatingIfNeeded: head)
    stream = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
  }

  /// The first eight bytes, as one big-endian number; `stream` follows them.
  @inlinable
  public var head: UInt64 {
    UInt64(length) << 32 | UInt64(type) << 24 | UInt64(flags.rawValue) << 16 | UInt64(aux)
  }
}
