public import TidemarkCore

/// The durable home of spaces, entities, changes, receipts and tokens.
///
/// An engine offers transaction primitives and decides nothing: what a write becomes is judged by TidemarkCore and driven by `GroupCommitWriter`.
/// The contract, which the conformance suite checks for every engine:
///
/// 1. `write` is atomic and isolated. When it returns, everything its body did survives the death of the process and of the machine. When it
///    throws, nothing its body did can be seen, except after an error whose code is `failed` or `outcomeUnknown`: then the outcome is unknown.
///    After `failed` the writer is not used again; after `outcomeUnknown` it may be.
/// 2. Where `hasOneWriter`, an `EntityStore` has one writer at a time, and a second process that opens the same data gets `StoreError` with
///    code `locked`. Elsewhere there may be several writers, here and in other processes, and `space(named:)` in a transaction keeps other writers from the space until the transaction ends, so that what is read of
///    the space afterwards stays true; who locks several spaces does so in the order of their names.
/// 3. `read` gives its body one consistent state: some state between two commits, no older than the last commit that returned before
///    `read` began. It never waits for the writer.
/// 4. Entries of a space's log are appended in revision order without gaps, and never change (pruning and purging excepted).
/// 5. Order is by bytes: of type names, of ids, of space names, the same on every engine.
/// 6. Everything is confined to a space: nothing read under one `SpaceID` was written under another.
/// 7. Damage is reported as `StoreError` with code `corrupt` or as `LogRow.damaged`; it never ends the process.
public protocol EntityStore: AnyObject, Sendable {
  /// The engine in one word for logs: `sqlite`, `postgres`, `memory`.
  var engineName: String { get }

  /// Whether no other process writes to the data while this one has it open, so that what was committed here may be remembered. Where others
  /// write, too, nothing that was read is true any longer than its transaction.
  var hasOneWriter: Bool { get }

  /// The connections to a database that runs elsewhere; `nil` for an engine without.
  var connections: ConnectionCounts? { get }

  /// Opens a writer; where `hasOneWriter`, the only one. It belongs to the thread that uses it.
  func openWriter() throws -> any StoreWriter

  /// Opens a reader. It belongs to the thread that uses it; open as many as there are reading threads.
  func openReader() throws -> any StoreReader
}

/// Reads consistent states. Used by one thread at a time.
public protocol StoreReader: AnyObject {
  /// Runs `body` on one consistent state. The snapshot is not valid afterwards.
  func read<Result>(_ body: (any StoreSnapshot) throws -> Result) throws -> Result
}

/// Runs transactions. Used by one thread at a time.
public protocol StoreWriter: AnyObject {
  /// Runs `body` in one transaction, which is durable when this returns and undone when `body` throws. The transaction is not valid afterwards.
  ///
  /// An engine that meets other writers may undo the transaction and run `body` again, so what a run leaves elsewhere must be replaced by the
  /// next one. An operation that is refused may say so when it is called, at a later operation, or when the body has ended.
  func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result

  /// Does work that can wait, such as a checkpoint. Called when the queue is empty.
  func idle() throws
}

/// One consistent state of a store.
public protocol StoreSnapshot: AnyObject {
  /// All spaces, sorted by name.
  func spaces() throws -> [SpaceRecord]

  /// The space of this name; `nil` when there is none. In a transaction it is locked until the end (sentence 2 of the contract).
  func space(named name: SpaceName) throws -> SpaceRecord?

  /// The latest version of an entity, as `entities` answers it.
  func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity?

  /// The latest version of each entity, in the order of the keys; `nil` for an entity that never was. Deleted and purged ones are returned.
  func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?]

  /// The entities of one type with ids above `after` (all when `nil`), sorted by id.
  ///
  /// Stops after `limit` entities, or after the first entity that makes the sum of the fields' bytes reach `bytesMax`. Purged ones are never listed.
  func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity]

  /// One entry of the log; `nil` when there is none or it was pruned.
  func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry?

  /// The same entry without what the entity holds, which need not be read for it. `nil` as for `logEntry(at:in:)`.
  func logHead(at revision: Revision, in space: SpaceID) throws -> LogHead?

  /// The rows of the log after a revision, in order, at most `limit`. Damaged rows are among them.
  func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow]

  /// The changes after a revision, in order, whole: none of them is left out because it is damaged or pruned, which is `corrupt`.
  ///
  /// Looks at no more than `limit` rows of the log, and stops after the first change that makes the sum of the fields' bytes reach `bytesMax`.
  ///
  /// - Parameter latestOnly: skip changes that are not the latest of their entity; those need not be intact.
  func changes(after revision: Revision, in space: SpaceID, latestOnly: Bool, limit: Int, bytesMax: Int) throws -> ChangePage

  /// The first type after one by the bytes of the names (of all when `nil`) of which the space has, or once had, entities. `nil` behind the last.
  func type(after type: TypeName?, in space: SpaceID) throws -> TypeName?

  /// The heads after a key (all when `nil`), sorted by key, at most `limit`.
  func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head]

  /// The receipts that this principal's writes left, in the order of the ids; `nil` where there is none.
  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?]

  /// One schema of a space, current or past; `nil` when there is none of this version.
  func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord?

  /// The entities that hold unique keys, in the order of the keys; `nil` for a key that nobody holds.
  func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?]

  /// The references to one entity, sorted by the bytes of the source's type, its id and the field, at most `limit`.
  func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference]

  /// The unique keys of a space and who holds each, after one of them (all when `nil`), at most `limit`, in an order of the engine's own.
  func heldKeys(after key: HeldKey?, in space: SpaceID, limit: Int) throws -> [(key: HeldKey, holder: EntityID)]

  /// The references of a space after one of them (all when `nil`), at most `limit`, in an order of the engine's own.
  func heldReferences(after reference: HeldReference?, in space: SpaceID, limit: Int) throws -> [HeldReference]

  /// For each of some references whether it is there.
  func areHeld(_ references: [HeldReference], in space: SpaceID) throws -> [Bool]

  /// All tokens, sorted by id.
  func tokens() throws -> [TokenRecord]

  /// A number that is another one whenever tokens were added or removed: two states with the same number have the same tokens. An engine
  /// that others write to answers without reading the tokens, because it is asked many times a second.
  func tokenMark() throws -> UInt64

  /// Those of some spaces that are not as they are known, in any order: each with its revision now, `nil` for a space that is gone.
  ///
  /// Costs what is asked for, whatever else the store holds. No space is named twice.
  func moved(since known: [SpaceMark]) throws -> [SpaceMark]

  /// Bytes that only the servers of this store know, under a name; `nil` when there are none of that name.
  func secret(named name: String) throws -> [UInt8]?
}

/// One state under change.
public protocol StoreTransaction: StoreSnapshot {
  /// Says what will be read of a space, before `space(named:)` asks for it. Changes no answer: other things may be asked, and these not.
  ///
  /// An engine that has the answers at hand ignores it, and does not call `reads`.
  func expect(_ reads: () -> ExpectedReads, in space: SpaceName)

  /// Adds a space. The id is one that no space ever had, the next after the highest.
  func insertSpace(named name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) throws -> SpaceRecord

  /// Stores the counters, hash, marks and schema version of a space.
  func updateSpace(_ record: SpaceRecord) throws

  /// Removes a space with all its entries, heads, receipts, schemas, keys and references.
  func deleteSpace(_ id: SpaceID) throws

  /// Appends entries, which continue the log without a gap, and moves the heads of their entities.
  func append(_ entries: [LogEntry], in space: SpaceID) throws

  /// Keeps receipts of a principal's writes. None of them exists yet. `at` is when they were made.
  func insertReceipts(_ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at: Timestamp) throws

  /// Keeps a schema of a space. Its version is new. What the space's `schemaVersion` says is stored by `updateSpace`.
  func insertSchema(_ schema: SchemaRecord, in space: SpaceID) throws

  /// Gives unique keys up, then gives others to the entities that hold them from now on.
  ///
  /// Each released key is held, and none of the taken ones is then: the judge has looked. Otherwise the error is `corrupt`.
  /// Touches nothing when both are empty.
  func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws

  /// Removes references, then adds others.
  ///
  /// Each released one is there, and none of the taken ones is then. Otherwise the error is `corrupt`. Touches nothing when both
  /// are empty.
  func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws

  /// Gives up every value of one unique key of a type: the key is no longer in the schema.
  func releaseAllKeys(of type: TypeName, key: FieldPath, in space: SpaceID) throws

  /// Removes every reference that one field of a type holds: the field no longer points. Costs what the space has of references.
  func releaseAllReferences(of type: TypeName, field: FieldPath, in space: SpaceID) throws

  /// Adds a token. Its id is new.
  func insertToken(_ token: TokenRecord) throws

  /// Keeps bytes that only the servers of this store know, under a name that has none yet.
  func insertSecret(_ secret: [UInt8], named name: String) throws

  /// Removes a token. False when there was none.
  func deleteToken(id: String) throws -> Bool
}
