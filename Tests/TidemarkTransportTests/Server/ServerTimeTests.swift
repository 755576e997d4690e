import NIOCore
import Testing
import TidemarkWire

@testable import TidemarkTransport

/// Deadlines, silence and the end of a connection, with a clock that only the test moves.
struct ServerTimeTests {
  @Test func silenceBeforeThePrefaceIsClosedSilently() {
    var server = ServerHarness()
    server.advance(.milliseconds(4_999))
    #expect(server.closedAfterWriting == nil)
    server.advance(.milliseconds(1))
    #expect(server.closedAfterWriting == false)
    #expect(server.output.readableBytes == 0)
  }

  @Test func missingHelloIsATimeout() {
    var server = ServerHarness()
    server.feed(ByteBuffer(integer: Preface.encoded))
    server.advance(.seconds(5))
    #expect(server.frames().map(\.aux) == [FramingErrorCode.timeout.rawValue])
    #expect(server.closedAfterWriting == true)
  }

  @Test func slowFrameIsATimeoutAndASteadyOneIsNot() {
    var slow = ServerHarness.open()
    var steady = ServerHarness.open()
    var header = ByteBuffer()
    header.writeFrameHeader(FrameHeader(length: 65_536, type: .call, flags: .end, aux: 40, stream: 1))
    slow.feed(header)
    steady.feed(header)
    for _ in 0..<40 {
      slow.feed(ByteBuffer(bytes: [0]))
      steady.feed(ByteBuffer(repeating: 0, count: 1_100))
      slow.advance(.seconds(1))
      steady.advance(.seconds(1))
    }
    #expect(slow.frames().map(\.aux) == [FramingErrorCode.timeout.rawValue])
    #expect(steady.closedAfterWriting == nil)
  }

  @Test func idleConnectionIsClosedAfterTenMinutes() {
    var server = ServerHarness.open()
    for _ in 0..<59 {
      server.advance(.seconds(10))
      server.feed(FrameHeader(length: 8, type: .ping, flags: .pong), ByteBuffer(string: "tidemark"))
    }
    #expect(server.closedAfterWriting == nil)
    server.advance(.seconds(10))
    #expect(server.closedAfterWriting == true)
    #expect(server.frames().last?.aux == 0)
  }

  @Test func silentPeerIsPingedAndThenClosed() {
    var server = ServerHarness.open()
    server.call(ServerHarness.parked, stream: 1)
    server.advance(.seconds(60))
    #expect(server.frames().map(\.type) == [.ping])
    server.advance(.seconds(19))
    #expect(server.closedAfterWriting == nil)
    server.advance(.seconds(1))
    #expect(server.closedAfterWriting == true)
    #expect(server.cancelled[CallID(rawValue: 1)] == .connectionClosed)
  }

  @Test func deadlineIsAnsweredAndTheSlotStays() {
    var server = ServerHarness.open()
    var meta = CallMeta()
    meta.timeoutMicroseconds = 1_000_000
    var bytes = ByteBuffer()
    bytes.writeMessage(
      OutgoingMessage(type: .call, aux: ServerHarness.parked, stream: 1, meta: meta.encode(), message: ByteBuffer()),
      frameBytesMax: 65_536)
    server.feed(bytes)
    server.advance(.milliseconds(999))
    #expect(server.frames().isEmpty)
    server.advance(.milliseconds(1))
    #expect(server.frames().map(\.aux) == [StatusCode.deadlineExceeded.rawValue])
    #expect(server.cancelled[CallID(rawValue: 1)] == .deadline)
    #expect(server.machine.callsInFlight == 1)
    server.completeParked()
    #expect(server.frames().isEmpty)
    #expect(server.machine.callsInFlight == 0)
  }

  @Test(arguments: [0, 1, UInt64.max, UInt64(Int64.max)]) func anyTimeoutIsAccepted(_ timeout: UInt64) {
    for method in [ServerHarness.parked, Method.list.rawValue] {
      var server = ServerHarness.open()
      var meta = CallMeta()
      meta.timeoutMicroseconds = timeout
      var bytes = ByteBuffer()
      bytes.writeMessage(
        OutgoingMessage(type: .call, aux: method, stream: 1, meta: meta.encode(), message: ByteBuffer()), frameBytesMax: 65_536)
      server.feed(bytes)
      #expect(server.dispatched == 1)
      #expect(server.machine.nextWake(now: server.now) >= server.now)
    }
  }

  @Test func unaryCallWithoutTimeoutEndsAtTheServersMaximum() {
    var server = ServerHarness.open()
    server.call(ServerHarness.parked, stream: 1)
    for _ in 0..<12 {
      server.advance(.seconds(10))
      server.feed(FrameHeader(length: 8, type: .ping, flags: .pong), ByteBuffer(string: "tidemark"))
    }
    #expect(server.cancelled[CallID(rawValue: 1)] == .deadline)
  }

  @Test func unfinishedCallEndsAtItsDeadlineAsNotExecuted() throws {
    var server = ServerHarness.open()
    server.call(40, stream: 1, "half", flags: .more)
    for _ in 0..<12 {
      server.advance(.seconds(10))
      server.feed(FrameHeader(length: 8, type: .ping, flags: .pong), ByteBuffer(string: "tidemark"))
    }
    let reply = try #require(server.frames().first { $0.type == .reply })
    #expect(reply.aux == StatusCode.deadlineExceeded.rawValue)
    let status = try reply.payload.withUnsafeReadableBytes { try RPCStatus.decode($0) }
    #expect(status.details == [.notExecuted])
    #expect(server.machine.callsInFlight == 0)
  }

  // MARK: Drain

  @Test func drainAnnouncesThenRefusesThenAnswersThenCloses() throws {
    var server = ServerHarness.open()
    server.call(ServerHarness.parked, stream: 1)
    server.machine.beginDrain(now: server.now, into: &server.output)
    var frames = server.frames()
    #expect(frames.map(\.type) == [.goAway, .ping])
    // Sent before the client heard of it: still taken.
    server.call(40, stream: 3)
    #expect(server.frames().map(\.type) == [.reply])
    server.feed(FrameHeader(length: 8, type: .ping, flags: .pong), frames[1].payload)
    frames = server.frames()
    #expect(frames.map(\.type) == [.goAway])
    let goAway = try frames[0].payload.withUnsafeReadableBytes { try GoAway.decode($0) }
    #expect(goAway.lastStream == 3)
    server.call(40, stream: 5)
    #expect(server.frames().isEmpty)
    #expect(server.closedAfterWriting == nil)
    server.completeParked("late")
    #expect(server.frames().map(\.text) == ["late"])
    #expect(server.closedAfterWriting == true)
  }

  @Test func drainDoesNotWaitForAClientThatAnswersNoPing() {
    var server = ServerHarness.open()
    server.machine.beginDrain(now: server.now, into: &server.output)
    server.advance(.milliseconds(250))
    #expect(server.closedAfterWriting == true)
  }

  @Test func clientThatClosedItsSideStillGetsItsReplies() {
    var server = ServerHarness.open()
    server.call(ServerHarness.parked, stream: 1)
    server.machine.inputClosed(into: &server.output)
    server.work()
    #expect(server.closedAfterWriting == nil)
    server.completeParked("late")
    #expect(server.frames().map(\.text) == ["late"])
    #expect(server.closedAfterWriting == true)
  }
}
