public import TidemarkCore

/// What a transaction will be asked of one space, as far as that is known before it begins.
///
/// An engine that waits for each answer of another machine asks ahead for all of it in a few questions. It bounds by itself how much it keeps.
public struct ExpectedReads: Sendable {
  /// Entities, about in the order in which they will be asked for.
  public var entities: [EntityKey] = []
  /// Writes that may have left receipts.
  public var receipts: [(principal: PrincipalName, operation: OperationID)] = []
  /// Unique keys that may be held.
  public var keys: [HeldKey] = []
  /// Entities that others may point to.
  public var targets: [EntityKey] = []

  public init() {}
}
