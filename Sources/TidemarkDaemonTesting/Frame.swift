public import TidemarkWire

/// One frame, right or wrong.
public struct Frame: Equatable, Sendable {
  public var type: UInt8
  public var flags: FrameFlags = []
  public var aux: UInt16 = 0
  public var stream: UInt32 = 0
  public var payload: [UInt8] = []

  public init(_ type: FrameType, flags: FrameFlags = [], aux: UInt16 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
    self.init(raw: type.rawValue, flags: flags, aux: aux, stream: stream, payload)
  }

  public init(raw type: UInt8, flags: FrameFlags = [], aux: UInt16 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
    (self.type, self.flags, self.aux, self.stream, self.payload) = (type, flags, aux, stream, payload)
  }

  public static func call(_ method: UInt16, stream: UInt32, flags: FrameFlags = .end, _ payload: [UInt8] = []) -> Frame {
    Frame(.call, flags: flags, aux: method, stream: stream, payload)
  }

  /// A CALL with a block of metadata in front of the message.
  public static func call(_ method: UInt16, stream: UInt32, meta: [UInt8], flags: FrameFlags = .end, _ message: [UInt8] = [])
    -> Frame
  {
    let length = [UInt8(truncatingIfNeeded: meta.count >> 8), UInt8(truncatingIfNeeded: meta.count)]
    return call(method, stream: stream, flags: flags.union(.meta), length + meta + message)
  }

  public static func credit(_ increment: UInt32, stream: UInt32 = 0) -> Frame {
    Frame(.credit, stream: stream, bigEndian(increment))
  }

  public static func cancel(_ stream: UInt32) -> Frame {
    Frame(.cancel, aux: FramingErrorCode.cancelled.rawValue, stream: stream)
  }

  /// The encoding, with the length of the payload or with a lie.
  public func bytes(length: UInt32? = nil) -> [UInt8] {
    let head = bigEndian(length ?? UInt32(clamping: payload.count))
    let aux = [UInt8(truncatingIfNeeded: aux >> 8), UInt8(truncatingIfNeeded: aux)]
    return head + [type, flags.rawValue] + aux + bigEndian(stream) + payload
  }

  /// All complete frames in bytes.
  public static func all(in bytes: [UInt8]) -> [Frame] {
    var frames: [Frame] = []
    var rest = bytes[...]
    while let frame = Frame(takingFrom: &rest) { frames.append(frame) }
    return frames
  }

  /// Takes the first frame out of bytes; `nil` when it is not complete.
  public init?(takingFrom bytes: inout ArraySlice<UInt8>) {
    guard let header = bytes.withUnsafeBytes({ FrameHeader(decoding: $0) }) else { return nil }
    let size = FrameHeader.bytes + Int(header.length)
    guard bytes.count >= size else { return nil }
    let payload = bytes.dropFirst(FrameHeader.bytes).prefix(Int(header.length))
    self.init(raw: header.type, flags: header.flags, aux: header.aux, stream: header.stream, Array(payload))
    bytes = bytes.dropFirst(size)
  }

  /// A message cut into CALL frames.
  public static func fragments(_ method: UInt16, stream: UInt32, _ message: [UInt8], size: Int = 65_536, isComplete: Bool = true)
    -> [Frame]
  {
    stride(from: 0, to: max(1, message.count), by: size).map { start in
      let end = min(start + size, message.count)
      let isLast = end == message.count && isComplete
      return call(start == 0 ? method : 0, stream: stream, flags: isLast ? .end : .more, Array(message[start..<end]))
    }
  }
}

/// A number in network byte order.
public func bigEndian(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

/// Preface and an empty HELLO.
public let opening: [UInt8] = [0x54, 0x44, 0x4D, 0x4B, 1, 0, 0, 0] + Frame(.hello).bytes()

extension [Frame] {
  /// The encodings, one after the other.
  public var bytes: [UInt8] { flatMap { $0.bytes() } }
}
