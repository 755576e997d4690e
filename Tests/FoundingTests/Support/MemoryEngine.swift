import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// The same rules over an engine without files, SQL or sockets.
final class MemoryEngine: WriteSink {
  private let writer: GroupCommitWriter
  private let answers = Waiting<WriteResult>()
  private let principal: Principal

  init(principal: PrincipalName) throws {
    let clock = StoreClock(now: { Timestamp(rawValue: 1_700_000_000_000_000) }, uptimeNanoseconds: { 1_000 })
    writer = try GroupCommitWriter(store: MemoryStore(), clock: clock, random: SeededGenerator(seed: 1)) { _ in }
    self.principal = Principal(name: principal, roleEverywhere: .admin)
    let done = Waiting<StoreError?>()
    let epoch = Epoch(rawValue: Bytes16(high: 1, low: 1))
    _ = writer.administer({ transaction, _ in
      _ = try transaction.insertSpace(
        named: .default, epoch: epoch, createdAt: Timestamp(rawValue: 1), genesis: Chain.genesis(epoch))
    }) { done.put($0) }
    if let error = done.take() { throw error }
  }

  deinit { writer.close() }

  func bulk(_ items: [WriteItem], mode: BulkMode) throws -> [Outcome] {
    let submission = WriteSubmission(
      space: .default, principal: principal, items: items, mode: mode, deadlineNanoseconds: nil, sink: self, ticket: 1)
    guard writer.submit(submission), case .outcomes(let outcomes) = answers.take() else {
      throw StoreError(.failed, "no outcomes")
    }
    return outcomes
  }

  func deliver(_ answers: [WriteAnswer]) {
    for answer in answers { self.answers.put(answer.result) }
  }
}
