/// Telling again why a write was refused.
extension SpaceJudge {
  /// What the receipt of a refused write says, with the reason as far as it can still be seen.
  ///
  /// The write is judged once more and taken back. When it comes to what it came to before, its message, broken rules and related entities are the
  /// reason: a stale write stays stale, and a broken rule of the data stays broken. Otherwise only the kind of the reason is told.
  ///
  /// - Parameters:
  ///   - item: the write as it was sent again, and `id` the id of its entity.
  ///   - bytesMax: when more was looked up, the write is not judged once more.
  /// - Throws: what the source throws.
  public mutating func replay(
    _ receipt: Receipt, of item: WriteItem, id: EntityID, by principal: Principal, bytesMax: Int
  ) throws -> Outcome {
    var replay = outcome(receipt.code, item, id, message: receipt.code.refusedBefore)
    (replay.version, replay.revision, replay.isReplay) = (receipt.version, receipt.revision, true)
    // What referred to other items was judged with what these made.
    guard state.bytes <= bytesMax, item.afterItem == nil, item.references.isEmpty else { return replay }
    var item = item
    // What could not be merged is stale: looking through its history again would tell nothing more.
    if receipt.code == .conflict { item.onConflict = .fail }
    let mark = state.mark()
    let again: Outcome?
    do { again = settle(try decide(item, id, by: principal), item, id) } catch is CorruptFields { again = nil }
    state.takeBack(to: mark)
    guard let again, again.code == receipt.code else { return replay }
    (replay.message, replay.violations, replay.related) = (again.message, again.violations, again.related)
    return replay
  }
}

extension OutcomeCode {
  /// A sentence about a write of which only the receipt is known; empty when the write succeeded.
  public var refusedBefore: String {
    let reason: String
    switch self {
    case .applied, .unchanged, .merged: return ""
    case .conflict: reason = "the entity was not in the state it was made against"
    case .notFound: reason = "there was no such entity"
    case .alreadyExists: reason = "the entity existed already"
    case .uniqueViolation: reason = "another entity had one of its unique keys"
    case .referenceViolation: reason = "an entity it pointed to was not there, or others pointed to the entity"
    case .invalid: reason = "it broke a rule"
    case .forbidden: reason = "it was not allowed"
    case .vetoed: reason = "it was vetoed"
    case .purged: reason = "the entity was deleted for good"
    case .epochChanged: reason = "the space was restored to another history"
    case .receiptExpired, .aborted: reason = "it was not judged"
    }
    return "This write was refused before: \(reason)."
  }
}
