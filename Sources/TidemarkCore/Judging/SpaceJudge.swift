/// Decides what becomes of writes to one space: a pure value, the same for every engine.
///
/// Whoever stores gives it the space's counters, the latest entities that the writes name, the receipts they may have left, and a source to look up
/// the rest. It judges items one after the other, each against the state the ones before it left, and collects what is to be stored. It reads no
/// clock and no randomness.
///
/// The order of judgement for one item, the first that holds:
/// 1. the principal may not write here: `forbidden`; the item is not well made: `invalid`, without a receipt
/// 2. there is a receipt of the same content: a replay; of other content: misuse
/// 3. it was made with knowledge older than the kept receipts: `receiptExpired`
/// 4. it was made against another epoch: `epochChanged`
/// 5. the entity is gone and its deletion marker has left the feed: `purged`
/// 6. the entity is not in the expected state: `conflict`, `notFound`, `alreadyExists`; unless the item asks to merge or to overwrite
/// 7. the type lets only its owner change it: `forbidden`
/// 8. nothing would change: `unchanged`
/// 9. the result breaks a rule of the data model or of the schema: `invalid`
/// 10. a unique key is held by another entity: `uniqueViolation`; a reference points nowhere, or is pointed at: `referenceViolation`
/// 11. `applied` or `merged`, with a change at the next revision
public struct SpaceJudge {
  /// What is known of the space before the first item.
  public struct Context: Sendable {
    public var space: SpaceName
    public var epoch: Epoch
    /// The latest revision.
    public var revision: Revision
    /// Receipts of writes made with knowledge below this revision may be gone.
    public var receiptFloor: Revision
    /// Deletion markers at or below this revision have left the feed.
    public var fence: Revision
    /// The time of everything applied now: the clock's, and never before the space's latest change.
    public var now: Timestamp
    /// The rules of the space's types; `nil` when it takes free-form entities.
    public var schema: CompiledSchema?

    public init(
      space: SpaceName, epoch: Epoch, revision: Revision, receiptFloor: Revision, fence: Revision, now: Timestamp,
      schema: CompiledSchema? = nil
    ) {
      self.space = space
      self.epoch = epoch
      self.revision = revision
      self.receiptFloor = receiptFloor
      self.fence = fence
      self.now = now
      self.schema = schema
    }
  }

  /// What became of one item.
  public enum Verdict: Sendable {
    /// Judged now.
    case judged(Outcome)
    /// Judged before: this is what its receipt says.
    case replay(Receipt)
    /// What is stored of the entity does not decode. Nothing was judged.
    case corrupt
  }

  let context: Context
  var state: JudgeState
  /// How many broken rules the outcomes of the bulk under judgement may still tell.
  var violationsLeft = Limits.violationsPerBulkMax
  /// What the merges of the bulk, or the single write, that is being judged may still cost.
  var mergeBudget = MergeBudget(steps: Limits.mergeStepsPerBulkMax)

  /// Begins with the latest entities that the items name; `nil` for one that is known not to exist. Others are looked up.
  ///
  /// - Parameter itemCount: how many items will be judged, about; what they take is then made room for at once.
  public init(context: Context, entities: [EntityKey: Entity?], itemCount: Int = 0, source: any JudgeSource) {
    self.context = context
    state = JudgeState(revision: context.revision, entities: entities, itemCount: itemCount, source: source)
  }

  /// The latest revision, the changes judged so far included.
  public var revision: Revision { state.revision }
  /// The memory of what was looked up and made so far, in bytes, about.
  public var bytes: Int { state.bytes }
  /// Whether keys and references may have to move.
  public var hasSchema: Bool { context.schema != nil }
  /// What is to be stored, in order.
  public var changes: [Change] { state.changes }
  /// The receipts to keep, in order.
  public var receipts: [(principal: PrincipalName, receipt: Receipt)] { state.newReceipts }
  /// What the unique keys of the space have to become.
  public var keyMoves: (released: [HeldKey], taken: [(HeldKey, EntityID)]) { state.keyMoves }
  /// What the references of the space have to become.
  public var referenceMoves: (released: [HeldReference], taken: [HeldReference]) { state.referenceMoves }

  /// Gives the receipts that a principal's writes left before.
  public mutating func add(_ known: [Receipt], of principal: PrincipalName) {
    for receipt in known { state.add(receipt, of: principal) }
  }

  /// Judges one item with an id.
  ///
  /// - Parameters:
  ///   - item: the write; `id` is the one it names, or the one the server made for it. Its references to other items are resolved.
  ///   - content: the digest of what the client sent.
  /// - Throws: what the source throws.
  public mutating func judge(
    _ item: WriteItem, id: EntityID, content: Digest32, by principal: Principal
  ) throws -> Verdict {
    mergeBudget = MergeBudget(steps: Limits.mergeStepsPerBulkMax)
    return try judgeNext(item, id: id, content: content, by: principal)
  }

  /// Judges one item of those that share a budget.
  mutating func judgeNext(
    _ item: WriteItem, id: EntityID, content: Digest32, by principal: Principal
  ) throws -> Verdict {
    guard principal.can(.writer, in: context.space) else {
      return .judged(outcome(.forbidden, item, id, message: Messages.forbidden))
    }
    if let fault = item.fault { return .judged(settle(.invalid([fault], nil), item, id)) }
    let receiptPlace = state.receiptPlace(JudgeState.ReceiptKey(principal: principal.name, operation: item.operation))
    if let receipt = state.receipt(at: receiptPlace) {
      return receipt.content == content ? .replay(receipt) : .judged(misuse(item, id))
    }
    let decision: Decision
    do { decision = try decide(item, id, by: principal) } catch is CorruptFields { return .corrupt }
    // Not in one expression with the line before: the state would be shared while it changes, and copied.
    let outcome = settle(decision, item, id)
    guard outcome.code.leavesReceipt else { return .judged(outcome) }
    state.keep(
      Receipt(
        operation: item.operation, content: content, code: outcome.code, version: outcome.version, revision: outcome.revision),
      of: principal.name, at: receiptPlace)
    return .judged(outcome)
  }

  // MARK: Settling

  /// What was decided about an item. What it changes is in `state` already.
  enum Decision {
    case applied(Entity, OutcomeCode)
    case unchanged(Entity)
    case refuse(OutcomeCode, Entity?, String)
    case invalid([Violation], Entity?)
    /// A rule between entities is broken; `related` are the others.
    case related(OutcomeCode, Entity?, [Violation], related: [EntityKey])
  }

  mutating func settle(_ decision: Decision, _ item: WriteItem, _ id: EntityID) -> Outcome {
    switch decision {
    case .applied(let entity, let code):
      var applied = outcome(code, item, id, current: entity)
      applied.appliedAt = context.now
      return applied
    case .unchanged(let entity):
      return outcome(.unchanged, item, entity.key.id, current: entity)
    case .refuse(let code, let entity, let message):
      return outcome(code, item, id, current: entity, message: message)
    case .invalid(let violations, let entity):
      return outcome(.invalid, item, id, breaking: violations, current: entity)
    case .related(let code, let entity, let violations, let related):
      var refused = outcome(code, item, id, breaking: violations, current: entity)
      refused.related = Array(related.prefix(Limits.relatedEntitiesMax))
      return refused
    }
  }

  /// How many broken rules the next outcome tells.
  var violationsToldMax: Int {
    min(Limits.violationsPerOutcomeMax, max(Limits.violationsPerOutcomeMin, violationsLeft))
  }

  /// An outcome that tells the first of some broken rules.
  private mutating func outcome(
    _ code: OutcomeCode, _ item: WriteItem, _ id: EntityID, breaking violations: [Violation], current: Entity?
  ) -> Outcome {
    let told = violations.prefix(violationsToldMax)
    violationsLeft -= told.count
    var message = violations.first?.message ?? ""
    if told.count < violations.count { message += " " + Messages.moreViolations(told.count) }
    var refused = outcome(code, item, id, current: current, message: message)
    refused.violations = Array(told)
    return refused
  }

  private func misuse(_ item: WriteItem, _ id: EntityID) -> Outcome {
    var refused = outcome(.invalid, item, id, message: Messages.operationReused)
    refused.violations = [Violation(rule: "operation_id_reused", message: Messages.operationReused)]
    return refused
  }

  func outcome(
    _ code: OutcomeCode, _ item: WriteItem, _ id: EntityID, current: Entity? = nil, message: String = ""
  ) -> Outcome {
    Outcome(
      code: code, type: item.type, id: id, operation: item.operation, version: current?.version, revision: current?.revision,
      epoch: context.epoch, entity: current, message: message)
  }
}
