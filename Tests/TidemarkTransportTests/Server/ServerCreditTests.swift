import NIOCore
import Testing
import TidemarkWire

@testable import TidemarkTransport

/// Credit that a client gives before its call is complete.
struct ServerCreditTests {
  private func open() -> ServerHarness {
    var hello = Hello()
    hello.streamCreditBytes = 4
    return .open(hello: hello)
  }

  private func credit(_ increment: UInt32, _ server: inout ServerHarness) {
    server.feed(FrameHeader(length: 4, type: .credit, stream: 1), ByteBuffer(integer: increment))
  }

  @Test func creditGivenWhileTheCallIsIncompleteCountsForItsStream() {
    var server = open()
    server.call(Method.list.rawValue, stream: 1, "abc", flags: .more)
    credit(3, &server)
    server.call(0, stream: 1, "de", flags: .more)
    credit(3, &server)
    server.call(0, stream: 1, "f")
    // Two messages of 6 bytes, for 4 + 3 + 3 bytes of credit.
    #expect(server.frames().map(\.text) == ["abcdef", "abcd"])
    credit(2, &server)
    let frames = server.frames()
    #expect(frames.map(\.type) == [.data, .reply])
    #expect(frames.first?.text == "ef")
  }

  @Test func creditOfAnIncompleteCallMustNotPassTheMaximum() {
    var server = open()
    server.call(Method.list.rawValue, stream: 1, "abc", flags: .more)
    credit(UInt32(Int32.max) - 4, &server)
    #expect(server.closedAfterWriting == nil)
    credit(1, &server)
    #expect(server.closedAfterWriting == true)
    #expect(server.frames().last.map { FramingErrorCode(aux: $0.aux) } == .flowControl)
  }

  @Test(arguments: [Method.echo.rawValue, 9_999]) func creditOfACallThatIsAnsweredAtOnceLeavesNothing(_ method: UInt16) {
    var server = open()
    server.call(method, stream: 1, "a", flags: .more)
    credit(9, &server)
    server.call(0, stream: 1, "b")
    #expect(server.frames().map(\.type) == [.reply])
    #expect(!server.machine.outbound.contains(1))
    #expect(server.machine.callsInFlight == 0)
  }

  @Test func creditOfACallThatIsCancelledLeavesNothing() {
    var server = open()
    server.call(Method.list.rawValue, stream: 1, "a", flags: .more)
    credit(9, &server)
    server.feed(FrameHeader(length: 0, type: .cancel, aux: 7, stream: 1))
    #expect(!server.machine.outbound.contains(1))
    #expect(server.machine.assemblies.isEmpty)
  }
}
