internal import TidemarkCore
internal import TidemarkStore

/// All that a `MemoryStore` holds: a value.
struct MemoryState: Sendable {
  var lastSpace: UInt32 = 0
  var spaces: [SpaceID: SpaceRecord] = [:]
  var parts: [SpaceID: MemorySpace] = [:]
  var tokens: [String: TokenRecord] = [:]
  /// How often tokens were added or removed.
  var tokenChanges: UInt64 = 0
  var secrets: [String: [UInt8]] = [:]
}

/// What belongs to one space.
struct MemorySpace: Sendable {
  /// The entry of revision `n` is at `n - 1`.
  var log: [LogEntry] = []
  var damaged: Set<Revision> = []
  var heads: [EntityKey: Head] = [:]
  var receipts: [ReceiptKey: Receipt] = [:]
  var schemas: [UInt64: SchemaRecord] = [:]
  var keys: [HeldKey: EntityID] = [:]
  var references: Set<HeldReference> = []

  struct ReceiptKey: Hashable {
    var principal: PrincipalName
    var operation: OperationID
  }

  func entry(at revision: Revision) throws -> LogEntry? {
    guard revision > .zero, revision.rawValue <= UInt64(log.count) else { return nil }
    guard !damaged.contains(revision) else { throw StoreError(.corrupt, "revision \(revision) is damaged") }
    return log[Int(revision.rawValue) - 1]
  }
}

class MemorySnapshot: StoreSnapshot {
  var state: MemoryState

  init(_ state: MemoryState) { self.state = state }

  func spaces() throws -> [SpaceRecord] { state.spaces.values.sorted { $0.name < $1.name } }

  func space(named name: SpaceName) throws -> SpaceRecord? { state.spaces.values.first { $0.name == name } }

  func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity? {
    guard let part = state.parts[space], let head = part.heads[key] else { return nil }
    return try part.entry(at: head.revision)?.change.entity
  }

  func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] { try keys.map { try entity($0, in: space) } }

  func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity] {
    let lives: Set<EntityLife> =
      switch deleted {
      case .exclude: [.alive]
      case .include: [.alive, .deleted]
      case .only: [.deleted]
      }
    let part = state.parts[space] ?? MemorySpace()
    let heads = part.heads.values.filter { head in
      head.key.type == type && lives.contains(head.life) && after.map { $0 < head.key.id } ?? true
    }
    var entities: [Entity] = []
    var bytes = 0
    for head in heads.sorted(by: { $0.key < $1.key }) {
      guard entities.count < limit, entities.isEmpty || bytes < bytesMax else { break }
      guard let entity = try part.entry(at: head.revision)?.change.entity else { continue }
      entities.append(entity)
      bytes += entity.fields.bytes.count
    }
    return entities
  }

  func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry? { try state.parts[space]?.entry(at: revision) }

  func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow] {
    guard let part = state.parts[space], revision.rawValue < UInt64(part.log.count) else { return [] }
    return part.log[Int(revision.rawValue)...].prefix(max(limit, 0)).map { entry in
      let revision = entry.change.entity.revision
      return part.damaged.contains(revision) ? .damaged(revision) : .intact(entry)
    }
  }

  func changes(
    after revision: Revision, in space: SpaceID, latestOnly: Bool, limit: Int, bytesMax: Int
  ) throws -> ChangePage {
    var page = ChangePage(changes: [], through: revision)
    guard let part = state.parts[space] else { return page }
    var bytes = 0
    for row in try logRows(after: revision, in: space, limit: limit) where bytes < bytesMax {
      page.through = row.revision
      if latestOnly, case .intact(let entry) = row, part.heads[entry.change.entity.key]?.revision != row.revision { continue }
      if latestOnly, case .damaged = row, !part.heads.values.contains(where: { $0.revision == row.revision }) { continue }
      guard case .intact(let entry) = row else { throw StoreError(.corrupt, "revision \(row.revision) is damaged") }
      page.changes.append(entry.change)
      bytes += entry.change.entity.fields.bytes.count
    }
    return page
  }

  func type(after type: TypeName?, in space: SpaceID) throws -> TypeName? {
    state.parts[space]?.heads.keys.map(\.type).filter { name in type.map { $0 < name } ?? true }.min()
  }

  func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head] {
    let heads = (state.parts[space]?.heads.values).map(Array.init) ?? []
    let sorted = heads.filter { head in key.map { $0 < head.key } ?? true }.sorted { $0.key < $1.key }
    return Array(sorted.prefix(max(limit, 0)))
  }

  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?] {
    operations.map { state.parts[space]?.receipts[.init(principal: principal, operation: $0)] }
  }

  func tokens() throws -> [TokenRecord] {
    state.tokens.values.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
  }

  func tokenMark() throws -> UInt64 { state.tokenChanges }

  func moved(since known: [SpaceMark]) throws -> [SpaceMark] {
    known.compactMap { mark in
      let now = state.spaces[mark.space]?.revision
      return now == mark.revision ? nil : SpaceMark(space: mark.space, revision: now)
    }
  }
  func secret(named name: String) throws -> [UInt8]? { state.secrets[name] }
}

final class MemoryTransaction: MemorySnapshot, StoreTransaction {
  /// The first error of an operation that changes something: the transaction cannot be committed any more.
  private(set) var failure: (any Error)?

  func changing<Result>(_ body: () throws -> Result) throws -> Result {
    if let failure { throw failure }
    do { return try body() } catch {
      failure = error
      throw error
    }
  }

  func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    guard condition else { throw StoreError(.corrupt, message()) }
  }

  func expect(_ reads: () -> ExpectedReads, in space: SpaceName) {}

  func insertSpace(named name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) throws -> SpaceRecord {
    try changing {
      try require(try space(named: name) == nil, "the space \(name) exists")
      guard state.lastSpace < SpaceID.max.rawValue else {
        throw StoreError(.full, "the store has had as many spaces as it can number")
      }
      state.lastSpace += 1
      let id = SpaceID(rawValue: state.lastSpace)
      let record = SpaceRecord(id: id, name: name, epoch: epoch, createdAt: createdAt, genesis: genesis)
      state.spaces[id] = record
      state.parts[id] = MemorySpace()
      return record
    }
  }

  func updateSpace(_ record: SpaceRecord) throws {
    try changing {
      guard let stored = state.spaces[record.id] else { throw StoreError(.corrupt, "there is no space \(record.name) to update") }
      var updated = record
      updated.name = stored.name
      updated.epoch = stored.epoch
      updated.createdAt = stored.createdAt
      state.spaces[record.id] = updated
    }
  }

  func deleteSpace(_ id: SpaceID) throws {
    try changing {
      state.spaces[id] = nil
      state.parts[id] = nil
    }
  }

  func append(_ entries: [LogEntry], in space: SpaceID) throws {
    guard !entries.isEmpty else { return }
    try changing {
      try require(state.parts[space] != nil, "there is no space \(space.rawValue) to append to")
      var part = state.parts[space] ?? MemorySpace()
      for entry in entries {
        let entity = entry.change.entity
        try require(
          entity.revision.rawValue == UInt64(part.log.count) + 1, "revision \(entity.revision) does not continue the log")
        try require(
          (entry.change.previous == .zero) == (part.heads[entity.key] == nil),
          "the entity \(entity.key.type)/\(entity.key.id) has no head to move, or has one already")
        part.log.append(entry)
        part.heads[entity.key] = Head(
          key: entity.key, version: entity.version, revision: entity.revision, life: entity.life)
      }
      state.parts[space] = part
    }
  }

  func insertReceipts(_ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at: Timestamp) throws {
    try changing {
      for receipt in receipts {
        let key = MemorySpace.ReceiptKey(principal: principal, operation: receipt.operation)
        try require(state.parts[space] != nil, "there is no space \(space.rawValue) for a receipt")
        try require(state.parts[space]?.receipts[key] == nil, "the receipt of \(receipt.operation) exists")
        state.parts[space]?.receipts[key] = receipt
      }
    }
  }

  func insertSecret(_ secret: [UInt8], named name: String) throws {
    try changing {
      try require(state.secrets[name] == nil, "the secret \(name) exists")
      state.secrets[name] = secret
    }
  }

  func insertToken(_ token: TokenRecord) throws {
    try changing {
      try require(state.tokens[token.id] == nil, "the token \(token.id) exists")
      state.tokens[token.id] = token
      state.tokenChanges += 1
    }
  }

  func deleteToken(id: String) throws -> Bool {
    try changing {
      state.tokenChanges += 1
      return state.tokens.removeValue(forKey: id) != nil
    }
  }
}
