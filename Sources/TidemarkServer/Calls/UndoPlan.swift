internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// The writes that take earlier writes back, made from their receipts and the log.
///
/// They are in the order from the latest change to the earliest. Where two changes of one entity followed each other, taking back the earlier one
/// is made against whatever taking back the later one left; everything else is made against the version that the write itself made, so that a
/// change by others in between is a conflict.
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
      guard let action = try inverse(of: change, record, snapshot) else {
        settle(step.place, .notFound, UndoPlan.notRetained, undo, record, key: change.entity.key)
        continue
      }
      guard bytes <= UndoPlan.bytesMax else {
        isTooLarge = true
        return
      }
      add(step, action, request.onConflict, after: followers[revision])
      if change.previous != .zero { followers[change.previous] = items.count - 1 }
    }
  }

  /// Takes nothing back when one cannot be and all or none is asked for.
  mutating func abortAll(_ request: UndoWritesRequest, _ epoch: Epoch) {
    guard let cause = order.settled.filter({ !$0.value.code.isSuccess }).map(\.key).min() else { return }
    for (item, place) in zip(items, order.places) {
      order.settled[place] = Outcome(
        code: .aborted, type: item.type, id: item.id, operation: item.operation, epoch: epoch,
        message: "Not done, because item \(cause) cannot be taken back.", cause: cause)
    }
    items = []
    order.places = []
  }

  private mutating func add(_ step: Step, _ action: WriteAction, _ onConflict: OnConflict, after: Int?) {
    let entity = step.change.entity
    var item = WriteItem(operation: step.undo, type: entity.key.type, id: entity.key.id, action: action)
    if case .replace = action { item.onConflict = onConflict }
    item.afterItem = after
    items.append(item)
    order.places.append(step.place)
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
