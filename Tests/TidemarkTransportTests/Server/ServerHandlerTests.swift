import NIOCore
import NIOEmbedded
import Testing
import TidemarkWire

@testable import TidemarkTransport

/// The channel handler of a connection, without any socket.
struct ServerHandlerTests {
  /// A connection whose first call is so large that no other is parsed before it is answered.
  private struct Congested {
    let handler = EchoHandler()
    let channel = EmbeddedChannel()

    init() throws {
      var limits = ServerLimits()
      limits.bytesQueuedMax = 10
      let server = TidemarkServerHandler(
        handler: handler, limits: limits, hello: Hello(), eventLoop: channel.embeddedEventLoop, peer: "test", connectionID: 1,
        onClose: {})
      try channel.pipeline.syncOperations.addHandler(server)
      try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send(_ streams: [UInt32], partOf last: UInt32?) throws {
      var bytes = ByteBuffer()
      bytes.writeInteger(Preface.encoded)
      bytes.writeHello(Hello())
      bytes.writeCall(EchoHandler.parkedMethod, stream: 1, "a request of more than 10 bytes")
      for stream in streams { bytes.writeCall(Method.echo.rawValue, stream: stream, "\(stream)") }
      if let last {
        bytes.writeCall(Method.echo.rawValue, stream: last, "never complete")
        bytes.moveWriterIndex(to: bytes.writerIndex - 1)
      }
      try channel.writeInbound(bytes)
    }

    func closeInput() {
      channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
      channel.embeddedEventLoop.run()
    }

    /// The streams of the replies, in order.
    func replies() throws -> [UInt32] {
      channel.embeddedEventLoop.run()
      var bytes = ByteBuffer()
      while let next = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(next) }
      return Frame.all(in: bytes).filter { $0.type == .reply }.map(\.stream)
    }
  }

  @Test func timeForTheHandshakeBeginsWithTheConnectionAndNotWithThePreface() throws {
    let channel = EmbeddedChannel()
    let limits = ServerLimits()
    let server = TidemarkServerHandler(
      handler: EchoHandler(), limits: limits, hello: Hello(), eventLoop: channel.embeddedEventLoop, peer: "test", connectionID: 1,
      acceptedAt: .now() - limits.handshakeTimeout, onClose: {})
    try channel.pipeline.syncOperations.addHandler(server)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    try channel.writeInbound(ByteBuffer(integer: Preface.encoded))
    // Far less than the time for a handshake.
    channel.embeddedEventLoop.advanceTime(to: .now() + .seconds(1))
    let bytes = try #require(try channel.readOutbound(as: ByteBuffer.self))
    #expect(Frame.all(in: bytes).map { FramingErrorCode(aux: $0.aux) } == [.timeout])
  }

  /// The event loop was busy, so timers that are due come before the read.
  @Test func helloThatLiesUnreadWhenItsTimeIsOverIsStillTaken() throws {
    let channel = EmbeddedChannel()
    let limits = ServerLimits()
    let server = TidemarkServerHandler(
      handler: EchoHandler(), limits: limits, hello: Hello(), eventLoop: channel.embeddedEventLoop, peer: "test", connectionID: 1,
      acceptedAt: .now() - limits.handshakeTimeout, onClose: {})
    try channel.pipeline.syncOperations.addHandler(server)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    try channel.writeInbound(ByteBuffer(integer: Preface.encoded))
    channel.embeddedEventLoop.advanceTime(to: .now())
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
    var hello = ByteBuffer()
    hello.writeHello(Hello())
    try channel.writeInbound(hello)
    let bytes = try #require(try channel.readOutbound(as: ByteBuffer.self))
    #expect(Frame.all(in: bytes).map(\.type) == [.hello])
    #expect(channel.isActive)
  }

  @Test(arguments: [true, false]) func prefaceThatLiesUnreadWhenItsTimeIsOverIsStillTaken(comes: Bool) throws {
    let channel = EmbeddedChannel()
    let limits = ServerLimits()
    let loop = channel.embeddedEventLoop
    let sniffer = CodecSniffer(timeout: limits.handshakeTimeout, onClose: {}) {
      TidemarkServerHandler(
        handler: EchoHandler(), limits: limits, hello: Hello(), eventLoop: loop, peer: "test", connectionID: 1, onClose: {})
    }
    try channel.pipeline.syncOperations.addHandler(sniffer)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    loop.advanceTime(by: limits.handshakeTimeout)
    #expect(channel.isActive)
    if comes { try channel.writeInbound(ByteBuffer(integer: Preface.encoded)) }
    loop.advanceTime(by: .seconds(1))
    #expect(channel.isActive == comes)
  }

  @Test(arguments: [nil, 9] as [UInt32?])
  func callsThatWaitUnparsedAreAnsweredAfterTheClientClosedItsSide(_ last: UInt32?) throws {
    let connection = try Congested()
    try connection.send([3, 5, 7], partOf: last)
    connection.closeInput()
    #expect(try connection.replies() == [])
    #expect(connection.channel.isActive)
    connection.handler.completeParked()
    #expect(try connection.replies() == [1, 3, 5, 7])
    #expect(!connection.channel.isActive)
  }

  @Test func connectionEndsAfterTheReplyWhenNothingWaitsUnparsed() throws {
    let connection = try Congested()
    try connection.send([], partOf: nil)
    connection.closeInput()
    #expect(connection.channel.isActive)
    connection.handler.completeParked()
    #expect(try connection.replies() == [1])
    #expect(!connection.channel.isActive)
  }
}

extension ByteBuffer {
  fileprivate mutating func writeCall(_ method: UInt16, stream: UInt32, _ message: String) {
    let length = UInt32(message.utf8.count)
    writeFrameHeader(FrameHeader(length: length, type: .call, flags: .end, aux: method, stream: stream))
    writeString(message)
  }
}
