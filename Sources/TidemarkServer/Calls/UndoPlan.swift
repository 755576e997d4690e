internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// The writes that take earlier writes back, made from their receipts and the log.
///
/// They are in the order from the latest change to the earliest. Where two changes of one entity followed each other, taking back the earlier one
/// is made against whatever taking back the later one left; everything else is made against the version that the write itself made, so that a
/// change by others in between is a conflict.
///
/// What a delete took along, or cleared, is brought back with it as one group: the entity first, because the others point to it.
///
/// Worked example: `a` is created (version 1) and updated (version 2). Taking both back replaces `a` with its first fields, expecting version 2,
/// and then deletes it, after the item before.
struct UndoPlan: Sendable {
  private(set) var items: [WriteItem] = []
  private(set) var order = UndoOrder()
  /// True when the fields to bring back are too large for one request.
  private(set) var isTooLarge = false

  /// The bytes of the fields that the writes bring back.
  private(set) var bytes = 0
  /// The most bytes of fields that the writes of one plan bring back.
  static let bytesMax = WireLimits.messageBytesMax

  /// A change to take back.
  private struct Step {
    var place: Int
    var change: Change
    var undo: OperationID
  }

  init(_ request: UndoWritesRequest, of principal: PrincipalName, in record: SpaceRecord, _ snapshot: any StoreSnapshot) throws {
    let receipts = try snapshot.receipts(request.items.map(\.operation), of: principal, in: record.id)
    var steps: [(place: Int, revision: Revision)] = []
    for (place, receipt) in receipts.enumerated() {
      let undo = request.items[place].undoOperation
      guard let receipt else {
        settle(place, .notFound, UndoPlan.noReceipt, undo, record)
        continue
      }
      guard receipt.code == .applied || receipt.code == .merged, let revision = receipt.revision else {
        settle(
          place, .unchanged, receipt.code.isSuccess ? "" : UndoPlan.refused, undo, record,
          about: try snapshot.replay(receipt, type: .unknown, id: nil, in: record, showsEntity: false))
        continue
      }
      steps.append((place, revision))
    }
    // For each entity, the item that takes back its change with this previous revision.
    var followers: [Revision: Int] = [:]
    for (place, revision) in steps.sorted(by: { $0.revision > $1.revision }) {
      let undo = request.items[place].undoOperation
      guard let change = try snapshot.logEntry(at: revision, in: record.id)?.change else {
        settle(place, .notFound, UndoPlan.notRetained, undo, record)
        continue
      }
      let step = Step(place: place, change: change, undo: undo)
      guard let inverses = try inverses(of: step, record, snapshot) else {
        settle(step.place, .notFound, UndoPlan.notRetained, undo, record, key: change.entity.key)
        continue
      }
      guard bytes <= UndoPlan.bytesMax, items.count + inverses.count <= Limits.itemsPerRequestMax else {
        isTooLarge = true
        return
      }
      for (step, action) in inverses {
        add(step, action, request.onConflict, after: followers[step.change.entity.revision], isAlone: inverses.count == 1)
        if step.change.previous != .zero { followers[step.change.previous] = items.count - 1 }
      }
    }
  }

  /// Takes nothing back when one cannot be and all or none is asked for.
  mutating func abortAll(_ request: UndoWritesRequest, _ epoch: Epoch) {
    guard let cause = order.settled.filter({ !$0.value.code.isSuccess }).map(\.key).min() else { return }
    // Of what belongs together the first is the write that was named.
    for (item, place) in zip(items, order.places) where order.settled[place] == nil {
      order.settled[place] = Outcome(
        code: .aborted, type: item.type, id: item.id, operation: item.operation, epoch: epoch,
        message: "Not done, because item \(cause) cannot be taken back.", cause: cause)
    }
    items = []
    order.places = []
  }

  private mutating func add(_ step: Step, _ action: WriteAction, _ onConflict: OnConflict, after: Int?, isAlone: Bool) {
    let entity = step.change.entity
    var item = WriteItem(operation: step.undo, type: entity.key.type, id: entity.key.id, action: action)
    if case .replace = action { item.onConflict = onConflict }
    item.afterItem = after
    if !isAlone { item.group = "\(step.place)" }
    items.append(item)
    order.places.append(step.place)
  }

  /// What undoes a write: its change, and for a delete those that followed from it, from the latest to the earliest; `nil` when one is not known
  /// any more.
  private mutating func inverses(
    of step: Step, _ record: SpaceRecord, _ snapshot: any StoreSnapshot
  ) throws -> [(Step, WriteAction)]? {
    guard let own = try inverse(of: step.change, record, snapshot) else { return nil }
    var inverses = [(step, own)]
    guard step.change.kind == .delete, step.change.manner != .cascaded else { return inverses }
    var revision = step.change.entity.revision
    // One more than fits is enough to say that it is too much.
    while revision.rawValue > 1, inverses.count <= Limits.itemsPerRequestMax, bytes <= UndoPlan.bytesMax {
      revision = Revision(rawValue: revision.rawValue - 1)
      guard let change = try snapshot.logEntry(at: revision, in: record.id)?.change, change.manner == .cascaded,
        change.operation == step.change.operation, change.entity.updated.by == step.change.entity.updated.by
      else { break }
      guard let action = try inverse(of: change, record, snapshot) else { return nil }
      inverses.append((Step(place: step.place, change: change, undo: step.undo.derived(for: revision)), action))
    }
    return inverses
  }

  /// What undoes a change; `nil` when that is not known any more, or cannot be.
  private mutating func inverse(
    of change: Change, _ record: SpaceRecord, _ snapshot: any StoreSnapshot
  ) throws -> WriteAction? {
    let entity = change.entity
    let made = Expected(version: entity.version, revision: entity.revision, epoch: record.epoch)
    switch change.kind {
    case .create, .restore: return .delete(made)
    case .delete: return .restore(made)
    case .update, .replace:
      guard change.previous != .zero, let before = try snapshot.logEntry(at: change.previous, in: record.id)?.change.entity,
        before.key == entity.key, before.life == .alive
      else { return nil }
      bytes += before.fields.bytes.count
      return .replace(try before.fields.decoded(), made)
    case .purge: return nil
    }
  }

  private mutating func settle(
    _ place: Int, _ code: OutcomeCode, _ message: String, _ undo: OperationID, _ record: SpaceRecord, key: EntityKey? = nil,
    about earlier: Outcome? = nil
  ) {
    order.settled[place] = Outcome(
      code: code, type: key?.type ?? earlier?.type ?? .unknown, id: key?.id ?? earlier?.id, operation: undo,
      version: earlier?.version, revision: earlier?.revision, epoch: record.epoch, message: message)
  }

  private static let noReceipt = "There is no receipt of this write: it was not made by you, or is too old."
  private static let refused = "This write was refused, so there is nothing to take back."
  private static let notRetained = "What was there before this write is no longer kept."
}

extension OperationID {
  /// The operation id of taking back the change at a revision that followed from the named write: the same at every attempt.
  fileprivate func derived(for revision: Revision) -> OperationID {
    let digest = Digest32.sha256(Array("\(self) \(revision)".utf8))
    return OperationID(rawValue: Bytes16(high: digest.words.0, low: digest.words.1))
  }
}
