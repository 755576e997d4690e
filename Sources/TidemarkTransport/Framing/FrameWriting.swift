import NIOCore
import TidemarkWire

/// A message that leaves as one CALL or REPLY, in as many frames as it needs.
struct OutgoingMessage {
  var type: FrameType
  /// END, when the sender half-closes with this message.
  var end = true
  var aux: UInt16
  var stream: UInt32
  /// The encoded `CallMeta`; empty for none. At most 8 KiB.
  var meta: [UInt8] = []
  var message: ByteBuffer
  var isCompressed = false
}

extension ByteBuffer {
  @inline(__always)
  mutating func writeFrameHeader(_ header: FrameHeader) {
    writeMultipleIntegers(header.head, header.stream)
  }

  /// Writes a message as one frame, or as fragments when it is larger than `frameBytesMax`.
  mutating func writeMessage(_ outgoing: OutgoingMessage, frameBytesMax: Int) {
    var message = outgoing.message
    var prefix = outgoing.meta.isEmpty ? 0 : 2 + outgoing.meta.count
    let total = prefix + message.readableBytes
    reserveCapacity(minimumWritableBytes: total + FrameHeader.bytes * (1 + total / frameBytesMax))
    var flags: FrameFlags = outgoing.meta.isEmpty ? [] : .meta
    if outgoing.isCompressed { flags.insert(.compressed) }
    var aux = outgoing.aux
    while true {
      let part = min(message.readableBytes, max(0, frameBytesMax - prefix))
      if part < message.readableBytes {
        flags.insert(.more)
      } else if outgoing.end {
        flags.insert(.end)
      }
      writeFrameHeader(
        FrameHeader(
          length: UInt32(clamping: prefix + part), type: outgoing.type, flags: flags, aux: aux, stream: outgoing.stream))
      if prefix > 0 {
        writeInteger(UInt16(clamping: outgoing.meta.count))
        writeBytes(outgoing.meta)
      }
      if let bytes = message.readSlice(length: part) { writeImmutableBuffer(bytes) }
      guard flags.contains(.more) else { return }
      flags = []
      aux = 0
      prefix = 0
    }
  }

  mutating func writeHello(_ hello: Hello) {
    let bytes = hello.encode()
    writeFrameHeader(FrameHeader(length: UInt32(clamping: bytes.count), type: .hello))
    writeBytes(bytes)
  }

  mutating func writeCancel(_ code: FramingErrorCode, stream: UInt32) {
    writeFrameHeader(FrameHeader(length: 0, type: .cancel, aux: code.rawValue, stream: stream))
  }

  mutating func writeCredit(_ increment: UInt32, stream: UInt32) {
    guard increment > 0 else { return }
    writeFrameHeader(FrameHeader(length: 4, type: .credit, stream: stream))
    writeInteger(increment)
  }

  mutating func writePing(_ opaque: UInt64, isAnswer: Bool) {
    writeFrameHeader(FrameHeader(length: 8, type: .ping, flags: isAnswer ? .pong : []))
    writeInteger(opaque)
  }

  mutating func writeGoAway(_ goAway: GoAway, code: FramingErrorCode) {
    let bytes = goAway.encode()
    writeFrameHeader(FrameHeader(length: UInt32(clamping: bytes.count), type: .goAway, aux: code.rawValue))
    writeBytes(bytes)
  }

  /// The header at the reader index, without moving it; `nil` when fewer than 12 bytes are there.
  @inline(__always)
  func peekFrameHeader() -> FrameHeader? {
    withUnsafeReadableBytes { FrameHeader(decoding: $0) }
  }
}
