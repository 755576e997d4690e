public import TidemarkCore

/// What to send again of a bulk: only items that are not done.
public struct BulkRetry: Hashable, Sendable {
  /// The writes; what they refer to is named by its place here.
  public internal(set) var items: [WriteItem] = []
  /// The place in the report of each.
  public internal(set) var positions: [Int] = []
  /// Runs of `items` that were a request whose outcome is unknown, and must be the same request again.
  var kept: [Range<Int>] = []
}

extension BulkReport {
  /// The places of the items that need a new write before they can be sent again, in order: those of the classes
  /// `retryAfterRefresh` and `needsDecision`. Items that were only aborted follow the item that made them fail.
  public var undecided: [Int] {
    fates.indices.filter { index in
      guard let outcome = fates[index].outcome, outcome.code != .aborted else { return false }
      return switch outcome.code.retryClass {
      case .retryAfterRefresh, .needsDecision: true
      case .done, .retryNow, .hopeless: false
      }
    }
  }

  /// Puts together what to send again.
  ///
  /// - Requests whose outcome is unknown are sent as they were, with the same operation ids: what was applied is answered, not
  ///   applied again.
  /// - Items of the class `retryNow` keep their operation ids.
  /// - An item of `undecided` is sent as `decisions` says, with a new operation id, and not at all without a decision.
  /// - An item does not go without what it belongs with: the rest of its group or of an atomic bulk, and the items that it
  ///   refers to, unless those are done; then it gets their ids and versions in place of the reference.
  ///
  /// - Parameters:
  ///   - decisions: new writes by the place of the item. What they refer to is named by its place in the report; the group stays.
  ///   - makeOperationID: makes the new operation ids, for decisions that still have the old one.
  public func retryItems(
    decisions: [Int: WriteItem] = [:], makeOperationID: () -> OperationID
  ) -> BulkRetry {
    var retry = BulkRetry()
    for places in unanswered {
      retry.kept.append(retry.items.count..<retry.items.count + places.count)
      retry.add(places.map { ($0, items[$0]) })
    }
    let isKept = Set(retry.positions)
    var fresh: [Int: WriteItem] = [:]
    let undecided = Set(undecided)
    for index in fates.indices where !isKept.contains(index) {
      if undecided.contains(index) {
        guard var item = decisions[index] else { continue }
        if item.operation == items[index].operation { item.operation = makeOperationID() }
        item.group = items[index].group
        fresh[index] = resolved(item)
      } else if isSentAgain(index) {
        fresh[index] = resolved(items[index])
      }
    }
    let unions = unions
    dropIncomplete(&fresh, unions)
    if mode == .partial { relabel(&fresh, unions) }
    retry.add(fresh.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    return retry
  }

  /// Whether an item that needs no new write is sent again: asking for the retry is all the decision that it can need.
  private func isSentAgain(_ index: Int) -> Bool {
    switch fates[index] {
    case .outcome(let outcome): outcome.code == .aborted
    case .notExecuted(let error): error.retryClass == .retryNow || error.retryClass == .needsDecision
    case .unknown: true
    }
  }

  /// Removes what would go without something it belongs with, until nothing is left of it.
  private func dropIncomplete(_ fresh: inout [Int: WriteItem], _ unions: [Range<Int>]) {
    var isSettled = false
    while !isSettled {
      isSettled = true
      for run in unions where run.contains(where: { fresh[$0] != nil }) {
        guard run.contains(where: { fresh[$0] == nil && !isDone($0) }) else { continue }
        for index in run { fresh[index] = nil }
        isSettled = false
      }
      // In order, so that a chain of references falls in one pass.
      for index in fresh.keys.sorted() {
        guard let item = fresh[index], !item.places.allSatisfy({ $0 < index && fresh[$0] != nil }) else { continue }
        fresh[index] = nil
        isSettled = false
      }
    }
  }

  /// The runs of items that succeed or fail together.
  private var unions: [Range<Int>] {
    if mode == .atomic { return items.isEmpty ? [] : [items.indices] }
    var runs: [Range<Int>] = []
    for index in items.indices where items[index].group != nil {
      if let last = runs.last, last.upperBound == index, items[index].group == items[index - 1].group {
        runs[runs.count - 1] = last.lowerBound..<index + 1
      } else {
        runs.append(index..<index + 1)
      }
    }
    return runs
  }

  private func isDone(_ index: Int) -> Bool { fates[index].outcome?.code.isSuccess ?? false }

  /// The item with the outcomes of items that are done in place of references to them; `nil` when that cannot be.
  private func resolved(_ original: WriteItem) -> WriteItem? {
    var item = original
    if let place = item.afterItem, items.indices.contains(place), isDone(place) {
      guard let outcome = fates[place].outcome, let version = outcome.version, let id = outcome.id else { return nil }
      item.afterItem = nil
      item.id = id
      item.action.setExpected(Expected(version: version, revision: outcome.revision, epoch: outcome.epoch))
    }
    for reference in item.references where items.indices.contains(reference.item) && isDone(reference.item) {
      guard let id = fates[reference.item].outcome?.id, item.action.set(reference.field, .string(id.text)) else { return nil }
      item.references.removeAll { $0.field == reference.field }
    }
    return item
  }

  /// Gives each group a label that no other has: groups that were apart may be neighbours now.
  private func relabel(_ fresh: inout [Int: WriteItem], _ unions: [Range<Int>]) {
    for run in unions {
      for index in run { fresh[index]?.group = "retry-\(run.lowerBound)" }
    }
  }

  /// The report of all items after a retry of some.
  func merging(_ retried: BulkReport, of retry: BulkRetry) -> BulkReport {
    var merged = self
    for (place, position) in retry.positions.enumerated() where retried.fates.indices.contains(place) {
      let group = items[position].group
      merged.items[position] = retried.items[place].mapPlaces { retry.positions[$0] }
      merged.items[position].group = group
      var fate = retried.fates[place]
      if case .outcome(var outcome) = fate {
        outcome.cause = outcome.cause.map { retry.positions[$0] }
        fate = .outcome(outcome)
      }
      merged.fates[position] = fate
    }
    merged.unanswered = retried.unanswered.map { $0.map { retry.positions[$0] } }
    merged.revision = retried.revision ?? revision
    merged.epoch = retried.epoch ?? epoch
    return merged
  }
}

extension BulkRetry {
  /// Adds items with their places in the report, and names what they refer to by its place here.
  fileprivate mutating func add(_ more: [(position: Int, item: WriteItem)]) {
    positions += more.map(\.position)
    let places = Dictionary(zip(positions, positions.indices), uniquingKeysWith: { first, _ in first })
    items += more.map { $0.item.mapPlaces { places[$0] ?? $0 } }
  }
}

extension WriteAction {
  fileprivate mutating func setExpected(_ expected: Expected) {
    switch self {
    case .create, .getOrCreate: break
    case .update(let patch, _): self = .update(patch, expected)
    case .replace(let fields, _): self = .replace(fields, expected)
    case .delete: self = .delete(expected)
    case .restore: self = .restore(expected)
    }
  }

  /// Sets a field; false when the write cannot.
  fileprivate mutating func set(_ field: FieldPath, _ value: Value) -> Bool {
    switch self {
    case .create(var fields):
      fields.set(field, value)
      self = .create(fields)
    case .getOrCreate(var fields):
      fields.set(field, value)
      self = .getOrCreate(fields)
    case .replace(var fields, let expected):
      fields.set(field, value)
      self = .replace(fields, expected)
    case .update(let patch, let expected):
      guard let more = try? Patch(patch.entries + [Patch.Entry(field, .set(value))]) else { return false }
      self = .update(more, expected)
    case .delete, .restore: return false
    }
    return true
  }
}
