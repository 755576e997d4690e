import NIOCore
import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkWire

@testable import TidemarkClient

/// What is sent of a bulk after a request that failed, and whose outcomes are believed.
@Suite struct BulkOrderTests {
  private static let epoch = Epoch(rawValue: Bytes16(high: 3, low: 4))
  private let time = FakeTime()

  private func space(_ transport: ScriptedTransport) throws -> SpaceClient {
    var options = ClientOptions()
    options.timing = time.timing()
    options.timing.random = { .random(in: .min ... .max) }
    return TidemarkClient(
      try ServerAddress(parsing: "tidemark://h"), credentials: .none, options: options, transport: transport
    ).space(.default)
  }

  private func transport(_ answers: [Result<ByteBuffer, AttemptFailure>], itemsMax: UInt32 = 0) -> ScriptedTransport {
    let transport = ScriptedTransport(answers)
    transport.hello.withLock { $0.bulkItemsMax = itemsMax }
    return transport
  }

  private func items(_ count: Int) throws -> [WriteItem] {
    var random = SeededGenerator(printing: "bulk items")
    return try (0..<count).map { _ in try BulkSamples.create(using: &random) }
  }

  private func answer(_ items: [WriteItem], _ codes: [OutcomeCode], cause: Int? = nil) throws -> Result<
    ByteBuffer, AttemptFailure
  > {
    let outcomes = zip(items, codes).map { item, code in
      Outcome(
        code: code, type: item.type, id: item.id, operation: item.operation, version: .first, revision: Revision(rawValue: 9),
        epoch: Self.epoch, cause: code == .aborted ? cause : nil)
    }
    return .success(
      try BulkWriteResponse(outcomes: outcomes, revision: Revision(rawValue: 9), epoch: Self.epoch).buffer())
  }

  private func requests(_ transport: ScriptedTransport) throws -> [BulkWriteRequest] {
    try transport.calls.filter { $0.method == .bulkWrite }.map { call in
      try call.message.withUnsafeReadableBytes { try BulkWriteRequest.decode($0, using: MessageArena()) }
    }
  }

  @Test func nothingOvertakesARequestThatFailed() async throws {
    let items = try items(3)
    let refused = AttemptFailure.status(RPCStatus(.permissionDenied, "no"))
    let transport = transport(
      [try answer([items[0]], [.applied]), .failure(refused), try answer([items[2]], [.applied])], itemsMax: 1)
    let report = try await space(transport).bulk(items)
    #expect(report.fates.map { $0.outcome?.code } == [.applied, nil, nil])
    #expect(try requests(transport).map(\.items) == [[items[0]], [items[1]]])
  }

  @Test func aRequestWithoutAnAnswerIsSentAsItWasAlsoWhenItsItemsAreIndependent() async throws {
    let items = try items(3)
    let lost = AttemptFailure.unanswered(ClientError(.unavailable, "lost"))
    let report = try await space(transport([Result<ByteBuffer, AttemptFailure>](repeating: .failure(lost), count: 9)))
      .bulk(items)
    let second = transport([try answer(items, [.applied, .applied, .applied])])
    let again = try await space(second).retryFailed(report) { _, _ in nil }
    #expect(try requests(second).map(\.items) == [items])
    #expect(again.isComplete)
  }

  @Test func outcomesOfOtherOperationsAreNotBelieved() async throws {
    let items = try items(2)
    let report = try await space(transport([try answer(items.reversed(), [.applied, .applied])])).bulk(items)
    #expect(report.fates.allSatisfy { if case .unknown = $0 { true } else { false } })
  }

  @Test func aRequestKnowsWhatAllOfItsItemsKnew() async throws {
    var items = try items(2)
    (items[0].knownRevision, items[1].knownRevision) = (Revision(rawValue: 9), Revision(rawValue: 4))
    let transport = transport([try answer(items, [.applied, .applied])])
    _ = try await space(transport).bulk(items)
    #expect(try requests(transport).first?.knownRevision?.rawValue == 4)
  }

  @Test func theCauseOfARetriedItemIsItsPlaceInTheReport() async throws {
    var items = try items(3)
    for index in 1...2 { items[index].group = "g" }
    let first = transport([try answer(items, [.applied, .conflict, .aborted], cause: 1)])
    let report = try await space(first).bulk(items)
    #expect(report.fates[2].outcome?.cause == 1)
    let echo = RefusingTransport(epoch: Self.epoch)
    let client = TidemarkClient(
      try ServerAddress(parsing: "tidemark://h"), credentials: .none, options: ClientOptions(), transport: echo)
    let again = try await client.space(.default).retryFailed(report) { item, _ in item }
    #expect(again.fates.map { $0.outcome?.code } == [.applied, .conflict, .aborted])
    #expect(again.fates[2].outcome?.cause == 1)
  }
}

/// Refuses the first item of a bulk by a conflict, and the others because of it.
private final class RefusingTransport: CallTransport {
  private let epoch: Epoch

  init(epoch: Epoch) { self.epoch = epoch }

  func unary(_ call: OutgoingCall) async throws(AttemptFailure) -> ByteBuffer {
    let request = call.message.withUnsafeReadableBytes { try? BulkWriteRequest.decode($0, using: MessageArena()) }
    let outcomes = (request?.items ?? []).enumerated().map { index, item in
      Outcome(
        code: index == 0 ? .conflict : .aborted, type: item.type, id: item.id, operation: item.operation, version: .first,
        revision: Revision(rawValue: 10), epoch: epoch, cause: index == 0 ? nil : 0)
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
