/// Which of the two feeds over a space's log. The numbers are those of `tidemark.v1.FeedKind`.
public enum FeedKind: UInt8, Sendable, CaseIterable {
  /// For replicas: the latest state of every entity, superseded ones skipped. It begins with a walk over all that is alive.
  case states = 1
  /// Every change once, in the order of the revisions, groups whole.
  case changes = 2
}

/// Where a feed begins that has no cursor yet. The numbers are those of `tidemark.v1.FeedStart`.
public enum FeedStart: UInt8, Sendable, CaseIterable {
  case beginning = 1
  case now = 2
}

/// Whether a cursor can go on. The numbers are those of `tidemark.v1.CursorState`.
public enum CursorState: UInt8, Sendable, CaseIterable {
  case ok = 1
  /// The space has another history now.
  case epochChanged = 2
  /// What came after the cursor is no longer kept whole.
  case belowFloor = 3
  /// The cursor was made with another filter.
  case filterChanged = 4
  /// The caller's rights are others than when the cursor was made.
  case rightsChanged = 5
}

/// Where a reader of a feed stands.
///
/// ```
///                                       ┌── behind: position < revision of the space
/// walk(began, after) ── all walked ──> tail(position, base)
///                                       └── caught up: position = base = revision of the space
/// ```
/// A walk takes the entities in the order of their keys, each page from the state of its own moment, so the tail begins where the walk began: what
/// changed meanwhile comes again. What the reader has seen of an entity is at least its state at `base`, where it was caught up last, and may be any
/// state since.
public enum FeedPlace: Hashable, Sendable {
  /// On the walk over what is alive that began at a revision; entities up to `after` were told.
  case walk(began: Revision, after: EntityKey?)
  /// In the log: all up to `position` was told. At `base` the reader was caught up last, or began its walk.
  case tail(position: Revision, base: Revision)

  /// The revision up to which the log was read.
  public var position: Revision {
    switch self {
    case .walk(let began, _): began
    case .tail(let position, _): position
    }
  }
}

/// An entity in one state, as a feed tells it.
public struct FeedItem: Hashable, Sendable {
  /// What the feed of changes tells besides the entity.
  public struct Story: Hashable, Sendable {
    public var kind: ChangeKind
    public var manner: ChangeManner
    public var operation: OperationID
    /// When the person made the edit; `nil` when not said.
    public var editedAt: Timestamp?
    /// The next item belongs to the same group or cascade.
    public var goesOn: Bool
    /// The revision of the entity's version before this one; zero for the first.
    public var previous: Revision

    public init(
      kind: ChangeKind, manner: ChangeManner, operation: OperationID, editedAt: Timestamp?, goesOn: Bool, previous: Revision
    ) {
      self.kind = kind
      self.manner = manner
      self.operation = operation
      self.editedAt = editedAt
      self.goesOn = goesOn
      self.previous = previous
    }

    public init(_ change: Change) {
      self.init(
        kind: change.kind, manner: change.manner, operation: change.operation, editedAt: change.editedAt, goesOn: change.goesOn,
        previous: change.previous)
    }
  }

  /// Without fields when it left the filter, was deleted (in the feed of states), or is too large.
  public var entity: Entity
  /// It no longer passes the filter, and may have done so before.
  public var hasLeft: Bool
  /// The fields are too large for a page and were left out.
  public var isTruncated: Bool
  /// In the feed of changes.
  public var story: Story?

  public init(entity: Entity, hasLeft: Bool = false, isTruncated: Bool = false, story: Story? = nil) {
    self.entity = entity
    self.hasLeft = hasLeft
    self.isTruncated = isTruncated
    self.story = story
  }

  /// An upper bound of its encoded size, in bytes.
  public var sizeMax: Int {
    let names = entity.key.type.text.utf8.count + entity.key.id.text.utf8.count
    let principals = entity.created.by.text.utf8.count + 2 * entity.updated.by.text.utf8.count
    return entity.fields.bytes.count + names + principals + (story == nil ? 112 : 192)
  }
}
