/// What became of one write. The numbers are those of `tidemark.v1.OutcomeCode` and are stored in receipts.
public enum OutcomeCode: UInt8, Sendable, CaseIterable {
  case applied = 1
  case unchanged = 2
  case merged = 3
  case conflict = 4
  case notFound = 5
  case alreadyExists = 6
  case uniqueViolation = 7
  case referenceViolation = 8
  case invalid = 9
  case forbidden = 10
  case vetoed = 11
  case purged = 12
  case epochChanged = 13
  case receiptExpired = 14
  case aborted = 15

  /// True when the entity is as the writer wants it.
  public var isSuccess: Bool {
    switch self {
    case .applied, .unchanged, .merged: true
    case .conflict, .notFound, .alreadyExists, .uniqueViolation, .referenceViolation, .invalid, .forbidden, .vetoed, .purged,
      .epochChanged, .receiptExpired, .aborted:
      false
    }
  }

  /// True when a receipt is kept: judging the same write again must not be possible.
  ///
  /// A refused principal leaves no receipt, so that nobody without rights can make the store grow; `aborted` and `receiptExpired` were never judged.
  public var leavesReceipt: Bool {
    switch self {
    case .applied, .unchanged, .merged, .conflict, .notFound, .alreadyExists, .uniqueViolation, .referenceViolation, .invalid,
      .vetoed, .purged, .epochChanged:
      true
    case .forbidden, .receiptExpired, .aborted: false
    }
  }

  /// What may help after this outcome.
  public var retryAdvice: RetryAdvice {
    switch self {
    case .applied, .unchanged, .merged: .none
    case .aborted: .same
    case .conflict, .notFound, .alreadyExists, .uniqueViolation, .referenceViolation, .purged, .epochChanged, .receiptExpired:
      .refresh
    case .invalid, .forbidden, .vetoed: .never
    }
  }
}

/// What a program may do about an outcome. The numbers are those of `tidemark.v1.RetryAdvice`.
public enum RetryAdvice: UInt8, Sendable {
  case none = 0
  /// Send the same write again with the same operation id.
  case same = 1
  /// Read the current state, decide, and send a new write with a new operation id.
  case refresh = 2
  /// Retrying cannot help.
  case never = 3
}

/// The answer to one write.
public struct Outcome: Hashable, Sendable {
  public var code: OutcomeCode
  public var type: TypeName
  /// The id, made by the server when the write named none; `nil` when the write failed before one was made.
  public var id: EntityID?
  public var operation: OperationID
  /// The version after the write; on failure the current one; `nil` when there is no entity.
  public var version: EntityVersion?
  /// The revision of that version.
  public var revision: Revision?
  /// The epoch of the space.
  public var epoch: Epoch
  /// When the write was applied; `nil` when it was not.
  public var appliedAt: Timestamp?
  /// The entity after the write, when it was asked for.
  public var entity: Entity?
  /// The story of a conflict.
  public var conflict: Conflict?
  /// The broken rules of an invalid write.
  public var violations: [Violation]
  /// A sentence for people; empty on success.
  public var message: String
  /// True when this is the receipt of an earlier attempt.
  public var isReplay: Bool
  /// Of an aborted item: the item of the bulk whose failure it depends on.
  public var cause: Int?
  /// Of a unique violation, the holder of the key; of a reference violation, the entities that are missing or point here.
  public var related: [EntityKey]

  public init(
    code: OutcomeCode, type: TypeName, id: EntityID?, operation: OperationID, version: EntityVersion? = nil,
    revision: Revision? = nil, epoch: Epoch, appliedAt: Timestamp? = nil, entity: Entity? = nil, conflict: Conflict? = nil,
    violations: [Violation] = [], message: String = "", isReplay: Bool = false, cause: Int? = nil,
    related: [EntityKey] = []
  ) {
    self.code = code
    self.type = type
    self.id = id
    self.operation = operation
    self.version = version
    self.revision = revision
    self.epoch = epoch
    self.appliedAt = appliedAt
    self.entity = entity
    self.conflict = conflict
    self.violations = violations
    self.message = message
    self.isReplay = isReplay
    self.cause = cause
    self.related = related
  }
}

/// Everything needed to repair a stale write.
public struct Conflict: Hashable, Sendable {
  /// The state the write was made against; `nil` for a create that found the entity.
  public var expected: Expected?
  /// The entity as it is.
  public var current: Entity?
  /// The entity as the writer saw it; `nil` when that version is no longer retained, or never was.
  public var base: Entity?
  /// The fields changed since, sorted by name.
  public var changes: [FieldChange]
  /// The fields that both this write and somebody else changed.
  public var overlapping: [FieldPath]
  /// Parts were left out to keep the answer within the message limit.
  public var isTruncated: Bool

  public init(
    expected: Expected?, current: Entity?, base: Entity? = nil, changes: [FieldChange] = [], overlapping: [FieldPath] = [],
    isTruncated: Bool = false
  ) {
    self.expected = expected
    self.current = current
    self.base = base
    self.changes = changes
    self.overlapping = overlapping
    self.isTruncated = isTruncated
  }
}

/// What happened to one field since the expected version.
public struct FieldChange: Hashable, Sendable {
  public var name: FieldPath
  /// `nil` when the field was not there.
  public var before: Value?
  /// `nil` when the field is not there.
  public var after: Value?
  /// The version that changed it last.
  public var version: EntityVersion
  /// Who changed it last, and when.
  public var changed: Mark

  public init(name: FieldPath, before: Value?, after: Value?, version: EntityVersion, changed: Mark) {
    self.name = name
    self.before = before
    self.after = after
    self.version = version
    self.changed = changed
  }
}
