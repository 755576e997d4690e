import NIOCore
import NIOEmbedded
import Testing
import TidemarkWire

@testable import TidemarkTransport

/// What connections hold of requests that wait.
@Suite struct RequestBudgetTests {
  private static let megabyte = 1024 * 1024

  private static func limits(_ megabytes: Int) -> ServerLimits {
    var limits = ServerLimits()
    limits.requestBytesMax = megabytes * megabyte
    return limits
  }

  @Test func connectionsThatHoldLittleGoOnToTwiceTheLimitAndSmallCallsAlways() {
    let budget = RequestBudget(limits: Self.limits(8))
    var (greedy, modest) = (RequestShare(budget), RequestShare(budget))
    greedy.set(8 * Self.megabyte - 1)
    #expect(greedy.mayBegin(bytes: 60_000, isWhole: false))
    greedy.set(8 * Self.megabyte)
    modest.set(RequestBudget.littleBytes - 1)
    #expect(!greedy.mayBegin(bytes: 10, isWhole: true) && modest.mayBegin(bytes: 60_000, isWhole: false))
    greedy.set(16 * Self.megabyte)
    #expect(!modest.mayBegin(bytes: 60_000, isWhole: true))
    #expect(modest.mayBegin(bytes: RequestBudget.smallCallBytes, isWhole: true))
    // Of what goes on, or is to be inflated, nobody knows how large it becomes.
    #expect(!modest.mayBegin(bytes: 10, isWhole: false))
    greedy.set(0)
    modest.set(0)
    #expect(budget.heldBytes == 0)
  }

  @Test func smallCallsAreNotToldToAll() {
    let budget = RequestBudget(limits: Self.limits(8))
    var share = RequestShare(budget)
    for _ in 0..<3 {
      share.set(RequestShare.stepBytes - 1)
      share.set(0)
    }
    #expect(budget.heldBytes == 0)
    share.set(RequestShare.stepBytes)
    #expect(budget.heldBytes == RequestShare.stepBytes)
    share.set(0)
    #expect(budget.heldBytes == 0)
  }

  @Test func whatARequestTakesIsHeldUntilItsHandlerEnded() {
    var server = ServerHarness.open()
    server.call(ServerHarness.parked, stream: 1, String(repeating: "x", count: 10_000))
    let guessed = server.machine.requests.heldBytes
    #expect(guessed >= 10_000)
    server.machine.hold(5_000_000, for: CallID(rawValue: 1))
    #expect(server.machine.requests.heldBytes == 5_000_000)
    server.feed(FrameHeader(length: 0, type: .cancel, aux: 7, stream: 1))
    #expect(server.machine.requests.heldBytes == 5_000_000)
    server.completeParked()
    #expect(server.machine.requests.heldBytes == 0 && server.machine.requests.budget.heldBytes == 0)
  }

  @Test func unfinishedMessagesCountAndAreRefusedWhenTooMuchIsHeld() {
    let budget = RequestBudget(limits: Self.limits(1))
    var other = RequestShare(budget)
    var server = ServerHarness.open(limits: Self.limits(1), requests: budget)
    let part = String(repeating: "x", count: 60_000)
    server.call(ServerHarness.parked, stream: 1, part, flags: .more)
    #expect(budget.heldBytes == 60_000)
    // It goes on although nobody may begin: it could wait for others that wait for it.
    other.set(3 * Self.megabyte / 2)
    server.call(0, stream: 1, part, flags: .more)
    #expect(server.frames().isEmpty && server.machine.requests.heldBytes == 120_000)
    other.set(2 * Self.megabyte)
    server.call(0, stream: 1, part, flags: .more)
    let frames = server.frames()
    #expect(frames.map(\.type) == [.cancel])
    #expect(frames.first.flatMap { FramingErrorCode(aux: $0.aux) } == .refused)
    #expect(server.machine.requests.heldBytes == 0 && budget.heldBytes == 2 * Self.megabyte)
  }

  /// Two connections of one listener.
  private struct Two {
    let budget: RequestBudget
    let handler = EchoHandler()
    let loop = EmbeddedEventLoop()
    let channels: [EmbeddedChannel]

    init(_ limits: ServerLimits) throws {
      budget = RequestBudget(limits: limits)
      channels = try (UInt64(0)..<2).map { [handler, loop, budget] number in
        let channel = EmbeddedChannel(loop: loop)
        let server = TidemarkServerHandler(
          handler: handler, limits: limits, hello: Hello(), eventLoop: loop, peer: "test", connectionID: number,
          requests: budget, onClose: {})
        try channel.pipeline.syncOperations.addHandler(server)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        var bytes = ByteBuffer()
        bytes.writeInteger(Preface.encoded)
        bytes.writeHello(Hello())
        try channel.writeInbound(bytes)
        return channel
      }
    }

    func send(_ channel: Int, stream: UInt32, bytes count: Int) throws {
      var bytes = ByteBuffer()
      let header = FrameHeader(
        length: UInt32(count), type: .call, flags: .end, aux: EchoHandler.parkedMethod, stream: stream)
      bytes.writeFrameHeader(header)
      bytes.writeRepeatingByte(0x61, count: count)
      try channels[channel].writeInbound(bytes)
    }

    /// Says what the latest call takes.
    func hold(_ bytes: Int) {
      guard let call = handler.parked.last?.call else { return }
      call.connection.hold(bytes, for: call.id)
    }
  }

  @Test func aLargeCallWaitsUntilOthersHoldLessAndASmallOneDoesNot() throws {
    let two = try Two(Self.limits(1))
    try two.send(0, stream: 1, bytes: 100)
    two.hold(2 * Self.megabyte)
    try two.send(1, stream: 1, bytes: 100)
    #expect(two.handler.received == 2)
    try two.send(1, stream: 3, bytes: 60_000)
    // Whoever holds much waits with everything.
    try two.send(0, stream: 3, bytes: 10)
    for _ in 0..<3 { two.loop.advanceTime(by: .seconds(30)) }
    #expect(two.handler.received == 2 && two.channels.allSatisfy(\.isActive))
    two.handler.completeParked()
    two.loop.advanceTime(by: .seconds(1))
    #expect(two.handler.received == 4)
    two.handler.completeParked()
    #expect(two.budget.heldBytes == 0)
  }

  @Test func whatAConnectionHeldIsGivenBackWhenItEnds() throws {
    let two = try Two(Self.limits(1))
    try two.send(0, stream: 1, bytes: 100)
    two.hold(2 * Self.megabyte)
    try two.send(1, stream: 1, bytes: 60_000)
    #expect(two.handler.received == 1)
    for channel in two.channels { _ = try? channel.finish(acceptAlreadyClosed: true) }
    #expect(two.budget.heldBytes > 0)
    two.handler.completeParked()
    #expect(two.budget.heldBytes == 0 && two.budget.interval == .milliseconds(5))
  }
}
