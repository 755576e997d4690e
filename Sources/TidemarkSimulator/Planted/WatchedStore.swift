internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTesting

/// What the simulator sees of transactions, and what it makes wrong in them.
final class StoreHooks {
  var planted: PlantedBug?
  /// Called with what the body of a transaction answered, before the commit.
  var beforeCommit: (Any) -> Void = { _ in }
  /// The entities that the batch on its way creates.
  var creating: Set<EntityKey> = []
  /// What the transaction before this one read, and what this one reads.
  fileprivate var readBefore: [SpaceID: [EntityKey: Entity?]] = [:]
  fileprivate var readNow: [SpaceID: [EntityKey: Entity?]] = [:]

  fileprivate func endTransaction() {
    readBefore = readNow
    readNow = [:]
  }
}

/// A store that tells the simulator what goes through it.
///
/// `@unchecked Sendable`: the simulator has one thread.
final class WatchedStore: EntityStore, @unchecked Sendable {
  private let base: any EntityStore
  private let hooks: StoreHooks

  init(_ base: any EntityStore, _ hooks: StoreHooks) {
    self.base = base
    self.hooks = hooks
  }

  var engineName: String { base.engineName }
  var hasOneWriter: Bool { base.hasOneWriter }
  var connections: ConnectionCounts? { base.connections }
  func openWriter() throws -> any StoreWriter { WatchedWriter(try base.openWriter(), hooks) }
  func openReader() throws -> any StoreReader { try base.openReader() }
}

private final class WatchedWriter: StoreWriter {
  private let base: any StoreWriter
  private let hooks: StoreHooks

  init(_ base: any StoreWriter, _ hooks: StoreHooks) {
    self.base = base
    self.hooks = hooks
  }

  func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result {
    defer { hooks.endTransaction() }
    do {
      return try base.write { transaction in
        let result = try body(WatchedTransaction(transaction, hooks))
        hooks.beforeCommit(result)
        return result
      }
    } catch let error as StoreError where error.code == .outcomeUnknown && hooks.planted == .lostAnswerIsRefusal {
      throw StoreError(.unavailable, "planted")
    }
  }

  func idle() throws { try base.idle() }
}

/// Gives lists without an order one, so that a seed always makes the same file; and does what a planted bug does.
private final class WatchedTransaction: ForwardingTransaction {
  private let hooks: StoreHooks

  init(_ base: any StoreTransaction, _ hooks: StoreHooks) {
    self.hooks = hooks
    super.init(base)
  }

  override func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] {
    let found = try super.entities(keys, in: space)
    switch hooks.planted {
    case .checkOutsideTransaction:
      return zip(keys, found).map { key, entity in
        hooks.readNow[space, default: [:]][key] = .some(entity)
        return hooks.readBefore[space]?[key] ?? entity
      }
    case .versionReset:
      return found.map { entity in
        guard var entity, entity.life == .deleted, hooks.creating.contains(entity.key) else { return entity }
        entity.version = EntityVersion(rawValue: 0)
        return entity
      }
    case .ackBeforeCommit, .noReceipts, .groupHalfApplied, .lostAnswerIsRefusal, .remembersWhatOthersChange, nil: return found
    }
  }

  override func insertReceipts(
    _ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at time: Timestamp
  ) throws {
    guard hooks.planted != .noReceipts else { return }
    try super.insertReceipts(receipts, of: principal, in: space, at: time)
  }

  override func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws {
    try super.moveKeys(
      released: released.sorted { WatchedTransaction.precedes($0, $1) },
      taken: taken.sorted { WatchedTransaction.precedes($0.0, $1.0) }, in: space)
  }

  override func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws {
    try super.moveReferences(
      released: released.sorted { WatchedTransaction.precedes($0, $1) },
      taken: taken.sorted { WatchedTransaction.precedes($0, $1) }, in: space)
  }

  private static func precedes(_ a: HeldKey, _ b: HeldKey) -> Bool {
    (a.type, a.key) == (b.type, b.key) ? a.value.lexicographicallyPrecedes(b.value) : (a.type, a.key) < (b.type, b.key)
  }

  private static func precedes(_ a: HeldReference, _ b: HeldReference) -> Bool {
    (a.source, a.field, a.target) < (b.source, b.field, b.target)
  }
}
