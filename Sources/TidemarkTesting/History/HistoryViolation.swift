public import TidemarkCore

/// A promise that a recorded history breaks.
public enum HistoryViolation: Error, Hashable, Sendable {
  /// Two writes made, or were told to have made, the same version of an entity.
  case twoWinners(EntityKey, EntityVersion, [OperationID])
  /// A version does not follow the one before it, or a write was applied to another version than it was made against.
  case versionSkipped(EntityKey, EntityVersion, after: EntityVersion?)
  /// A write was refused for a version that nobody else had overtaken.
  case refusedWithoutReason(OperationID, EntityKey, OutcomeCode)
  /// A client was told of a change that is not in the log as it was told.
  case acknowledgedNotStored(OperationID, RecordedHistory.Answer)
  /// Something that had ended before another began has the higher number: the revision of a space, or the version of an entity.
  case orderReversed(EntityKey?, ended: UInt64, begun: UInt64)
  /// The same write was answered in two ways.
  case answeredOtherwise(OperationID, [RecordedHistory.Answer], nodes: [Int])
  /// The same write was judged more than once.
  case judgedTwice(OperationID)
  /// Every attempt but those that met its receipt was answered as not executed: one of these was executed.
  case executedThoughDenied(OperationID)
  /// A write that had been answered had no receipt later.
  case receiptGone(OperationID, node: Int)
  /// The log has a change of a write that was answered to have changed nothing.
  case storedThoughRefused(OperationID, RecordedHistory.Answer, Revision)
  /// The log has several changes of one write.
  case appliedTwice(OperationID, [Revision])
  /// Nobody learnt what became of a write.
  case neverResolved(OperationID)
  /// The log has a change that nobody asked for, or to another entity.
  case storedForNobody(OperationID, Revision)
  /// The log does not go on by one.
  case revisionSkipped(Revision, after: Revision)
  /// An entry of the log is not what was sealed, or does not follow the one before it.
  case chainBroken(Revision)
  /// What verification found in the store.
  case verificationFault(String)
}

extension HistoryViolation: CustomStringConvertible {
  public var description: String {
    switch self {
    case .twoWinners(let key, let version, let operations):
      "\(operations.count) writes made version \(version) of \(text(key)): \(list(operations))"
    case .versionSkipped(let key, let version, let before):
      "\(text(key)) has version \(version) after \(before.map { "version \($0)" } ?? "nothing")"
    case .refusedWithoutReason(let operation, let key, let code):
      "the write \(operation) to \(text(key)) was answered \(code), and nobody else had changed it"
    case .acknowledgedNotStored(let operation, let answer):
      "the write \(operation) was told \(text(answer)), and the log has no such change"
    case .orderReversed(let key, let ended, let begun):
      "\(key.map { "version \(ended) of \(text($0))" } ?? "revision \(ended)") was known before what has "
        + "\(key == nil ? "revision" : "version") \(begun) began"
    case .answeredOtherwise(let operation, let answers, let nodes):
      "the write \(operation) was answered "
        + zip(answers, nodes).map { "\(text($0)) by node \($1)" }.joined(separator: ", and ")
    case .judgedTwice(let operation): "the write \(operation) was judged more than once"
    case .executedThoughDenied(let operation):
      "the write \(operation) has a receipt, and every attempt that could have left it was answered as not executed"
    case .receiptGone(let operation, let node): "node \(node) had no receipt of the write \(operation), which had been answered"
    case .storedThoughRefused(let operation, let answer, let revision):
      "the write \(operation) was answered \(text(answer)), and made revision \(revision)"
    case .appliedTwice(let operation, let revisions): "the write \(operation) made the revisions \(list(revisions))"
    case .neverResolved(let operation): "nobody learnt what became of the write \(operation)"
    case .storedForNobody(let operation, let revision):
      "revision \(revision) was made by the write \(operation), which nobody sent to that entity"
    case .revisionSkipped(let revision, let before): "revision \(revision) comes after \(before)"
    case .chainBroken(let revision): "the entry of revision \(revision) does not verify"
    case .verificationFault(let fault): "verification finds \(fault)"
    }
  }

  private func text(_ key: EntityKey) -> String { "\(key.type)/\(key.id)" }

  private func list(_ values: [some CustomStringConvertible]) -> String {
    values.map(\.description).joined(separator: ", ")
  }

  private func text(_ answer: RecordedHistory.Answer) -> String {
    switch answer {
    case .applied(let version, let revision): "version \(version) at revision \(revision)"
    case .settled(let code, let version): "\(code)" + (version.map { " at version \($0)" } ?? "")
    case .notExecuted: "not executed"
    case .unknown: "unknown"
    case .noReceipt: "no receipt"
    }
  }
}
