/// Decides what becomes of writes to one space: a pure value, the same for every engine.
///
/// Whoever stores gives it the space's counters, the latest entities that the writes name and the receipts they may have left. It judges items one
/// after the other, each against the state the ones before it left, and collects what is to be stored. It reads no clock and no randomness.
///
/// The order of judgement for one item, the first that holds:
/// 1. the principal may not write here: `forbidden`
/// 2. there is a receipt of the same content: a replay; of other content: misuse
/// 3. it was made with knowledge older than the kept receipts: `receiptExpired`
/// 4. it was made against another epoch: `epochChanged`
/// 5. the entity is gone and its deletion marker has left the feed: `purged`
/// 6. the entity is not in the expected state: `conflict`, `notFound`, `alreadyExists`
/// 7. the result breaks a rule of the data model: `invalid`
/// 8. nothing would change: `unchanged`
/// 9. `applied`, with one change at the next revision
public struct SpaceJudge: Sendable {
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

    public init(
      space: SpaceName, epoch: Epoch, revision: Revision, receiptFloor: Revision, fence: Revision, now: Timestamp
    ) {
      self.space = space
      self.epoch = epoch
      self.revision = revision
      self.receiptFloor = receiptFloor
      self.fence = fence
      self.now = now
    }
  }

  /// What became of one item.
  public enum Verdict: Sendable {
    /// Judged now. `change` is what to store, present when the outcome is `applied`; `receipt` is to be kept when present.
    case judged(Outcome, change: Change?, receipt: Receipt?)
    /// Judged before: this is what its receipt says.
    case replay(Receipt)
    /// What is stored of the entity does not decode. Nothing was judged.
    case corrupt
  }

  private var context: Context
  private var entities: [EntityKey: Entity]
  private var receipts: [ReceiptKey: Receipt]

  /// Names a receipt within a space.
  private struct ReceiptKey: Hashable {
    var principal: PrincipalName
    var operation: OperationID
  }

  /// Begins with the latest entities that the items name. What is not there does not exist.
  public init(context: Context, entities: [EntityKey: Entity]) {
    self.context = context
    self.entities = entities
    receipts = [:]
  }

  /// The latest revision, the changes judged so far included.
  public var revision: Revision { context.revision }

  /// Gives the receipts that a principal's writes left before.
  public mutating func add(_ known: [Receipt], of principal: PrincipalName) {
    for receipt in known { receipts[ReceiptKey(principal: principal, operation: receipt.operation)] = receipt }
  }

  /// Judges one item with an id.
  ///
  /// - Parameters:
  ///   - item: the write; `id` is the one it names, or the one the server made for it.
  ///   - content: the digest of what the client sent.
  public mutating func judge(_ item: WriteItem, id: EntityID, content: Digest32, by principal: Principal) -> Verdict {
    guard principal.can(.writer, in: context.space) else {
      return .judged(outcome(.forbidden, item, id, message: Messages.forbidden), change: nil, receipt: nil)
    }
    let receiptKey = ReceiptKey(principal: principal.name, operation: item.operation)
    if let receipt = receipts[receiptKey] {
      return receipt.content == content ? .replay(receipt) : .judged(misuse(item, id), change: nil, receipt: nil)
    }
    let decision: Decision
    do throws(CorruptFields) { decision = try decide(item, id) } catch { return .corrupt }
    let (outcome, change) = settle(decision, item, id, principal.name)
    guard outcome.code.leavesReceipt else { return .judged(outcome, change: change, receipt: nil) }
    let receipt = Receipt(
      operation: item.operation, content: content, code: outcome.code, version: outcome.version, revision: outcome.revision)
    receipts[receiptKey] = receipt
    return .judged(outcome, change: change, receipt: receipt)
  }

  // MARK: Deciding

  private enum Decision {
    case apply(ChangeKind, CanonicalFields, over: Entity?)
    case unchanged(Entity)
    case refuse(OutcomeCode, Entity?, String)
    case invalid(Violation, Entity?)
  }

  private func decide(_ item: WriteItem, _ id: EntityID) throws(CorruptFields) -> Decision {
    if let known = item.knownRevision, known < context.receiptFloor {
      return .refuse(.receiptExpired, nil, Messages.receiptExpired)
    }
    let current = entities[EntityKey(type: item.type, id: id)]
    if let epoch = item.action.expected?.epoch, epoch != context.epoch {
      return .refuse(.epochChanged, current, Messages.epochChanged)
    }
    switch item.action {
    case .create(let fields):
      if let current, current.life == .alive {
        return .refuse(.alreadyExists, current, Messages.alreadyExists(current))
      }
      return make(fields, over: current)
    case .getOrCreate(let fields):
      if let current, current.life == .alive { return .unchanged(current) }
      return make(fields, over: current)
    case .update(let patch, let expected):
      guard let entity = current else { return .refuse(.notFound, nil, Messages.notFound(item.type, id)) }
      if let refusal = refusal(of: expected, entity, needs: .alive) { return refusal }
      return try update(entity, patch)
    case .replace(let fields, let expected):
      guard let entity = current else { return .refuse(.notFound, nil, Messages.notFound(item.type, id)) }
      if let refusal = refusal(of: expected, entity, needs: .alive) { return refusal }
      return change(entity, .replace, CanonicalFields(fields))
    case .delete(let expected):
      guard let entity = current else { return .refuse(.notFound, nil, Messages.notFound(item.type, id)) }
      if let refusal = refusal(of: expected, entity, needs: nil) { return refusal }
      return entity.life == .alive ? .apply(.delete, entity.fields, over: entity) : .unchanged(entity)
    case .restore(let expected):
      guard let entity = current else { return .refuse(.notFound, nil, Messages.notFound(item.type, id)) }
      if let refusal = refusal(of: expected, entity, needs: nil) { return refusal }
      if entity.life == .purged { return .refuse(.purged, entity, Messages.purged(entity)) }
      return entity.life == .deleted ? .apply(.restore, entity.fields, over: entity) : .unchanged(entity)
    }
  }

  /// Why a write with this expectation may not touch the entity; `nil` when it may.
  private func refusal(of expected: Expected, _ entity: Entity, needs life: EntityLife?) -> Decision? {
    if entity.life != .alive, let revision = expected.revision, revision <= context.fence, revision < entity.revision {
      return .refuse(.purged, entity, Messages.purged(entity))
    }
    guard expected.version == entity.version, expected.revision.map({ $0 == entity.revision }) ?? true else {
      return .refuse(.conflict, entity, Messages.conflict(expected, entity))
    }
    if let life, entity.life != life {
      return entity.life == .purged
        ? .refuse(.purged, entity, Messages.purged(entity)) : .refuse(.notFound, entity, Messages.deleted(entity))
    }
    return nil
  }

  private func make(_ fields: Fields, over entity: Entity?) -> Decision {
    let encoded = CanonicalFields(fields)
    if let violation = sizeViolation(encoded) { return .invalid(violation, entity) }
    return .apply(.create, encoded, over: entity)
  }

  private func update(_ entity: Entity, _ patch: Patch) throws(CorruptFields) -> Decision {
    switch try entity.fields.patched(by: patch) {
    case .success(let fields): change(entity, .update, fields)
    case .failure(let violation): .invalid(violation, entity)
    }
  }

  private func change(_ entity: Entity, _ kind: ChangeKind, _ fields: CanonicalFields) -> Decision {
    if let violation = sizeViolation(fields) { return .invalid(violation, entity) }
    return fields == entity.fields ? .unchanged(entity) : .apply(kind, fields, over: entity)
  }

  private func sizeViolation(_ fields: CanonicalFields) -> Violation? {
    guard fields.bytes.count > Limits.entityBytesMax else { return nil }
    return Violation(
      rule: "entity_bytes_max",
      message: "The entity would take \(fields.bytes.count) bytes; at most \(Limits.entityBytesMax) are allowed.")
  }

  // MARK: Settling

  private mutating func settle(
    _ decision: Decision, _ item: WriteItem, _ id: EntityID, _ actor: PrincipalName
  ) -> (Outcome, Change?) {
    switch decision {
    case .unchanged(let entity):
      return (outcome(.unchanged, item, id, current: entity), nil)
    case .refuse(let code, let entity, let message):
      return (outcome(code, item, id, current: entity, message: message), nil)
    case .invalid(let violation, let entity):
      var refused = outcome(.invalid, item, id, current: entity, message: violation.message)
      refused.violations = [violation]
      return (refused, nil)
    case .apply(let kind, let fields, let previous):
      let change = makeChange(kind, fields, over: previous, item, id, actor)
      context.revision = change.entity.revision
      entities[change.entity.key] = change.entity
      var applied = outcome(.applied, item, id, current: change.entity)
      applied.appliedAt = context.now
      return (applied, change)
    }
  }

  private func makeChange(
    _ kind: ChangeKind, _ fields: CanonicalFields, over previous: Entity?, _ item: WriteItem, _ id: EntityID,
    _ actor: PrincipalName
  ) -> Change {
    let mark = Mark(at: context.now, by: actor)
    let created = kind == .create ? mark : previous?.created ?? mark
    let entity = Entity(
      key: EntityKey(type: item.type, id: id), version: previous?.version.next ?? .first, revision: context.revision.next,
      life: kind.life, created: created, updated: mark, fields: fields)
    return Change(entity: entity, kind: kind, previous: previous?.revision ?? .zero, operation: item.operation)
  }

  private func misuse(_ item: WriteItem, _ id: EntityID) -> Outcome {
    var refused = outcome(.invalid, item, id, message: Messages.operationReused)
    refused.violations = [Violation(rule: "operation_id_reused", message: Messages.operationReused)]
    return refused
  }

  private func outcome(
    _ code: OutcomeCode, _ item: WriteItem, _ id: EntityID, current: Entity? = nil, message: String = ""
  ) -> Outcome {
    Outcome(
      code: code, type: item.type, id: id, operation: item.operation, version: current?.version, revision: current?.revision,
      epoch: context.epoch, entity: current, message: message)
  }
}
