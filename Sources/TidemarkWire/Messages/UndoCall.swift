import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__UndoWritesRequest> {
  static let undoWritesRequest = MessageKind(tidemark__v1__undo_writes_request__init)
}
extension MessageKind<Tidemark__V1__UndoItem> { static let undoItem = MessageKind(tidemark__v1__undo_item__init) }

/// Asks to take back 1 to 1,000 earlier writes of the caller.
public struct UndoWritesRequest: Hashable, Sendable {
  /// Names a write to take back.
  public struct UndoItem: Hashable, Sendable {
    /// The operation id of that write.
    public var operation: OperationID
    /// The operation id of taking it back, a new one.
    public var undoOperation: OperationID

    public init(operation: OperationID, undoOperation: OperationID) {
      self.operation = operation
      self.undoOperation = undoOperation
    }
  }

  public var space: SpaceName
  public var items: [UndoItem]
  /// What becomes of an entity that was changed since: `fail` or `merge`.
  public var onConflict: OnConflict
  public var mode: BulkMode
  /// Only tell what would become of it.
  public var validatesOnly: Bool

  public init(
    space: SpaceName, items: [UndoItem], onConflict: OnConflict = .fail, mode: BulkMode = .partial, validatesOnly: Bool = false
  ) {
    self.space = space
    self.items = items
    self.onConflict = onConflict
    self.mode = mode
    self.validatesOnly = validatesOnly
  }
}

extension UndoWritesRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.undoWritesRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.n_items = items.count
    message.pointee.items = try arena.makeList(items) { (item) throws(WireError) in
      let message = try arena.make(.undoItem)
      message.pointee.operation_id = try arena.copy(item.operation.description)
      message.pointee.undo_operation_id = try arena.copy(item.undoOperation.description)
      return message
    }
    message.pointee.on_conflict = onConflict.code
    message.pointee.mode = mode.code
    message.pointee.validate_only = validatesOnly ? 1 : 0
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> UndoWritesRequest {
    try arena.decode(bytes, as: .undoWritesRequest) { (message) throws(WireError) in
      guard (1...Limits.itemsPerRequestMax).contains(message.n_items) else { throw .itemCount("items") }
      let onConflict = try OnConflict(message.on_conflict)
      guard onConflict != .overwrite else {
        throw .invalid("on_conflict", rule: "on_conflict_kind", "Taking back does not overwrite what others changed.")
      }
      return UndoWritesRequest(
        space: try Part.space(message.space), items: try readItems(message), onConflict: onConflict,
        mode: try BulkMode(message.mode), validatesOnly: message.validate_only != 0)
    }
  }

  private static func readItems(_ message: Tidemark__V1__UndoWritesRequest) throws(WireError) -> [UndoItem] {
    var operations: Set<OperationID> = []
    var undoOperations: Set<OperationID> = []
    var index = -1
    do throws(WireError) {
      return try Part.list(message.n_items, message.items) { (item) throws(WireError) in
        index += 1
        let item = UndoItem(
          operation: try Part.operation(item.operation_id, "operation_id"),
          undoOperation: try Part.operation(item.undo_operation_id, "undo_operation_id"))
        guard operations.insert(item.operation).inserted else { throw .duplicateOperation("operation_id") }
        guard undoOperations.insert(item.undoOperation).inserted else { throw .duplicateOperation("undo_operation_id") }
        return item
      }
    } catch {
      throw error.at("items", index)
    }
  }
}

/// Carries an outcome for each write to take back, in the order of the request.
public struct UndoWritesResponse: Hashable, Sendable {
  /// An item whose write changed nothing is `unchanged`; one without a receipt is `notFound`.
  public var outcomes: [Outcome]
  /// The revision of the space after the undo.
  public var revision: Revision
  public var epoch: Epoch

  public init(outcomes: [Outcome], revision: Revision, epoch: Epoch) {
    self.outcomes = outcomes
    self.revision = revision
    self.epoch = epoch
  }
}

extension UndoWritesResponse: EncodableMessage, DecodableMessage {
  // The same on the wire as the answer to a bulk.
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    try BulkWriteResponse(outcomes: outcomes, revision: revision, epoch: epoch).makeMessage(in: arena)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> UndoWritesResponse {
    let answer = try BulkWriteResponse.decode(bytes, using: arena)
    return UndoWritesResponse(outcomes: answer.outcomes, revision: answer.revision, epoch: answer.epoch)
  }
}
