import NIOCore
import NIOPosix
import Synchronization
import Testing
import TidemarkTesting
import TidemarkTransport
import TidemarkWire

/// A server whose event loop is busy for longer than its timeouts.
@Suite(.timeLimit(.minutes(1))) struct BusyLoopTests {
  /// How far the loop and its client are.
  private final class Progress: Sendable {
    let isBusy = Atomic(false)
    let isSent = Atomic(false)
  }

  /// - Parameter early: how many bytes of preface and HELLO the server reads before its loop is busy.
  @Test(arguments: [0, 3, 8, 12]) func helloThatLiesUnreadWhenItsTimeIsOverIsStillTaken(early: Int) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var limits = ServerLimits()
    limits.handshakeTimeout = .milliseconds(400)
    let listener = try await TidemarkListener.start(port: 0, group: group, limits: limits) { _ in EchoHandler() }
    var bytes = ByteBuffer()
    bytes.writeInteger(Preface.encoded)
    bytes.writeFrameHeader(FrameHeader(length: 0, type: .hello))
    let opening = Array(bytes.readableBytesView)
    let client = try RawConnection(port: listener.port)
    while listener.connectionCount == 0 { await Task.yield() }
    client.send(Array(opening.prefix(early)))
    let progress = Progress()
    let loop = group.next()
    // A task of the loop comes after it has read what was there.
    try await loop.submit {}.get()
    let isLate = NIODeadline.now() + limits.handshakeTimeout
    loop.execute {
      progress.isBusy.store(true, ordering: .releasing)
      while NIODeadline.now() < isLate || !progress.isSent.load(ordering: .acquiring) {}
    }
    while !progress.isBusy.load(ordering: .acquiring) { await Task.yield() }
    client.send(Array(opening.dropFirst(early)))
    progress.isSent.store(true, ordering: .releasing)
    let answer = try #require(client.receive())
    #expect(answer.count > FrameHeader.bytes && answer[4] == FrameType.hello.rawValue)
    client.halfClose()
    #expect(await listener.drain(timeout: .seconds(5)) == 0)
    try await group.shutdownGracefully()
  }

  @Test(arguments: [0, 8]) func clientThatSaysNothingMoreIsClosed(early: Int) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var limits = ServerLimits()
    limits.handshakeTimeout = .milliseconds(20)
    let listener = try await TidemarkListener.start(port: 0, group: group, limits: limits) { _ in EchoHandler() }
    let client = try RawConnection(port: listener.port)
    client.send(Array(ByteBuffer(integer: Preface.encoded).readableBytesView.prefix(early)))
    let answer = try #require(client.receiveUntilClosed())
    #expect(answer.isEmpty == (early == 0))
    try await group.shutdownGracefully()
  }
}
