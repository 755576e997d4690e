import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkClient

/// What is sent again of a bulk, without a server.
@Suite struct BulkRetryTests {
  private let epoch = Epoch(rawValue: Bytes16(high: 3, low: 4))

  private func report(_ items: [WriteItem], _ codes: [OutcomeCode], mode: BulkMode = .partial) -> BulkReport {
    var report = BulkReport(items: items, mode: mode, validatesOnly: false)
    let outcomes = zip(items, codes).map { item, code in
      Outcome(
        code: code, type: item.type, id: item.id, operation: item.operation, version: EntityVersion(rawValue: 5),
        revision: Revision(rawValue: 50), epoch: epoch,
        cause: code == .aborted ? codes.firstIndex { !$0.isSuccess && $0 != .aborted } : nil)
    }
    report.add(outcomes, for: items.indices, revision: Revision(rawValue: 50), epoch: epoch)
    return report
  }

  private func items(_ count: Int) throws -> [WriteItem] {
    var random = SeededGenerator(printing: "retried items")
    return try (0..<count).map { _ in try BulkSamples.create(using: &random) }
  }

  private func newOperation() -> OperationID { ClientTiming.system.makeOperationID() }

  @Test func nothingIsSentAgainOfABulkThatIsDone() throws {
    let items = try items(3)
    #expect(report(items, [.applied, .merged, .unchanged]).retryItems(makeOperationID: newOperation).items.isEmpty)
  }

  @Test func aGroupGoesWholeOrNotAtAll() throws {
    var items = try items(5)
    for index in 1...3 { items[index].group = "g" }
    let report = report(items, [.applied, .aborted, .conflict, .aborted, .applied])
    #expect(report.undecided == [2])
    #expect(report.retryClass(at: 1) == .retryAfterRefresh, "what its cause needs")
    #expect(report.retryItems(makeOperationID: newOperation).items.isEmpty)
    let retry = report.retryItems(decisions: [2: items[2]], makeOperationID: newOperation)
    #expect(retry.positions == [1, 2, 3])
    #expect(retry.items[0].operation == items[1].operation)
    #expect(retry.items[1].operation != items[2].operation)
    #expect(Set(retry.items.map(\.group)).count == 1)
  }

  @Test func groupsThatWereApartStayApart() throws {
    var items = try items(3)
    (items[0].group, items[2].group) = ("g", "g")
    let retry = report(items, [.aborted, .applied, .aborted]).retryItems(makeOperationID: newOperation)
    #expect(retry.positions == [0, 2])
    #expect(retry.items[0].group != retry.items[1].group)
  }

  @Test func referencesToWhatIsDoneBecomeItsIdAndState() throws {
    var items = try items(3)
    let field = try #require(FieldPath("of"))
    items[1].references = [ItemReference(field: field, item: 0)]
    items[2].action = .delete(Expected(version: .first))
    (items[2].id, items[2].afterItem) = (items[0].id, 0)
    let retry = report(items, [.applied, .aborted, .aborted]).retryItems(makeOperationID: newOperation)
    guard case .create(let fields) = try #require(retry.items.first).action else { return }
    #expect(fields[field] == .string(items[0].id?.text ?? ""))
    #expect(retry.items[0].references.isEmpty)
    #expect(retry.items[1].afterItem == nil)
    #expect(
      retry.items[1].action
        == .delete(Expected(version: EntityVersion(rawValue: 5), revision: Revision(rawValue: 50), epoch: epoch)))
  }

  @Test func whatRefersToAnItemThatIsNotSentIsNotSent() throws {
    var items = try items(4)
    items[2].references = [ItemReference(field: try #require(FieldPath("of")), item: 1)]
    items[3].references = [ItemReference(field: try #require(FieldPath("of")), item: 2)]
    let report = report(items, [.applied, .conflict, .aborted, .aborted])
    #expect(report.retryItems(makeOperationID: newOperation).items.isEmpty)
    let retry = report.retryItems(decisions: [1: items[1]], makeOperationID: newOperation)
    #expect(retry.positions == [1, 2, 3])
    #expect(retry.items.map(\.places) == [[], [0], [1]])
  }

  @Test func anAtomicBulkGoesWholeOrNotAtAll() throws {
    let items = try items(3)
    let report = report(items, [.aborted, .notFound, .aborted], mode: .atomic)
    #expect(report.retryItems(makeOperationID: newOperation).items.isEmpty)
    #expect(report.retryItems(decisions: [1: items[1]], makeOperationID: newOperation).items.count == 3)
  }

  @Test func hopelessItemsAreNotSentAgain() throws {
    let items = try items(3)
    let report = report(items, [.invalid, .forbidden, .vetoed])
    #expect(report.undecided.isEmpty)
    #expect(report.retryItems(makeOperationID: newOperation).items.isEmpty)
  }

  @Test func aCircleOfCausesEnds() throws {
    let items = try items(2)
    var report = report(items, [.aborted, .aborted])
    for (index, cause) in [(0, 1), (1, 0)] {
      guard case .outcome(var outcome) = report.fates[index] else { continue }
      outcome.cause = cause
      report.fates[index] = .outcome(outcome)
    }
    #expect(report.retryClass(at: 0) == .retryNow)
  }

  /// Whatever failed: nothing that is done is sent, and what is sent can be planned.
  @Test func retriesAreWellMade() throws {
    var random = SeededGenerator(printing: "retries")
    for _ in 0..<300 {
      let items = try BulkSamples.items(Int.random(in: 1...40, using: &random), using: &random)
      let codes = items.map { _ in OutcomeCode.allCases.randomElement(using: &random) ?? .applied }
      let report = report(items, codes)
      let decisions = Dictionary(
        uniqueKeysWithValues: report.undecided.filter { _ in Bool.random(using: &random) }.map { ($0, items[$0]) })
      let retry = report.retryItems(decisions: decisions, makeOperationID: newOperation)
      #expect(retry.positions.allSatisfy { !codes[$0].isSuccess })
      #expect(Set(retry.positions).count == retry.positions.count)
      _ = try BulkPlan(retry.items, space: .default)
    }
  }
}
