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

  public init(entity: Entity, kind: ChangeKind, previous: Revision, operation: OperationID) {
    self.entity = entity
    self.kind = kind
    self.previous = previous
    self.operation = operation
  }
}
