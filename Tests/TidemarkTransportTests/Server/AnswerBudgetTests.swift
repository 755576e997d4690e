import NIOCore
import NIOPosix
import Testing
import TidemarkWire

@testable import TidemarkTransport

/// What connections hold of answers that nobody has read.
@Suite struct AnswerBudgetTests {
  private static let megabyte = 1024 * 1024

  private func makeBudget(_ megabytes: Int, perConnection: Int) -> AnswerBudget {
    var limits = ServerLimits()
    limits.answerBytesMax = megabytes * Self.megabyte
    limits.answerBytesPerConnectionMax = perConnection * Self.megabyte
    return AnswerBudget(limits: limits)
  }

  @Test func aConnectionWaitsAtItsOwnLimit() {
    let budget = makeBudget(64, perConnection: 8)
    let (busy, idle) = (budget.openAccount(), budget.openAccount())
    busy.reserve(8 * Self.megabyte - 1)
    #expect(busy.mayRead)
    busy.reserve(1)
    #expect(!busy.mayRead && idle.mayRead && !budget.isTight)
    busy.release(1)
    #expect(busy.mayRead)
  }

  @Test func messagesThatWaitForCreditDoNotStopTheirConnection() {
    let account = makeBudget(64, perConnection: 8).openAccount()
    account.reserve(20 * Self.megabyte)
    #expect(!account.mayRead)
    account.setHeldForCredit(13 * Self.megabyte)
    #expect(account.mayRead)
  }

  @Test func connectionsThatHoldLittleGoOnToTwiceTheLimit() {
    let budget = makeBudget(64, perConnection: 100)
    let (greedy, other, modest) = (budget.openAccount(), budget.openAccount(), budget.openAccount())
    greedy.reserve(64 * Self.megabyte)
    modest.reserve(AnswerBudget.littleBytes)
    #expect(budget.isTight && !greedy.mayRead && modest.mayRead)
    other.reserve(64 * Self.megabyte)
    #expect(!modest.mayRead && modest.mayReadLittle && !greedy.mayReadLittle)
    other.release(64 * Self.megabyte)
    #expect(modest.mayRead)
    #expect(budget.heldBytes == 64 * Self.megabyte + AnswerBudget.littleBytes)
  }

  @Test func concurrentReservationsAreAllGivenBack() async {
    let budget = makeBudget(64, perConnection: 8)
    let accounts = (0..<4).map { _ in budget.openAccount() }
    await withTaskGroup(of: Void.self) { tasks in
      for account in accounts + accounts {
        tasks.addTask {
          for bytes in 0..<2_000 {
            account.reserve(bytes)
            #expect(account.heldBytes >= bytes && budget.heldBytes >= bytes)
            account.release(bytes)
          }
        }
      }
    }
    #expect(budget.heldBytes == 0 && accounts.allSatisfy { $0.heldBytes == 0 })
  }

  @Test func whatStreamsHoldIsCountedFromQueueToEnd() {
    var flow = OutboundFlow(streamCreditBytes: 10, connectionCreditBytes: 1_000, frameBytesMax: 100)
    var out = ByteBuffer()
    for stream: UInt32 in [1, 3, 5] {
      flow.open(stream)
      _ = flow.send(.init(bytes: ByteBuffer(repeating: 1, count: 100), isCompressed: false), on: stream, into: &out)
    }
    let each = flow.heldBytes / 3
    #expect(each >= 100)
    let isAllowed = flow.add(90, to: 1)
    #expect(isAllowed)
    while flow.next(into: &out) != nil {}
    #expect(flow.heldBytes == 2 * each)
    flow.close(3)
    #expect(flow.heldBytes == each)
    flow.closeAll()
    #expect(flow.heldBytes == 0 && !flow.hasWaiting)
  }

  /// With credit the messages wait for the socket, without for credit.
  @Test(arguments: [false, true]) func whatNobodyReadsIsGivenBackWhenTheConnectionEnds(_ hasCredit: Bool) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let listener = try await TidemarkListener.start(port: 0, group: group) { _ in EchoHandler() }
    let channel = try await ClientBootstrap(group: group).channelOption(.autoRead, value: false)
      .connect(host: "127.0.0.1", port: listener.port).get()
    var bytes = ByteBuffer()
    bytes.writeInteger(Preface.encoded)
    bytes.writeHello(Hello())
    for stream in stride(from: UInt32(1), to: 65, by: 2) {
      bytes.writeFrameHeader(
        FrameHeader(length: 16, type: .call, flags: .end, aux: EchoHandler.streamMethod, stream: stream))
      bytes.writeMultipleIntegers(UInt64(3), UInt64(1_000_000))
      if hasCredit { bytes.writeCredit(0x7000_0000, stream: stream) }
    }
    if hasCredit { bytes.writeCredit(0x7000_0000, stream: 0) }
    try await channel.writeAndFlush(bytes)
    while listener.heldAnswerBytes < 8 * Self.megabyte { await Task.yield() }
    // The server may have given up first when the machine is busy.
    try? await channel.close()
    while listener.connectionCount > 0 { await Task.yield() }
    #expect(listener.heldAnswerBytes == 0)
    #expect(await listener.drain(timeout: .seconds(5)) == 0)
  }
}
