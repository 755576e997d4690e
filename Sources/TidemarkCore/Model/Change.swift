/// What an accepted write did.
public enum ChangeKind: UInt8, Sendable, CaseIterable {
  case create = 1
  case update = 2
  case replace = 3
  case delete = 4
  case restore = 5
  case purge = 6

  /// The state of an entity after a change of this kind.
  public var life: EntityLife {
    switch self {
    case .create, .update, .replace, .restore: .alive
    case .delete: .deleted
    case .purge: .purged
    }
  }
}

/// How a change came about. Kept in the log beside its kind.
public enum ChangeManner: UInt8, Sendable, CaseIterable {
  /// The entity was as the write expected.
  case plain = 0
  /// The write was merged with changes made since its expected version.
  case merged = 1
  /// The write was applied to whatever was there, because its writer asked for that.
  case overwritten = 2
  /// The change follows from the delete of an entity that this one points to.
  case cascaded = 3
}

/// One accepted write: the entity it made, what came before, who did it and by which write.
///
/// Worked example: entity `a` is created, `b` is created, `a` is updated. The space's log reads
/// ```
/// revision 1   a version 1  previous 0
/// revision 2   b version 1  previous 0
/// revision 3   a version 2  previous 1
/// ```
public struct Change: Hashable, Sendable {
  /// The entity after the change; `entity.updated` names the actor and the time.
  public var entity: Entity
  public var kind: ChangeKind
  /// The revision of the entity's version before this one; zero for the first.
  public var previous: Revision
  /// The write that asked for it.
  public var operation: OperationID
  public var manner: ChangeManner
  /// When the person made the edit, never after the server's clock; `nil` when not said.
  public var editedAt: Timestamp?
  /// Whether the change at the next revision belongs to the same group or cascade: both are shown together or not at all.
  public var goesOn: Bool

  public init(
    entity: Entity, kind: ChangeKind, previous: Revision, operation: OperationID, manner: ChangeManner = .plain,
    editedAt: Timestamp? = nil, goesOn: Bool = false
  ) {
    self.entity = entity
    self.kind = kind
    self.previous = previous
    self.operation = operation
    self.manner = manner
    self.editedAt = editedAt
    self.goesOn = goesOn
  }
}

extension Change {
  /// The kind, the manner, and whether the next change belongs to this one, in one byte: `kind | manner << 4 | 0x40`.
  public var kindByte: UInt8 { kind.rawValue | manner.rawValue << 4 | (goesOn ? 0x40 : 0) }

  /// What a kind byte says; `nil` when it says nothing known.
  public static func parts(ofKindByte byte: UInt8) -> (ChangeKind, ChangeManner, goesOn: Bool)? {
    guard byte < 0x80, let kind = ChangeKind(rawValue: byte & 0x0F), let manner = ChangeManner(rawValue: byte >> 4 & 0x03) else {
      return nil
    }
    return (kind, manner, byte & 0x40 != 0)
  }
}
