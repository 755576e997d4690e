internal import TidemarkWire

/// Frames for the bare echo: a length, then bytes. As large as the CALL of an Echo without credentials.
struct RawLoad: Load {
  static let headerBytes = 4
  private let frame: [UInt8]

  init(frameBytes: Int) {
    var frame: [UInt8] = []
    frame.appendBigEndian(UInt32(frameBytes - RawLoad.headerBytes))
    frame += [UInt8](repeating: 0x78, count: frameBytes - RawLoad.headerBytes)
    self.frame = frame
  }

  func payloadLength(_ header: UnsafeRawPointer) -> (length: Int, isReply: Bool) {
    (Int(UInt32(bigEndian: header.loadUnaligned(as: UInt32.self))), true)
  }

  func request(slot: Int) -> [UInt8] { frame }

  func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError) {
    guard payload.count + RawLoad.headerBytes == frame.count else { throw BenchError("the echo has another size") }
  }

  func connect(port: Int) throws(BenchError) -> Int32 { try Socket.connect(port: port) }
}

/// What the loads of the Tidemark framing have in common.
protocol TidemarkLoad: Load {}

extension TidemarkLoad {
  static var headerBytes: Int { FrameHeader.bytes }

  func payloadLength(_ header: UnsafeRawPointer) throws(BenchError) -> (length: Int, isReply: Bool) {
    guard let header = FrameHeader(decoding: UnsafeRawBufferPointer(start: header, count: FrameHeader.bytes)) else {
      throw BenchError("no header")
    }
    switch header.type {
    case FrameType.reply.rawValue:
      guard header.aux == 0 else { throw BenchError("a call was answered with status \(header.aux)") }
      guard header.flags == .end else { throw BenchError("a reply with flags \(header.flags.rawValue)") }
      return (Int(header.length), true)
    case FrameType.goAway.rawValue: throw BenchError("the server sent GOAWAY with code \(header.aux)")
    default: return (Int(header.length), false)
    }
  }

  func connect(port: Int) throws(BenchError) -> Int32 { try Socket.connectTidemark(port: port) }
}

/// Echo: the same bytes again and again, apart from the stream.
struct EchoLoad: TidemarkLoad {
  private var frame: [UInt8]
  private let message: [UInt8]
  private var stream: UInt32 = 1

  init(message: [UInt8], token: String) {
    self.message = message
    frame = CallTemplate.frame(.echo, message: message, meta: CallTemplate.meta(token: token), stream: 1)
  }

  /// Streams rise on each connection because they rise over all of them.
  mutating func request(slot: Int) -> [UInt8] {
    CallTemplate.setStream(stream, in: &frame)
    stream &+= 2
    return frame
  }

  func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError) {
    guard payload.count == message.count else { throw BenchError("the echo has another size") }
  }
}
