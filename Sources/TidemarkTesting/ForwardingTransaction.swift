public import TidemarkCore
public import TidemarkStore

/// A transaction that passes everything on to another; subclasses say what they do otherwise.
open class ForwardingTransaction: StoreTransaction {
  /// What everything goes to.
  public let base: any StoreTransaction

  public init(_ base: any StoreTransaction) { self.base = base }

  /// Asks `entities`, so that who changes that changes both.
  open func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity? { try entities([key], in: space).first ?? nil }
  open func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] { try base.entities(keys, in: space) }
  open func spaces() throws -> [SpaceRecord] { try base.spaces() }
  open func space(named name: SpaceName) throws -> SpaceRecord? { try base.space(named: name) }
  open func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity] {
    try base.entities(of: type, in: space, after: after, deleted: deleted, limit: limit, bytesMax: bytesMax)
  }
  open func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry? { try base.logEntry(at: revision, in: space) }
  open func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow] {
    try base.logRows(after: revision, in: space, limit: limit)
  }
  open func changes(
    after revision: Revision, in space: SpaceID, latestOnly: Bool, limit: Int, bytesMax: Int
  ) throws -> ChangePage {
    try base.changes(after: revision, in: space, latestOnly: latestOnly, limit: limit, bytesMax: bytesMax)
  }
  open func type(after type: TypeName?, in space: SpaceID) throws -> TypeName? { try base.type(after: type, in: space) }
  open func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head] {
    try base.heads(after: key, in: space, limit: limit)
  }
  open func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?] {
    try base.receipts(operations, of: principal, in: space)
  }
  open func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord? { try base.schema(version: version, in: space) }
  open func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?] { try base.holders(of: keys, in: space) }
  open func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    try base.referrers(of: target, in: space, limit: limit)
  }
  open func heldKeys(after key: HeldKey?, in space: SpaceID, limit: Int) throws -> [(key: HeldKey, holder: EntityID)] {
    try base.heldKeys(after: key, in: space, limit: limit)
  }
  open func heldReferences(after reference: HeldReference?, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    try base.heldReferences(after: reference, in: space, limit: limit)
  }
  open func areHeld(_ references: [HeldReference], in space: SpaceID) throws -> [Bool] {
    try base.areHeld(references, in: space)
  }
  open func tokens() throws -> [TokenRecord] { try base.tokens() }
  open func tokenMark() throws -> UInt64 { try base.tokenMark() }
  open func moved(since known: [SpaceMark]) throws -> [SpaceMark] { try base.moved(since: known) }
  open func expect(_ reads: () -> ExpectedReads, in space: SpaceName) { base.expect(reads, in: space) }
  open func secret(named name: String) throws -> [UInt8]? { try base.secret(named: name) }
  open func insertSecret(_ secret: [UInt8], named name: String) throws { try base.insertSecret(secret, named: name) }
  open func insertSpace(named name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) throws -> SpaceRecord {
    try base.insertSpace(named: name, epoch: epoch, createdAt: createdAt, genesis: genesis)
  }
  open func updateSpace(_ record: SpaceRecord) throws { try base.updateSpace(record) }
  open func deleteSpace(_ id: SpaceID) throws { try base.deleteSpace(id) }
  open func append(_ entries: [LogEntry], in space: SpaceID) throws { try base.append(entries, in: space) }
  open func insertReceipts(_ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at: Timestamp) throws {
    try base.insertReceipts(receipts, of: principal, in: space, at: at)
  }
  open func insertSchema(_ schema: SchemaRecord, in space: SpaceID) throws { try base.insertSchema(schema, in: space) }
  open func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws {
    try base.moveKeys(released: released, taken: taken, in: space)
  }
  open func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws {
    try base.moveReferences(released: released, taken: taken, in: space)
  }
  open func releaseAllKeys(of type: TypeName, key: FieldPath, in space: SpaceID) throws {
    try base.releaseAllKeys(of: type, key: key, in: space)
  }
  open func releaseAllReferences(of type: TypeName, field: FieldPath, in space: SpaceID) throws {
    try base.releaseAllReferences(of: type, field: field, in: space)
  }
  open func insertToken(_ token: TokenRecord) throws { try base.insertToken(token) }
  open func deleteToken(id: String) throws -> Bool { try base.deleteToken(id: id) }
}
