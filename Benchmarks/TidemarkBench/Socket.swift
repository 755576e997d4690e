internal import Glibc
internal import TidemarkCore
internal import TidemarkWire

/// Raw sockets to 127.0.0.1.
enum Socket {
  /// Connects, with TCP_NODELAY. The caller closes it.
  static func connect(port: Int) throws(BenchError) -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw BenchError("no socket: errno \(errno)") }
    var on: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let failed = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard failed == 0 else {
      let number = errno
      close(socket)
      throw BenchError("cannot connect to 127.0.0.1:\(port): errno \(number)")
    }
    return socket
  }

  /// Connects and exchanges HELLO of the Tidemark framing.
  ///
  /// - Parameter creditBytes: what the server may send on streams without being given more; `nil` for the default.
  static func connectTidemark(port: Int, creditBytes: UInt32? = nil) throws(BenchError) -> Int32 {
    let socket = try connect(port: port)
    var hello = Hello()
    hello.name = "tidemark-bench"
    if let creditBytes { (hello.streamCreditBytes, hello.connectionCreditBytes) = (creditBytes, creditBytes) }
    var bytes = [UInt8]()
    bytes.appendBigEndian(Preface.encoded)
    let payload = hello.encode()
    bytes.append(FrameHeader(length: UInt32(clamping: payload.count), type: .hello))
    bytes += payload
    try sendAll(socket, bytes)
    let (header, _) = try readFrame(socket)
    guard header.type == FrameType.hello.rawValue else { throw BenchError("the server sent no HELLO") }
    return socket
  }

  /// Sends everything, waiting where the socket is full.
  static func sendAll(_ socket: Int32, _ bytes: [UInt8]) throws(BenchError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { raw in
        send(socket, raw.baseAddress.map { $0 + sent }, raw.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno == EAGAIN {
        var wait = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        poll(&wait, 1, 1_000)
      } else if errno != EINTR {
        throw BenchError("send failed: errno \(errno)")
      }
    }
  }

  /// Reads one frame, blocking.
  static func readFrame(_ socket: Int32) throws(BenchError) -> (FrameHeader, [UInt8]) {
    let head = try readExactly(socket, FrameHeader.bytes)
    guard let header = head.withUnsafeBytes({ FrameHeader(decoding: $0) }) else { throw BenchError("no header") }
    guard header.length <= UInt32(WireLimits.messageBytesMax) else { throw BenchError("a frame of \(header.length) bytes") }
    return (header, try readExactly(socket, Int(header.length)))
  }

  private static func readExactly(_ socket: Int32, _ count: Int) throws(BenchError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress.map { $0 + filled }, count - filled, 0) }
      guard got > 0 else { throw BenchError("the server closed the connection") }
      filled += got
    }
    return bytes
  }
}

/// A connection for single calls around a measurement.
final class ControlConnection {
  private let socket: Int32
  private let arena = MessageArena()
  private let meta: [UInt8]
  private var stream: UInt32 = 1

  init(_ options: Options) throws(BenchError) {
    socket = try Socket.connectTidemark(port: options.port)
    meta = CallTemplate.meta(token: options.token)
  }

  deinit { close(socket) }

  /// Calls and waits.
  func call<Response: DecodableMessage>(_ method: Method, _ request: some EncodableMessage) throws -> Response {
    try Socket.sendAll(socket, CallTemplate.frame(method, message: request.encode(using: arena), meta: meta, stream: stream))
    defer { stream += 2 }
    var message: [UInt8] = []
    while true {
      let (header, payload) = try Socket.readFrame(socket)
      guard header.type == FrameType.reply.rawValue, header.stream == stream else { continue }
      guard header.aux == 0, !header.flags.contains(.meta) else {
        throw BenchError("\(method.path) answered status \(header.aux): \(String(decoding: payload, as: UTF8.self))")
      }
      message += payload
      if !header.flags.contains(.more) { break }
    }
    return try message.withUnsafeBytes { try Response.decode($0, using: arena) }
  }
}
