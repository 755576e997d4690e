import NIOCore
import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkWire

@testable import TidemarkClient

/// Bulks over a server that answers as the test says.
@Suite struct BulkTests {
  private let time = FakeTime()
  private static let away = AttemptFailure.notExecuted(ClientError(.unavailable, "away"))
  private static let lost = AttemptFailure.unanswered(ClientError(.unavailable, "lost"))

  private func space(_ transport: ScriptedTransport) throws -> SpaceClient {
    var options = ClientOptions()
    options.timing = time.timing()
    options.timing.random = { .random(in: .min ... .max) }
    return TidemarkClient(
      try ServerAddress(parsing: "tidemark://h"), credentials: .none, options: options, transport: transport
    ).space(.default)
  }

  private func items(_ count: Int) throws -> [WriteItem] {
    var random = SeededGenerator(printing: "bulk items")
    return try (0..<count).map { _ in try BulkSamples.create(using: &random) }
  }

  private func outcome(_ item: WriteItem, _ code: OutcomeCode, cause: Int? = nil) -> Outcome {
    Outcome(
      code: code, type: item.type, id: item.id, operation: item.operation, version: EntityVersion(rawValue: 7),
      revision: Revision(rawValue: 9), epoch: BulkTests.epoch, message: code.isSuccess ? "" : "refused", cause: cause)
  }

  private static let epoch = Epoch(rawValue: Bytes16(high: 3, low: 4))

  private func answer(_ outcomes: [Outcome]) throws -> Result<ByteBuffer, AttemptFailure> {
    .success(
      try BulkWriteResponse(outcomes: outcomes, revision: Revision(rawValue: 9), epoch: BulkTests.epoch).buffer())
  }

  private func requests(_ transport: ScriptedTransport) throws -> [BulkWriteRequest] {
    try transport.calls.filter { $0.method == .bulkWrite }.map { call in
      try call.message.withUnsafeReadableBytes { try BulkWriteRequest.decode($0, using: MessageArena()) }
    }
  }

  private func transport(_ answers: [Result<ByteBuffer, AttemptFailure>], itemsMax: UInt32 = 0) -> ScriptedTransport {
    let transport = ScriptedTransport(answers)
    transport.hello.withLock { $0.bulkItemsMax = itemsMax }
    return transport
  }

  @Test func outcomesComeInTheOrderOfTheItemsOverSeveralRequests() async throws {
    var items = try items(5)
    items[4].references = [ItemReference(field: try #require(FieldPath("of")), item: 3)]
    items[4].action = .create(Fields())
    let transport = transport(
      [
        try answer([outcome(items[0], .applied), outcome(items[1], .conflict)]), try answer([outcome(items[2], .applied)]),
        try answer([outcome(items[3], .invalid), outcome(items[4], .aborted, cause: 0)]),
      ], itemsMax: 2)
    let seen = Mutex<[BulkProgress]>([])
    let report = try await space(transport).bulk(items) { progress in seen.withLock { $0.append(progress) } }
    #expect(report.fates.map { $0.outcome?.code } == [.applied, .conflict, .applied, .invalid, .aborted])
    #expect(report.fates[4].outcome?.cause == 3)
    #expect(report.failures == [1, 3, 4])
    #expect(report.retryClass(at: 4) == .hopeless)
    #expect(report.counts == [.done: 2, .retryAfterRefresh: 1, .hopeless: 2])
    #expect(try requests(transport).map { $0.items.count } == [2, 1, 2])
    #expect(try requests(transport).last?.items.last?.references.first?.item == 0)
    #expect(
      seen.withLock { $0 } == [
        BulkProgress(done: 2, total: 5, failed: 1), BulkProgress(done: 3, total: 5, failed: 1),
        BulkProgress(done: 5, total: 5, failed: 3),
      ])
  }

  @Test func aLostReplyIsAskedForAgainWithTheSameBytes() async throws {
    let items = try items(3)
    let transport = transport([.failure(Self.lost), .failure(Self.away), try answer(items.map { outcome($0, .applied) })])
    #expect(try await space(transport).bulk(items).isComplete)
    let sent = transport.calls.filter { $0.method == .bulkWrite }
    #expect(sent.map(\.attempt) == [1, 2, 3])
    #expect(Set(sent.map(\.message)).count == 1)
  }

  /// The reply of the second of three requests is lost for good: its items are unknown, and a retry sends that request as it was.
  @Test func aBulkOfWhichHalfFailedIsFinishedWithoutDoingAnythingTwice() async throws {
    var items = try items(6)
    items[3].action = .delete(Expected(version: .first))
    (items[3].id, items[3].afterItem) = (items[2].id, 2)
    let lost = [Result<ByteBuffer, AttemptFailure>.failure(Self.lost)] + (0..<4).map { _ in .failure(Self.away) }
    let first = transport([try answer([outcome(items[0], .applied), outcome(items[1], .conflict)])] + lost, itemsMax: 2)
    let report = try await space(first).bulk(items)
    guard case .unknown = report.fates[2], case .unknown = report.fates[3] else {
      Issue.record("the request without an answer is unknown")
      return
    }
    guard case .notExecuted = report.fates[4] else {
      Issue.record("nothing overtakes it")
      return
    }
    #expect(report.undecided == [1])
    let second = transport(
      [
        try answer([outcome(items[2], .applied), outcome(items[3], .applied)]),
        try answer([outcome(items[4], .applied), outcome(items[5], .applied)]),
      ], itemsMax: 100)
    let again = try await space(second).retryFailed(report) { _, _ in nil }
    let sent = try requests(second)
    #expect(sent.map(\.items) == [try requests(first)[1].items, Array(items[4...])])
    #expect(again.fates.map { $0.outcome?.code } == [.applied, .conflict, .applied, .applied, .applied, .applied])
    #expect(again.unanswered.isEmpty)
  }

  @Test func onlyTheFailedAreSentAgainAndOnlyAsDecided() async throws {
    let items = try items(4)
    let transport1 = transport([
      try answer([
        outcome(items[0], .applied), outcome(items[1], .conflict), outcome(items[2], .conflict), outcome(items[3], .aborted),
      ])
    ])
    let report = try await space(transport1).bulk(items)
    let changed = Mutex<[WriteItem]>([])
    let echo = EchoTransport { item in changed.withLock { $0.append(item) } }
    let client = TidemarkClient(
      try ServerAddress(parsing: "tidemark://h"), credentials: .none, options: ClientOptions(), transport: echo)
    let again = try await client.space(.default).retryFailed(report) { item, outcome in
      guard item.operation == items[1].operation, let version = outcome.version else { return nil }
      var item = item
      item.action = .delete(Expected(version: version))
      return item
    }
    let sent = changed.withLock { $0 }
    #expect(sent.count == 2)
    #expect(sent.first?.operation != items[1].operation, "a write after a refresh is a new operation")
    #expect(sent.last == items[3], "an aborted write is the same operation")
    #expect(again.fates.map { $0.outcome?.code } == [.applied, .applied, .conflict, .applied])
    #expect(again.items[1].operation == sent.first?.operation)
  }

  @Test func whatIsWrongWithOneRequestDoesNotStopTheNext() async throws {
    let items = try items(2)
    let refused = AttemptFailure.status(RPCStatus(.invalidArgument, "no"))
    let transport = transport([.failure(refused), try answer([outcome(items[1], .applied)])], itemsMax: 1)
    let report = try await space(transport).bulk(items)
    #expect(report.retryClass(at: 0) == .hopeless)
    #expect(report.fates[1].outcome?.code == .applied)
  }

  @Test func outcomesOfOtherItemsAreNotBelieved() async throws {
    let items = try items(2)
    let report = try await space(transport([try answer([outcome(items[0], .applied)])])).bulk(items)
    #expect(report.fates.allSatisfy { if case .unknown = $0 { true } else { false } })
  }

  @Test func nothingIsSentWhenTheItemsCannotBeSplit() async throws {
    let transport = transport([], itemsMax: 2)
    let items = try items(3)
    await #expect(throws: BulkPlanError.self) { try await space(transport).bulk(items, mode: .atomic) }
    #expect(transport.calls.isEmpty)
  }

  @Test func anEmptyBulkAsksNothing() async throws {
    let transport = transport([])
    #expect(try await space(transport).bulk([]).isComplete)
    #expect(transport.calls.isEmpty)
  }
}

/// Applies every item of a bulk.
private final class EchoTransport: CallTransport {
  private let see: @Sendable (WriteItem) -> Void

  init(_ see: @escaping @Sendable (WriteItem) -> Void) { self.see = see }

  func unary(_ call: OutgoingCall) async throws(AttemptFailure) -> ByteBuffer {
    let request = call.message.withUnsafeReadableBytes { try? BulkWriteRequest.decode($0, using: MessageArena()) }
    let epoch = Epoch(rawValue: Bytes16(high: 3, low: 4))
    let outcomes = (request?.items ?? []).map { item in
      see(item)
      return Outcome(
        code: .applied, type: item.type, id: item.id, operation: item.operation, version: .first,
        revision: Revision(rawValue: 10), epoch: epoch)
    }
    let answer = BulkWriteResponse(outcomes: outcomes, revision: Revision(rawValue: 10), epoch: epoch)
    guard let buffer = try? answer.buffer() else { throw .final(.closed, mayHaveExecuted: false) }
    return buffer
  }

  func open(_ call: OutgoingCall) async throws(AttemptFailure) -> any MessageSource {
    throw .final(.closed, mayHaveExecuted: false)
  }

  func hello(deadline: Duration?) async throws(AttemptFailure) -> Hello { Hello() }
  func close() {}
}
