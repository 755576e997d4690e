/// Many writes to one space, as one principal asked for them.
public struct Bulk: Sendable {
  public var items: [WriteItem]
  /// For each item, the id of its entity: the one it names, or the one the server made for it.
  public var ids: [EntityID]
  /// For each item, the digest of what the client sent.
  public var contents: [Digest32]
  public var mode: BulkMode
  /// Only tell what would become of the items.
  public var validatesOnly: Bool
  public var principal: Principal

  public init(
    items: [WriteItem], ids: [EntityID], contents: [Digest32], mode: BulkMode = .partial, validatesOnly: Bool = false,
    principal: Principal
  ) {
    self.items = items
    self.ids = ids
    self.contents = contents
    self.mode = mode
    self.validatesOnly = validatesOnly
    self.principal = principal
  }
}

/// Groups, references between items, and asking without writing.
extension SpaceJudge {
  /// Judges the items of a bulk in their order; one verdict each.
  ///
  /// An item that depends on one that failed is `aborted`. When an item of a group fails, nothing of the group is applied and none of it leaves a
  /// receipt: those that failed say why, the others are `aborted`.
  ///
  /// - Throws: what the source throws.
  public mutating func judge(_ bulk: Bulk) throws -> [Verdict] {
    violationsLeft = Limits.violationsPerBulkMax
    defer { violationsLeft = Limits.violationsPerBulkMax }
    mergeBudget = MergeBudget(steps: Limits.mergeStepsPerBulkMax)
    let whole = bulk.validatesOnly ? state.mark() : nil
    let bytesMax = state.bytes + Limits.bulkBytesMax
    var verdicts: [Verdict] = []
    verdicts.reserveCapacity(bulk.items.count)
    while verdicts.count < bulk.items.count {
      let range = group(at: verdicts.count, bulk)
      if bulk.mode == .partial, bulk.items[range.lowerBound].group == nil {
        verdicts.append(try judge(range.lowerBound, bulk, verdicts, bytesMax: bytesMax))
      } else {
        try judgeGroup(range, bulk, &verdicts, bytesMax: bytesMax)
      }
    }
    if let whole { state.takeBack(to: whole) }
    return verdicts
  }

  /// The items from `start` on that succeed or fail together.
  private func group(at start: Int, _ bulk: Bulk) -> Range<Int> {
    guard bulk.mode == .partial else { return start..<bulk.items.count }
    guard let label = bulk.items[start].group else { return start..<start + 1 }
    let end = bulk.items[start...].firstIndex { $0.group != label } ?? bulk.items.count
    return start..<end
  }

  private mutating func judgeGroup(
    _ range: Range<Int>, _ bulk: Bulk, _ verdicts: inout [Verdict], bytesMax: Int
  ) throws {
    let mark = state.mark()
    let before = state.changes.count
    for index in range { verdicts.append(try judge(index, bulk, verdicts, bytesMax: bytesMax)) }
    // The first that failed by itself; what only depends on it is not a cause.
    guard let cause = range.first(where: { verdicts[$0].isFailure }) else {
      state.join(since: before)
      return state.forget(mark)
    }
    let applied = mark.revision
    state.takeBack(to: mark)
    for index in range { verdicts[index] = try settle(verdicts[index], index, bulk, cause: cause, applied: applied) }
  }

  /// The verdict of an item whose group failed.
  private mutating func settle(
    _ verdict: Verdict, _ index: Int, _ bulk: Bulk, cause: Int, applied: Revision
  ) throws -> Verdict {
    switch verdict {
    case .corrupt: return verdict
    case .replay(let receipt):
      // What was applied before this bulk stays so.
      let key = JudgeState.ReceiptKey(principal: bulk.principal.name, operation: receipt.operation)
      return state.receipt(key) == nil ? .judged(aborted(bulk.items[index], bulk.ids[index], by: cause)) : verdict
    case .judged(var outcome):
      guard !outcome.code.isSuccess else { return .judged(aborted(bulk.items[index], bulk.ids[index], by: cause)) }
      // It may speak of a version that was taken back.
      if let revision = outcome.revision, revision > applied, let id = outcome.id {
        let current = try state.entity(EntityKey(type: outcome.type, id: id))
        (outcome.entity, outcome.version, outcome.revision) = (current, current?.version, current?.revision)
        if outcome.violations.isEmpty { outcome.message = message(for: bulk.items[index], outcome.code, current) }
      }
      return .judged(outcome)
    }
  }

  /// The message of an item that was refused for a version of its own group, which was taken back.
  private func message(for item: WriteItem, _ code: OutcomeCode, _ current: Entity?) -> String {
    guard code == .conflict, item.afterItem == nil, let expected = item.action.expected, let current,
      expected.version != current.version || expected.revision.map({ $0 != current.revision }) ?? false
    else { return Messages.takenBack }
    return Messages.conflict(expected, current)
  }

  /// Judges one item, once what it refers to is known.
  private mutating func judge(_ index: Int, _ bulk: Bulk, _ verdicts: [Verdict], bytesMax: Int) throws -> Verdict {
    if index > 0, state.bytes > bytesMax {
      // What was done before is told, however much the items are about.
      let receipt = JudgeState.ReceiptKey(principal: bulk.principal.name, operation: bulk.items[index].operation)
      if state.receipt(receipt) == nil {
        return .judged(outcome(.aborted, bulk.items[index], bulk.ids[index], message: Messages.tooMuchData))
      }
    }
    if bulk.items[index].standsAlone {
      return try judgeNext(bulk.items[index], id: bulk.ids[index], content: bulk.contents[index], by: bulk.principal)
    }
    var item = bulk.items[index]
    var ids: [Int: EntityID] = [:]
    for reference in item.references.map(\.item) + (item.afterItem.map { [$0] } ?? []) where ids[reference] == nil {
      guard verdicts.indices.contains(reference) else {
        return .judged(badReference(item, bulk.ids[index]))
      }
      if verdicts[reference].isFailure { return .judged(aborted(item, bulk.ids[index], by: reference)) }
      guard let id = try entityID(of: verdicts[reference], bulk.items[reference]) else {
        return .judged(refused(item, bulk.ids[index], .unknownReferent(reference)))
      }
      ids[reference] = id
    }
    do throws(Violation) {
      try item.resolve(bulk, verdicts, ids, epoch: context.epoch)
    } catch {
      return .judged(refused(item, bulk.ids[index], error))
    }
    let id = item.afterItem.flatMap { ids[$0] } ?? bulk.ids[index]
    return try judgeNext(item, id: id, content: bulk.contents[index], by: bulk.principal)
  }

  /// The id of the entity that an item made or found: the server makes another id at every attempt, and a get-or-create may find another
  /// entity than it names. `nil` when it is no longer known.
  private func entityID(of verdict: Verdict, _ item: WriteItem) throws -> EntityID? {
    switch verdict {
    case .judged(let outcome): outcome.id ?? item.id
    case .replay(let receipt): try receipt.revision.flatMap { try state.key(at: $0) }?.id ?? item.id
    case .corrupt: nil
    }
  }

  private func aborted(_ item: WriteItem, _ id: EntityID, by cause: Int) -> Outcome {
    var aborted = outcome(.aborted, item, id, message: Messages.aborted(by: cause))
    aborted.cause = cause
    return aborted
  }

  private func badReference(_ item: WriteItem, _ id: EntityID) -> Outcome {
    refused(item, id, Violation(rule: "item_reference", message: "An item may only refer to items before it."))
  }

  private func refused(_ item: WriteItem, _ id: EntityID, _ violation: Violation) -> Outcome {
    var refused = outcome(.invalid, item, id, message: violation.message)
    refused.violations = [violation]
    return refused
  }
}

extension SpaceJudge.Verdict {
  /// Whether what depends on the item cannot be done.
  var isFailure: Bool {
    switch self {
    case .judged(let outcome): !outcome.code.isSuccess
    case .replay(let receipt): !receipt.code.isSuccess
    case .corrupt: true
    }
  }
}

extension WriteItem {
  /// Whether it refers to no other item.
  fileprivate var standsAlone: Bool { afterItem == nil && references.isEmpty }

  /// Puts the ids and the state of earlier items in place.
  fileprivate mutating func resolve(
    _ bulk: Bulk, _ verdicts: [SpaceJudge.Verdict], _ ids: [Int: EntityID], epoch: Epoch
  ) throws(Violation) {
    if let afterItem {
      guard id == nil || id == ids[afterItem], bulk.items[afterItem].type == type else {
        throw Violation(rule: "after_item", message: "The item before is about another entity.")
      }
      let version: EntityVersion?
      let revision: Revision?
      switch verdicts[afterItem] {
      case .judged(let outcome): (version, revision) = (outcome.version, outcome.revision)
      case .replay(let receipt): (version, revision) = (receipt.version, receipt.revision)
      case .corrupt: (version, revision) = (nil, nil)
      }
      action = action.expecting(Expected(version: version ?? .first, revision: revision, epoch: epoch))
    }
    guard !references.isEmpty else { return }
    let fields = references.compactMap { reference in ids[reference.item].map { Field(reference.field, .string($0.text)) } }
    action = try action.setting(fields)
  }
}

extension Violation {
  fileprivate static func unknownReferent(_ item: Int) -> Violation {
    Violation(rule: "item_reference", message: "Which entity item \(item) made is no longer known. Name it by its id.")
  }
}

extension WriteAction {
  /// The same write, made against another state.
  fileprivate func expecting(_ expected: Expected) -> WriteAction {
    switch self {
    case .create, .getOrCreate: self
    case .update(let patch, _): .update(patch, expected)
    case .replace(let fields, _): .replace(fields, expected)
    case .delete: .delete(expected)
    case .restore: .restore(expected)
    }
  }

  /// The same write, with some fields more.
  fileprivate func setting(_ more: [Field]) throws(Violation) -> WriteAction {
    switch self {
    case .create(let fields): .create(try Fields(fields.sorted + more))
    case .getOrCreate(let fields): .getOrCreate(try Fields(fields.sorted + more))
    case .replace(let fields, let expected): .replace(try Fields(fields.sorted + more), expected)
    case .update(let patch, let expected):
      .update(try Patch(patch.entries + more.map { Patch.Entry($0.name, .set($0.value)) }), expected)
    case .delete, .restore:
      throw Violation(rule: "item_reference", message: "A delete or restore has no fields to refer with.")
    }
  }
}
