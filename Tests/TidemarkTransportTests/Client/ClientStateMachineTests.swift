import NIOCore
import Testing
import TidemarkTesting
import TidemarkWire

@testable import TidemarkTransport

struct ClientStateMachineTests {
  @Test func callsLeaveBeforeTheServersHello() {
    var client = ClientHarness()
    client.call(40, ByteBuffer(string: "hi"))
    var sent = client.output
    #expect(sent.readInteger(as: UInt64.self) == Preface.encoded)
    #expect(Frame.all(in: sent).map(\.type) == [.hello, .call])
  }

  @Test func callsBeyondTheServersLimitWaitForASlot() {
    var hello = ServerLimits().hello()
    hello.callsInFlightMax = 2
    var client = ClientHarness.open(hello: hello)
    let calls = (0..<3).map { _ in client.call(40) }
    #expect(client.frames().map(\.stream) == [1, 3])
    client.receive(.reply, flags: .end, stream: 3)
    #expect(client.reply(calls[1]) != nil)
    #expect(client.frames().map(\.stream) == [5])
  }

  @Test func statusOfAReplyIsDecodedAndItsCodeIsThatOfTheFrame() {
    var client = ClientHarness.open()
    let call = client.call(40)
    client.receive(
      .reply, flags: .end, aux: 10, stream: 1, payload: RPCStatus(.notFound, "gone", details: [.notExecuted]).encode())
    #expect(client.reply(call)?.status == RPCStatus(.aborted, "gone", details: [.notExecuted]))
    let other = client.call(40)
    client.receive(.reply, flags: .end, aux: 999, stream: 3, payload: [0xFF])
    #expect(client.reply(other)?.status?.code == .unknown)
  }

  @Test func goAwayTellsWhichCallsWereNotExecuted() {
    var hello = ServerLimits().hello()
    hello.callsInFlightMax = 3
    var client = ClientHarness.open(hello: hello)
    let calls = (0..<4).map { _ in client.call(2) }
    var goAway = GoAway()
    goAway.lastStream = 3
    goAway.retryAfterMilliseconds = 1_500
    client.receive(.goAway, payload: goAway.encode())
    #expect(client.failure(calls[2])?.fate == .notExecuted)
    #expect(client.failure(calls[3])?.fate == .notExecuted)
    #expect(client.failure(calls[3])?.retryAfter == .milliseconds(1_500))
    #expect(client.closed == nil)
    client.receive(.reply, flags: .end, stream: 1)
    #expect(client.reply(calls[0]) != nil)
    #expect(client.closed == nil)
    client.machine.connectionLost(CallFailure(.unavailable, "lost", fate: .unknown))
    client.work()
    #expect(client.failure(calls[1])?.fate == .unknown)
    let late = client.call(2)
    #expect(client.failure(late)?.fate == .notExecuted)
    #expect(client.resultCount == 5)
  }

  @Test func drainedConnectionClosesAfterItsLastReply() {
    var client = ClientHarness.open()
    let call = client.call(2)
    var goAway = GoAway()
    goAway.lastStream = UInt32(Int32.max)
    client.receive(.goAway, payload: goAway.encode())
    #expect(client.closed == nil)
    client.receive(.reply, flags: .end, stream: 1)
    #expect(client.reply(call) != nil)
    #expect(client.closed != nil)
  }

  @Test func refusedCallIsSurelyNotExecutedAndOtherCancelsAreUnknown() {
    for code in FramingErrorCode.allCases {
      var client = ClientHarness.open()
      let call = client.call(2)
      client.receive(.cancel, aux: code.rawValue, stream: 1)
      #expect(client.failure(call)?.fate == (code == .refused ? .notExecuted : .unknown))
    }
  }

  @Test func deadlineIsEnforcedHereToo() {
    var hello = ServerLimits().hello()
    hello.callsInFlightMax = 1
    var client = ClientHarness.open(hello: hello)
    let sent = client.call(2, timeout: .seconds(1))
    let waiting = client.call(2, timeout: .seconds(1))
    _ = client.frames()
    client.advance(.seconds(1))
    #expect(client.failure(sent)?.code == .deadlineExceeded)
    #expect(client.failure(sent)?.fate == .unknown)
    #expect(client.failure(waiting)?.fate == .notExecuted)
    #expect(client.frames().map(\.type) == [.cancel])
  }

  @Test func cancelledCallGetsOneResultAndLateFramesAreIgnored() {
    var client = ClientHarness.open()
    let call = client.call(2)
    client.cancel(call)
    client.cancel(call)
    client.receive(.reply, flags: .end, stream: 1)
    client.receive(.data, stream: 1, payload: [1, 2, 3])
    #expect(client.failure(call)?.code == .cancelled)
    #expect(client.resultCount == 1)
    #expect(client.closed == nil)
  }

  @Test func pingIsAnsweredAndSilenceEndsTheConnection() {
    var client = ClientHarness.open()
    client.receive(.ping, payload: Array("12345678".utf8))
    #expect(client.frames().map(\.header.flags) == [.pong])
    let call = client.call(2)
    _ = client.frames()
    client.advance(.seconds(30))
    #expect(client.frames().map(\.type) == [.ping])
    client.advance(.seconds(20))
    #expect(client.failure(call)?.fate == .unknown)
    #expect(client.closed != nil)
  }

  @Test func serverWithoutHelloIsGivenUp() {
    var client = ClientHarness()
    client.advance(.seconds(5))
    #expect(client.closed != nil)
  }

  @Test func anyBytesFromAServerAreJudgedWithoutATrap() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("anyBytesFromAServerAreJudgedWithoutATrap seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var client = ClientHarness.open()
    for type in UInt8.min...UInt8.max {
      for length in 0...64 {
        if client.closed != nil { client = ClientHarness.open() }
        client.call(40)
        client.call(9, isStream: true)
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt32(length))
        bytes.writeInteger(type < 0x80 ? type & 0x0F : type)
        bytes.writeInteger(UInt8.random(in: 0...15, using: &random))
        bytes.writeInteger(UInt16([0, 0, 3, 0xFFFF].randomElement(using: &random) ?? 0))
        bytes.writeInteger(UInt32([0, 1, 3, 5, 0x7FFF_FFFF, 0xFFFF_FFFF].randomElement(using: &random) ?? 0))
        bytes.writeBytes((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        client.feed(bytes)
      }
    }
  }

  @Test func requestBeyondTheServersLimitIsNotSent() {
    var hello = ServerLimits().hello()
    hello.messageBytesMax = 10
    var client = ClientHarness.open(hello: hello)
    let call = client.call(40, ByteBuffer(string: "0123456789a"))
    #expect(client.failure(call)?.fate == .notExecuted)
    #expect(client.frames().isEmpty)
  }
}
