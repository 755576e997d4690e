internal import TidemarkCore

/// Lets the judge look up in a transaction what it was not given.
final class TransactionSource: JudgeSource {
  private let transaction: any StoreTransaction
  private let space: SpaceID

  init(_ transaction: any StoreTransaction, _ space: SpaceID) {
    self.transaction = transaction
    self.space = space
  }

  func entity(_ key: EntityKey) throws -> Entity? { try transaction.entity(key, in: space) }

  func history(of entity: Entity, downTo version: EntityVersion, limit: Int) throws -> [Change] {
    try transaction.history(of: entity, downTo: version, limit: limit, in: space)
  }

  func key(at revision: Revision) throws -> EntityKey? {
    try transaction.logHead(at: revision, in: space)?.key
  }

  func holder(of key: HeldKey) throws -> EntityID? { try transaction.holders(of: [key], in: space).first ?? nil }

  func referrers(of target: EntityKey, limit: Int) throws -> [HeldReference] {
    try transaction.referrers(of: target, in: space, limit: limit)
  }
}
