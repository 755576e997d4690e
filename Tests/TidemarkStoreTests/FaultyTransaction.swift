import TidemarkCore
import TidemarkStore

/// A transaction that passes everything on and throws for damaged entities.
final class FaultyTransaction: StoreTransaction {
  private let base: any StoreTransaction
  private let store: FaultyStore

  init(_ base: any StoreTransaction, _ store: FaultyStore) {
    self.base = base
    self.store = store
  }

  func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity? { try entities([key], in: space).first ?? nil }

  func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] {
    if case .damaged(let id)? = store.current, keys.contains(where: { $0.id.text == id }) {
      throw StoreError(.corrupt, "asked for by the test")
    }
    return try base.entities(keys, in: space)
  }

  func spaces() throws -> [SpaceRecord] { try base.spaces() }
  func space(named name: SpaceName) throws -> SpaceRecord? { try base.space(named: name) }
  func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity] {
    try base.entities(of: type, in: space, after: after, deleted: deleted, limit: limit, bytesMax: bytesMax)
  }
  func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry? { try base.logEntry(at: revision, in: space) }
  func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow] {
    try base.logRows(after: revision, in: space, limit: limit)
  }
  func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head] {
    try base.heads(after: key, in: space, limit: limit)
  }
  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?] {
    try base.receipts(operations, of: principal, in: space)
  }
  func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord? { try base.schema(version: version, in: space) }
  func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?] { try base.holders(of: keys, in: space) }
  func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    try base.referrers(of: target, in: space, limit: limit)
  }
  func tokens() throws -> [TokenRecord] { try base.tokens() }
  func insertSpace(named name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) throws -> SpaceRecord {
    try base.insertSpace(named: name, epoch: epoch, createdAt: createdAt, genesis: genesis)
  }
  func updateSpace(_ record: SpaceRecord) throws { try base.updateSpace(record) }
  func deleteSpace(_ id: SpaceID) throws { try base.deleteSpace(id) }
  func append(_ entries: [LogEntry], in space: SpaceID) throws { try base.append(entries, in: space) }
  func insertReceipts(_ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at: Timestamp) throws {
    try base.insertReceipts(receipts, of: principal, in: space, at: at)
  }
  func insertSchema(_ schema: SchemaRecord, in space: SpaceID) throws { try base.insertSchema(schema, in: space) }
  func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws {
    try base.moveKeys(released: released, taken: taken, in: space)
  }
  func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws {
    try base.moveReferences(released: released, taken: taken, in: space)
  }
  func releaseAllKeys(of type: TypeName, key: FieldPath, in space: SpaceID) throws {
    try base.releaseAllKeys(of: type, key: key, in: space)
  }
  func releaseAllReferences(of type: TypeName, field: FieldPath, in space: SpaceID) throws {
    try base.releaseAllReferences(of: type, field: field, in: space)
  }
  func insertToken(_ token: TokenRecord) throws { try base.insertToken(token) }
  func deleteToken(id: String) throws -> Bool { try base.deleteToken(id: id) }
}
