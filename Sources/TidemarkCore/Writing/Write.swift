/// The state of an entity that a write was made against.
public struct Expected: Hashable, Sendable {
  /// The version the writer saw.
  public var version: EntityVersion
  /// The revision of that version; `nil` when the writer did not say.
  public var revision: Revision?
  /// The epoch in which it was seen; `nil` when the writer did not say.
  public var epoch: Epoch?

  public init(version: EntityVersion, revision: Revision? = nil, epoch: Epoch? = nil) {
    self.version = version
    self.revision = revision
    self.epoch = epoch
  }
}

/// What a write asks for.
public enum WriteAction: Hashable, Sendable {
  /// Make the entity. It must not be alive.
  case create(Fields)
  /// Make the entity unless it is alive.
  case getOrCreate(Fields)
  /// Change some fields.
  case update(Patch, Expected)
  /// Change all fields.
  case replace(Fields, Expected)
  /// Hide the entity.
  case delete(Expected)
  /// Bring a deleted entity back.
  case restore(Expected)

  /// The state the write was made against; `nil` for create and get-or-create.
  public var expected: Expected? {
    switch self {
    case .create, .getOrCreate: nil
    case .update(_, let expected), .replace(_, let expected), .delete(let expected), .restore(let expected): expected
    }
  }
}

/// What becomes of a write whose expected version is no longer current. The numbers are those of `tidemark.v1.OnConflict`.
public enum OnConflict: UInt8, Sendable {
  /// It is refused with the story of the conflict.
  case fail = 1
  /// It is applied when the fields changed since are others, or merge by their kind. For updates and replaces.
  case merge = 2
  /// It is applied to whatever is there, and marked so in the log.
  case overwrite = 3
}

/// How the items of a bulk depend on each other. The numbers are those of `tidemark.v1.BulkMode`.
public enum BulkMode: UInt8, Sendable {
  /// Each item, or each group, succeeds or fails on its own.
  case partial = 1
  /// All items succeed, or none is applied.
  case atomic = 2
}

/// Puts the id of an earlier item's entity into a field.
public struct ItemReference: Hashable, Sendable {
  public var field: FieldPath
  /// The earlier item, from 0.
  public var item: Int

  public init(field: FieldPath, item: Int) {
    self.field = field
    self.item = item
  }
}

/// One requested change.
public struct WriteItem: Hashable, Sendable {
  /// The key of the write's receipt.
  public var operation: OperationID
  /// The kind of the entity.
  public var type: TypeName
  /// The id; `nil` asks the server to make one, which only a create may do.
  public var id: EntityID?
  public var action: WriteAction
  /// The revision of the space that the client knew when it made the write; `nil` when it did not say.
  public var knownRevision: Revision?
  /// When the person made the edit; `nil` when not said.
  public var editedAt: Timestamp?
  /// What becomes of the write when the entity has changed.
  public var onConflict: OnConflict
  /// Neighbours with one label succeed or fail together; `nil` for an item of its own.
  public var group: String?
  /// The write is made against whatever this earlier item left, which has the same entity; the action's `expected` is ignored.
  public var afterItem: Int?
  /// Fields that get the ids of earlier items' entities.
  public var references: [ItemReference]
  /// What is wrong with the write as it was sent: it is `invalid`, and the rest of it means nothing; `nil` for one that is well made.
  public var fault: Violation?

  public init(
    operation: OperationID, type: TypeName, id: EntityID?, action: WriteAction, knownRevision: Revision? = nil,
    editedAt: Timestamp? = nil, onConflict: OnConflict = .fail, group: String? = nil, afterItem: Int? = nil,
    references: [ItemReference] = []
  ) {
    self.operation = operation
    self.type = type
    self.id = id
    self.action = action
    self.knownRevision = knownRevision
    self.editedAt = editedAt
    self.onConflict = onConflict
    self.group = group
    self.afterItem = afterItem
    self.references = references
    fault = nil
  }
}

/// The durable outcome of a write: what is kept so that a retry is answered and never applied again.
public struct Receipt: Hashable, Sendable {
  public var operation: OperationID
  /// The digest of what the write asked for. The same operation id with other content is misuse.
  public var content: Digest32
  public var code: OutcomeCode
  /// The version and revision the outcome spoke of; `nil` when there was no entity.
  public var version: EntityVersion?
  public var revision: Revision?

  public init(operation: OperationID, content: Digest32, code: OutcomeCode, version: EntityVersion?, revision: Revision?) {
    self.operation = operation
    self.content = content
    self.code = code
    self.version = version
    self.revision = revision
  }
}
