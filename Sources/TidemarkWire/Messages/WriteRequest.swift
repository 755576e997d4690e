public import TidemarkCore

/// One write, as its own call: create, get-or-create, update, replace, delete or restore.
///
/// Every write enters the judge as an item of a list, so all six requests decode to the same struct.
public struct WriteRequest: Hashable, Sendable {
  public var space: SpaceName
  public var item: WriteItem
  /// Return the entity as it is after the write.
  public var returnEntity: Bool

  public init(space: SpaceName, item: WriteItem, returnEntity: Bool = false) {
    self.space = space
    self.item = item
    self.returnEntity = returnEntity
  }

  /// The six calls that carry one write.
  public enum Kind: Hashable, Sendable, CaseIterable {
    case create, getOrCreate, update, replace, delete, restore

    /// The kind of a method; `nil` when the method does not write an entity.
    public init?(_ method: Method) {
      switch method {
      case .create: self = .create
      case .getOrCreate: self = .getOrCreate
      case .update: self = .update
      case .replace: self = .replace
      case .delete: self = .delete
      case .restore: self = .restore
      case .get, .batchGet, .list, .bulkWrite, .getOutcomes, .undoWrites, .createSpace, .listSpaces, .deleteSpace, .getSpace,
        .verifySpace, .createToken, .listTokens, .revokeToken, .echo, .getServerInfo, .applySchema, .getSchema,
        .rollbackSchema, .pull, .exchange, .watch:
        return nil
      }
    }

    /// The method that carries it.
    public var method: Method {
      switch self {
      case .create: .create
      case .getOrCreate: .getOrCreate
      case .update: .update
      case .replace: .replace
      case .delete: .delete
      case .restore: .restore
      }
    }
  }

  /// The call that this write travels as.
  public var kind: Kind {
    switch item.action {
    case .create: .create
    case .getOrCreate: .getOrCreate
    case .update: .update
    case .replace: .replace
    case .delete: .delete
    case .restore: .restore
    }
  }
}

/// The answer to each of the six writes: they differ in name only.
public struct WriteResponse: Hashable, Sendable {
  public var outcome: Outcome

  public init(outcome: Outcome) { self.outcome = outcome }
}
