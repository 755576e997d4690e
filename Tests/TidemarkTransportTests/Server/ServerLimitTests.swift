import NIOCore
import Testing
import TidemarkWire

@testable import TidemarkTransport

/// Limits, floods and slow peers, against the server's state machine.
struct ServerLimitTests {
  private func goAwayCode(_ server: inout ServerHarness) -> FramingErrorCode? {
    server.frames().last { $0.type == .goAway }.map { FramingErrorCode(aux: $0.aux) }
  }

  @Test func callsBeyondTheLimitAreRefusedAsNotExecuted() {
    var limits = ServerLimits()
    limits.callsInFlightMax = 4
    var server = ServerHarness.open(limits: limits)
    for stream in stride(from: UInt32(1), to: 13, by: 2) { server.call(ServerHarness.parked, stream: stream) }
    let frames = server.frames()
    #expect(frames.map(\.type) == [.cancel, .cancel])
    #expect(frames.map(\.stream) == [9, 11])
    #expect(frames.allSatisfy { FramingErrorCode(aux: $0.aux) == .refused })
    #expect(server.dispatched == 4)
  }

  @Test func cancelledCallKeepsItsSlotUntilTheHandlerEnded() {
    var limits = ServerLimits()
    limits.callsInFlightMax = 1
    var server = ServerHarness.open(limits: limits)
    server.call(ServerHarness.parked, stream: 1)
    server.feed(FrameHeader(length: 0, type: .cancel, aux: 7, stream: 1))
    #expect(server.cancelled[CallID(rawValue: 1)] == .client)
    server.call(ServerHarness.parked, stream: 3)
    #expect(server.frames().map(\.type) == [.cancel])
    server.completeParked()
    #expect(server.frames().isEmpty)
    server.call(Method.echo.rawValue, stream: 5)
    #expect(server.frames().map(\.type) == [.reply])
  }

  @Test func rapidResetRunsNoMoreHandlersThanTheLimitAndEnds() {
    var server = ServerHarness.open()
    var stream: UInt32 = 1
    while server.closedAfterWriting == nil, stream < 200_000 {
      server.call(ServerHarness.parked, stream: stream)
      server.feed(FrameHeader(length: 0, type: .cancel, aux: 7, stream: stream))
      stream += 2
    }
    #expect(server.dispatchedAtOnceMax <= ServerLimits().callsInFlightMax)
    #expect(stream < 4_000)
    #expect(goAwayCode(&server) == .calm)
  }

  @Test func fiveHundredCancelsInFiveSecondsAreFine() {
    var server = ServerHarness.open()
    for number in 0..<UInt32(500) {
      server.call(ServerHarness.parked, stream: number * 2 + 1)
      server.feed(FrameHeader(length: 0, type: .cancel, aux: 7, stream: number * 2 + 1))
      server.completeParked()
      server.advance(.milliseconds(10))
    }
    #expect(server.closedAfterWriting == nil)
  }

  @Test func pingsBeyondTheBucketEndTheConnection() {
    var server = ServerHarness.open()
    let ping = FrameHeader(length: 8, type: .ping)
    for _ in 0..<10 { server.feed(ping, ByteBuffer(string: "12345678")) }
    #expect(server.frames().count == 10)
    server.advance(.seconds(5))
    server.feed(ping, ByteBuffer(string: "12345678"))
    #expect(server.closedAfterWriting == nil)
    server.feed(ping, ByteBuffer(string: "12345678"))
    #expect(goAwayCode(&server) == .calm)
  }

  @Test func pingsThatArriveTogetherGetOnePong() {
    var server = ServerHarness.open()
    var bytes = ByteBuffer()
    for number in 0..<UInt64(5) { bytes.writePing(number, isAnswer: false) }
    server.feed(bytes)
    let frames = server.frames()
    #expect(frames.count == 1)
    #expect(frames.first?.payload.getInteger(at: frames.first?.payload.readerIndex ?? 0, as: UInt64.self) == 4)
  }

  @Test(arguments: [
    FrameHeader(length: 0, type: .call, flags: .more, stream: 1), FrameHeader(length: 0, type: .data, flags: .more, stream: 1),
    FrameHeader(length: 4, type: .credit, stream: 1), FrameHeader(length: 4, type: .credit),
    FrameHeader(length: 8, type: .ping, flags: .pong),
  ])
  func floodsOfFramesWithoutEffectEndTheConnection(_ header: FrameHeader) {
    var server = ServerHarness.open()
    server.call(Method.echo.rawValue, stream: 1)
    var payload = ByteBuffer()
    if header.length > 0 { payload.writeInteger(UInt32(1)) }
    if header.length > 4 { payload.writeInteger(UInt32(1)) }
    var count = 0
    while server.closedAfterWriting == nil, count < 100_000 {
      server.feed(header, payload)
      count += 1
    }
    #expect(count < 3_000)
    #expect(goAwayCode(&server) == .calm)
  }

  @Test func ignorableFramesAreCounted() {
    var server = ServerHarness.open()
    var bytes = ByteBuffer()
    for _ in 0..<5_000 {
      bytes.writeInteger(UInt64(0x0000_0000_8000_0000))
      bytes.writeInteger(UInt32(0))
    }
    server.feed(bytes)
    #expect(goAwayCode(&server) == .calm)
  }

  @Test func malformedCallsAreCounted() {
    var server = ServerHarness.open()
    for number in 0..<UInt32(101) { server.call(40, stream: number * 2 + 1, "\u{0}", flags: [.end, .meta]) }
    #expect(goAwayCode(&server) == .calm)
  }

  @Test func messageBeyondTheLimitFailsOnlyItsCall() {
    var limits = ServerLimits()
    limits.messageBytesMax = 100_000
    var server = ServerHarness.open(limits: limits)
    let part = String(repeating: "x", count: 60_000)
    server.call(40, stream: 1, part, flags: .more)
    server.call(0, stream: 1, part, flags: .end)
    server.call(40, stream: 3)
    let frames = server.frames()
    #expect(frames.map(\.aux) == [StatusCode.resourceExhausted.rawValue, 0])
    #expect(server.machine.assembledBytes == 0)
  }

  @Test func unfinishedMessagesOfAllCallsShareOneBudget() {
    var server = ServerHarness.open()
    let part = String(repeating: "x", count: 65_536)
    var refused = 0
    for round in 0..<40 {
      for stream in stride(from: UInt32(1), through: 199, by: 2) {
        server.call(round == 0 ? 40 : 0, stream: stream, part, flags: .more)
      }
      refused += server.frames().filter { $0.type == .cancel }.count
      #expect(server.machine.assembledBytes <= ServerLimits().bytesQueuedMax)
      if server.closedAfterWriting != nil { break }
    }
    #expect(refused > 0)
    #expect(server.dispatched == 0)
  }

  @Test func requestsInFlightStopTheReading() {
    var server = ServerHarness.open()
    let part = String(repeating: "x", count: 65_536)
    for number in 0..<UInt32(127) { server.call(ServerHarness.parked, stream: number * 2 + 1, part) }
    #expect(!server.machine.isCongested)
    server.call(ServerHarness.parked, stream: 999, part)
    #expect(server.machine.isCongested)
    server.completeParked()
    #expect(!server.machine.isCongested)
  }

  @Test func repliesBeyondTheOutputBudgetAreReplaced() {
    var server = ServerHarness.open()
    server.machine.backlogBytes = ServerLimits().bytesOutboundMax
    server.call(40, stream: 1)
    #expect(server.frames().map(\.aux) == [StatusCode.resourceExhausted.rawValue])
  }

  @Test func replyLargerThanTheClientTakesIsReplaced() {
    var hello = Hello()
    hello.messageBytesMax = 10
    var server = ServerHarness.open(hello: hello)
    server.call(40, stream: 1, "0123456789")
    server.call(40, stream: 3, "0123456789a")
    #expect(server.frames().map(\.aux) == [0, StatusCode.resourceExhausted.rawValue])
  }

  @Test func announcedLengthIsNotReserved() {
    var server = ServerHarness.open()
    var bytes = ByteBuffer()
    bytes.writeFrameHeader(FrameHeader(length: 65_536, type: .call, flags: .end, aux: 40, stream: 1))
    server.feed(bytes)
    #expect(server.machine.assembledBytes == 0)
    #expect(server.closedAfterWriting == nil)
  }

  @Test func dataBeyondCreditEndsTheConnection() {
    var server = ServerHarness.open()
    server.returnsCredit = false
    server.call(ServerHarness.clientStream, stream: 1, flags: [])
    server.feed(FrameHeader(length: 65_536, type: .data, stream: 1), ByteBuffer(repeating: 0, count: 65_536))
    #expect(server.closedAfterWriting == nil)
    server.output.clear()
    server.feed(FrameHeader(length: 1, type: .data, stream: 1), ByteBuffer(repeating: 0, count: 1))
    #expect(goAwayCode(&server) == .flowControl)
  }

  @Test func creditOfDiscardedDataGoesBackToTheConnection() {
    var server = ServerHarness.open()
    server.call(Method.echo.rawValue, stream: 1, flags: [])
    for _ in 0..<40 {
      server.feed(FrameHeader(length: 65_536, type: .data, stream: 1), ByteBuffer(repeating: 0, count: 65_536))
    }
    #expect(server.closedAfterWriting == nil)
    #expect(server.frames().filter { $0.type == .credit && $0.stream == 0 }.count == 5)
  }

  /// A status with a detail of 200,000 bytes, such as the story of a conflict, and a small one.
  private var largeStatus: RPCStatus {
    RPCStatus(
      .aborted, "stale",
      details: [
        RPCStatus.Detail(typeURL: "story", value: [UInt8](repeating: 7, count: 200_000)),
        .errorInfo(reason: "VERSION_MISMATCH"),
      ])
  }

  private func status(_ server: inout ServerHarness) throws -> RPCStatus {
    let frames = server.frames()
    #expect(frames.allSatisfy { $0.type == .reply && $0.stream == 1 })
    let bytes = frames.reduce(into: [UInt8]()) { $0 += Array($1.payload.readableBytesView) }
    return try bytes.withUnsafeBytes { try RPCStatus.decode($0) }
  }

  @Test func detailsOfAFailureArriveWhole() throws {
    var server = ServerHarness.open()
    server.call(ServerHarness.parked, stream: 1)
    server.machine.complete(CallID(rawValue: 1), CallReply(status: largeStatus), into: &server.output, now: server.now)
    #expect(try status(&server) == largeStatus)
  }

  @Test func onlyDetailsThatPassTheClientsLimitAreLeftOut() throws {
    var hello = Hello()
    hello.messageBytesMax = 100_000
    var server = ServerHarness.open(hello: hello)
    server.call(ServerHarness.parked, stream: 1)
    server.machine.complete(CallID(rawValue: 1), CallReply(status: largeStatus), into: &server.output, now: server.now)
    let received = try status(&server)
    #expect(received.code == .aborted && received.details == [.errorInfo(reason: "VERSION_MISMATCH")])
  }

  @Test func streamWhoseMessageTheClientCannotTakeFailsAndNeverEndsWell() throws {
    var hello = Hello()
    hello.messageBytesMax = 16
    var server = ServerHarness.open(hello: hello)
    server.call(Method.list.rawValue, stream: 1, "a message above sixteen bytes")
    let replies = server.frames().filter { $0.type == .reply }
    #expect(replies.map(\.aux) == [StatusCode.resourceExhausted.rawValue])
    #expect(server.cancelled.keys.map(\.rawValue) == [1])
    #expect(server.machine.callsInFlight == 0)
  }
}
