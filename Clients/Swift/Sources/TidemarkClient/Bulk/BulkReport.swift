public import TidemarkCore

/// What became of each item of a bulk, in the order of the items.
public struct BulkReport: Hashable, Sendable {
  /// The items as they were sent; what they refer to is named by its place here.
  public internal(set) var items: [WriteItem]
  /// What became of each; an outcome's `cause` is a place here.
  public internal(set) var fates: [WriteFate]
  /// How the items depend on each other.
  public let mode: BulkMode
  /// Nothing was stored; the outcomes are those that would be.
  public let validatesOnly: Bool
  /// The revision of the space after the latest answered request; `nil` when none was answered.
  public internal(set) var revision: Revision?
  /// The epoch of the space; `nil` when no request was answered.
  public internal(set) var epoch: Epoch?
  /// The places of the items of each request whose outcomes are unknown. Receipts are bound to the places of items within their
  /// request, so these are sent again as they were.
  var unanswered: [[Int]] = []

  init(items: [WriteItem], mode: BulkMode, validatesOnly: Bool) {
    self.items = items
    self.mode = mode
    self.validatesOnly = validatesOnly
    fates = []
  }

  /// True when every item is applied, merged or unchanged.
  public var isComplete: Bool { fates.allSatisfy { $0.outcome?.code.isSuccess ?? false } }

  /// How many items are applied, merged or unchanged.
  public var doneCount: Int { fates.count { $0.outcome?.code.isSuccess ?? false } }

  /// How many items are not done, whatever the reason.
  public var failedCount: Int { fates.count - doneCount }

  /// The places of the items that are not done.
  public var failures: [Int] { fates.indices.filter { !(fates[$0].outcome?.code.isSuccess ?? false) } }

  /// How many items have each class; a class without items is missing.
  public var counts: [RetryClass: Int] { fates.indices.reduce(into: [:]) { $0[retryClass(at: $1), default: 0] += 1 } }

  /// What helps an item.
  ///
  /// An aborted item needs what the item needs that made it fail.
  ///
  /// - Parameter index: its place; one that does not exist is `hopeless`.
  public func retryClass(at index: Int) -> RetryClass {
    guard fates.indices.contains(index) else { return .hopeless }
    let found = fates[source(of: index)].retryClass
    // A cause that is done now stands in the way no longer.
    return found == .done && index != source(of: index) ? .retryNow : found
  }

  /// The item at the end of the chain of causes.
  private func source(of index: Int) -> Int {
    var index = index
    // A server that answers with a circle must not hold this up for ever.
    for _ in fates.indices {
      guard let outcome = fates[index].outcome, outcome.code == .aborted, let cause = outcome.cause,
        fates.indices.contains(cause)
      else { return index }
      index = cause
    }
    return index
  }

  // MARK: Building

  /// Takes the answer to a request.
  ///
  /// - Parameter range: the places of the request's items, which follow on those known so far.
  mutating func add(_ outcomes: [Outcome], for range: Range<Int>, revision: Revision, epoch: Epoch) {
    fates += outcomes.map { outcome in
      var outcome = outcome
      // A cause that is not in the request is no cause.
      outcome.cause = outcome.cause.flatMap { range.indices.contains($0 + range.lowerBound) ? $0 + range.lowerBound : nil }
      return .outcome(outcome)
    }
    self.revision = revision
    self.epoch = epoch
  }

  /// Takes the failure of a request.
  mutating func add(_ error: ClientError, for range: Range<Int>) {
    let fate = WriteFate(error)
    fates += range.map { _ in fate }
    if case .unknown = fate { unanswered.append(Array(range)) }
  }
}

/// How far a bulk has come.
public struct BulkProgress: Hashable, Sendable {
  /// Items whose fate is decided, failed ones included.
  public var done: Int
  /// All items.
  public var total: Int
  /// Items among `done` that are not applied, merged or unchanged.
  public var failed: Int

  public init(done: Int, total: Int, failed: Int) {
    self.done = done
    self.total = total
    self.failed = failed
  }
}
