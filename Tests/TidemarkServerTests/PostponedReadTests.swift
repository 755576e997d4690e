import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// Reads for connections whose client does not read what it has got.
@Suite struct PostponedReadTests {
  /// More than any connection and all together may hold.
  private static let tooMuch = 1024 * 1024 * 1024

  private final class Clock: Sendable {
    let nanoseconds = Mutex<UInt64>(1_000)
    var store: StoreClock {
      StoreClock(now: { Timestamp(rawValue: 1_000_000) }, uptimeNanoseconds: { self.nanoseconds.withLock { $0 } })
    }
  }

  private let clock = Clock()

  /// A service with one entity of `bytes`, and a loop.
  private func makeLoop(bytes: Int) async throws -> (TidemarkService, LoopUnderTest) {
    var options = TidemarkService.Options()
    options.isDevelopment = true
    let service = try TidemarkService(
      store: MemoryStore(), options: options, clock: clock.store, random: SeededGenerator(seed: 3),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onFatal: { _ in })
    let loop = try await LoopUnderTest(service)
    let name = try #require(FieldPath("data"))
    let fields = try Fields([Field(name, .bytes([UInt8](repeating: 1, count: bytes)))])
    let item = WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: 1)), type: try #require(TypeName("item")),
      id: EntityID("a"), action: .create(fields))
    try await loop.send(.create, WriteRequest(space: .default, item: item))
    #expect(try await loop.takeReply().status == nil)
    return (service, loop)
  }

  private func getRequest() throws -> GetRequest {
    let key = EntityKey(type: try #require(TypeName("item")), id: try #require(EntityID("a")))
    return GetRequest(space: .default, key: key)
  }

  @Test func aReadWaitsUntilItsConnectionHasRead() async throws {
    let (service, loop) = try await makeLoop(bytes: 10)
    loop.account.reserve(Self.tooMuch)
    try await loop.send(.get, getRequest())
    for _ in 0..<5 { await loop.loop.advanceTime(by: .milliseconds(20)) }
    #expect(await loop.replies.isEmpty)
    loop.account.release(Self.tooMuch)
    #expect(try await loop.takeReply().status == nil)
    #expect(loop.account.budget.heldBytes == 0)
    service.close()
  }

  @Test func littleIsReadForThoseWhoHoldLittleWhateverOthersHold() async throws {
    let (service, loop) = try await makeLoop(bytes: 10)
    loop.account.budget.openAccount().reserve(Self.tooMuch)
    try await loop.send(.get, getRequest())
    #expect(try await loop.takeReply().status == nil)
    service.close()
  }

  @Test func whatTurnsOutToBeLargeWaitsForTheOthers() async throws {
    let (service, loop) = try await makeLoop(bytes: 100_000)
    let other = loop.account.budget.openAccount()
    other.reserve(Self.tooMuch)
    try await loop.send(.get, getRequest())
    for _ in 0..<5 { await loop.loop.advanceTime(by: .milliseconds(20)) }
    #expect(await loop.replies.isEmpty)
    other.release(Self.tooMuch)
    #expect(try await loop.takeReply().message.readableBytes > 100_000)
    #expect(loop.account.budget.heldBytes == 0)
    service.close()
  }

  @Test func aPostponedReadIsNotExecutedAfterItsDeadline() async throws {
    let (service, loop) = try await makeLoop(bytes: 10)
    loop.account.reserve(Self.tooMuch)
    try await loop.send(.get, getRequest(), deadline: .uptimeNanoseconds(2_000))
    await loop.loop.advanceTime(by: .milliseconds(20))
    #expect(await loop.replies.isEmpty)
    clock.nanoseconds.withLock { $0 = 2_000 }
    let status = try #require(try await loop.takeReply().status)
    #expect(status.code == .deadlineExceeded && status.details == [.notExecuted])
    service.close()
  }

  @Test(arguments: [CancelReason.client, .deadline, .connectionClosed])
  func aCancelledReadNoLongerWaits(_ reason: CancelReason) async throws {
    let (service, loop) = try await makeLoop(bytes: 10)
    loop.account.reserve(Self.tooMuch)
    try await loop.send(.get, getRequest())
    try await loop.send(.list, ListRequest(space: .default, type: try #require(TypeName("item"))))
    #expect(await loop.replies.isEmpty)
    try await loop.cancelAll(reason)
    #expect(await loop.replies.count == 2)
    service.close()
  }

  /// The outcome does not carry what is large: it is read again, and when nobody may read, the writer waits.
  @Test func aLargeEntityAfterAWriteIsReadWhenThereIsRoom() async throws {
    let (service, loop) = try await makeLoop(bytes: 100_000)
    let item = WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 1, low: 2)), type: try #require(TypeName("item")),
      id: EntityID("a"), action: .getOrCreate(Fields()))
    loop.account.reserve(Self.tooMuch)
    try await loop.send(.getOrCreate, WriteRequest(space: .default, item: item))
    for _ in 0..<5 { await loop.loop.advanceTime(by: .milliseconds(20)) }
    #expect(await loop.replies.isEmpty)
    loop.account.release(Self.tooMuch)
    let bytes = try await loop.takeReply().message
    let outcome = try bytes.withUnsafeReadableBytes { try WriteResponse.decode($0, using: MessageArena()).outcome }
    #expect(outcome.code == .unchanged && outcome.entity?.version == .first)
    #expect((outcome.entity?.fields.bytes.count ?? 0) > 100_000)
    service.close()
  }
}
