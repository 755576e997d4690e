internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

/// Reads and changes through the writer's connection.
///
/// Per change it runs one upsert of a head, one insert into the log and one insert of a receipt, and nothing else: the head and
/// the receipt were read before, by `entities` and `receipts`, unless `WriterMemory` knew them. Inserts are of several rows at once
/// where there are as many.
final class SQLiteTransaction: SQLiteSnapshot, StoreTransaction {
  /// The first error of an operation that changes something. The transaction cannot be committed any more, also when its body
  /// caught the error: part of the operation may be done.
  private(set) var failure: (any Error)?

  func begin() {
    failure = nil
    isValid = true
  }

  /// Forgets what a rollback took back.
  func forgetAll() {
    types.forgetAll()
    principals.forgetAll()
    paths.forgetAll()
    memory?.forgetAll()
  }

  func changing<Result>(_ body: () throws -> Result) throws -> Result {
    if let failure { throw failure }
    do { return try reading(body) } catch {
      failure = error
      throw error
    }
  }

  // MARK: Spaces

  func expect(_ reads: () -> ExpectedReads, in space: SpaceName) {}

  func insertSpace(named name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) throws -> SpaceRecord {
    try changing {
      let statement = try statements[.spaceInsert]
      defer { statement.reset() }
      statement.bind(name.text, at: 1)
      statement.bind(unsafeBytes: scratch.store(epoch.rawValue, at: Scratch.Place.operation), at: 2)
      statement.bind(createdAt.rawValue, at: 3)
      statement.bind(unsafeBytes: scratch.store(genesis, at: Scratch.Place.hash), at: 4)
      guard try statement.step() else { throw StoreError.corrupt("the space \(name) was given no number") }
      let number = statement.integer(at: 0)
      while try statement.step() {}
      guard let raw = UInt32(exactly: number), raw <= SpaceID.max.rawValue else {
        throw StoreError(.full, "the store has had as many spaces as it can number")
      }
      return SpaceRecord(id: SpaceID(rawValue: raw), name: name, epoch: epoch, createdAt: createdAt, genesis: genesis)
    }
  }

  func updateSpace(_ record: SpaceRecord) throws {
    try changing {
      let statement = try statements[.spaceUpdate]
      statement.bind(Int64(record.id.rawValue), at: 1)
      statement.bind(Int64(bitPattern: record.revision.rawValue), at: 2)
      statement.bind(unsafeBytes: scratch.store(record.chainHash, at: Scratch.Place.hash), at: 3)
      statement.bind(record.changedAt.rawValue, at: 4)
      statement.bind(Int64(bitPattern: record.aliveCount), at: 5)
      statement.bind(Int64(bitPattern: record.historyFloor.rawValue), at: 6)
      statement.bind(Int64(bitPattern: record.feedFloor.rawValue), at: 7)
      statement.bind(Int64(bitPattern: record.fence.rawValue), at: 8)
      statement.bind(Int64(bitPattern: record.receiptFloor.rawValue), at: 9)
      statement.bind(Int64(bitPattern: record.schemaVersion), at: 10)
      try statement.run()
      guard statements.connection.changes == 1 else { throw StoreError.corrupt("there is no space \(record.name) to update") }
    }
  }

  func deleteSpace(_ id: SpaceID) throws {
    try changing {
      let log = try statements[.logDelete]
      log.bind(id.placeBase, at: 1)
      log.bind(id.placeMax, at: 2)
      try log.run()
      for sql in [SQL.headDelete, .receiptDelete, .schemaDelete, .keyDelete, .referenceDelete, .nameDelete, .spaceDelete] {
        let statement = try statements[sql]
        statement.bind(Int64(id.rawValue), at: 1)
        try statement.run()
      }
      forgetAll()
    }
  }

  // MARK: Changes

  func append(_ entries: [LogEntry], in space: SpaceID) throws {
    guard !entries.isEmpty else { return }
    try changing {
      var last = try lastRevision(in: space)
      for entry in entries {
        let revision = entry.change.entity.revision
        guard revision == last.next, revision.rawValue <= Limits.revisionMax else {
          throw StoreError.corrupt("the log ends at revision \(last), and revision \(revision) does not continue it")
        }
        last = revision
      }
      var rest = entries[...]
      while !rest.isEmpty {
        let rows = rest.count < SQL.rowsAtOnce ? 1 : SQL.rowsAtOnce
        try append(rest.prefix(rows), row: 0, try statements[rows == 1 ? .logAppend : .logAppendMany], in: space)
        rest = rest.dropFirst(rows)
      }
      if let memory { for entry in entries { memory.entities.put(entry.change.entity, in: space) } }
    }
  }

  /// Moves the head and binds the row of one entry after the other, and runs the statement while the fields of all stay in place.
  private func append(_ entries: ArraySlice<LogEntry>, row: Int, _ log: Statement, in space: SpaceID) throws {
    guard let entry = entries.first else { return try log.run() }
    let entity = entry.change.entity
    let type = try types.makeNumber(of: entity.key.type, in: space)
    let updatedBy = try principals.makeNumber(of: entity.updated.by, in: space)
    let createdBy =
      entity.created.by == entity.updated.by ? updatedBy : try principals.makeNumber(of: entity.created.by, in: space)
    let place = row * Scratch.Place.end
    let id = scratch.id(entity.key.id, at: place + Scratch.Place.id)
    try moveHead(entry.change, type: type, id: id, in: space)
    let before = Int32(row * SQL.logColumnCount)
    log.bind(space.placeBase + Int64(entity.revision.rawValue), at: before + 1)
    log.bind(type, at: before + 2)
    log.bind(unsafeBytes: id, at: before + 3)
    log.bind(Int64(bitPattern: entity.version.rawValue), at: before + 4)
    log.bind(Int64(bitPattern: entry.change.previous.rawValue), at: before + 5)
    log.bind(Int64(entry.change.kindByte), at: before + 6)
    log.bind(entity.created.at.rawValue, at: before + 7)
    log.bind(createdBy, at: before + 8)
    log.bind(entity.updated.at.rawValue, at: before + 9)
    log.bind(updatedBy, at: before + 10)
    log.bind(
      unsafeBytes: scratch.store(entry.change.operation.rawValue, at: place + Scratch.Place.operation), at: before + 11)
    log.bind(unsafeBytes: scratch.store(entry.salt, at: place + Scratch.Place.salt), at: before + 12)
    log.bind(unsafeBytes: scratch.store(entry.contentDigest, at: place + Scratch.Place.digest), at: before + 13)
    log.bind(unsafeBytes: scratch.store(entry.chainHash, at: place + Scratch.Place.hash), at: before + 14)
    log.bindNull(at: before + 16)
    if let editedAt = entry.change.editedAt { log.bind(editedAt.rawValue, at: before + 16) }
    try entity.fields.bytes.withUnsafeBytes { fields in
      log.bind(unsafeBytes: fields, at: before + 15)
      try append(entries.dropFirst(), row: row + 1, log, in: space)
    }
  }

  private func moveHead(_ change: Change, type: Int64, id: UnsafeRawBufferPointer, in space: SpaceID) throws {
    let isFirst = change.previous == .zero
    let head = try statements[isFirst ? .headInsert : .headMove]
    head.bind(Int64(space.rawValue), at: 1)
    head.bind(type, at: 2)
    head.bind(unsafeBytes: id, at: 3)
    head.bind(Int64(bitPattern: change.entity.version.rawValue), at: 4)
    head.bind(Int64(bitPattern: change.entity.revision.rawValue), at: 5)
    head.bind(Int64(change.entity.life.rawValue), at: 6)
    try head.run()
    guard statements.connection.changes == 1 else {
      throw StoreError.corrupt("the entity \(change.entity.key.type)/\(change.entity.key.id) has no head to move")
    }
  }

  /// The revision of the last entry of a space's log.
  private func lastRevision(in space: SpaceID) throws -> Revision {
    let statement = try statements[.spaceEnd]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(space.placeBase, at: 2)
    statement.bind(space.placeMax, at: 3)
    guard try statement.step(), statement.integer(at: 0) == 1 else {
      throw StoreError.corrupt("there is no space \(space.rawValue) to append to")
    }
    return statement.exactInteger(at: 1).map { Revision(rawValue: UInt64(bitPattern: $0 &- space.placeBase)) } ?? .zero
  }

  func insertReceipts(_ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at: Timestamp) throws {
    guard !receipts.isEmpty else { return }
    try changing {
      let number = try principals.makeNumber(of: principal, in: space)
      var rest = receipts[...]
      while !rest.isEmpty {
        let rows = rest.count < SQL.rowsAtOnce ? 1 : SQL.rowsAtOnce
        let statement = try statements[rows == 1 ? .receiptInsert : .receiptInsertMany]
        statement.bind(Int64(space.rawValue), at: 1)
        statement.bind(number, at: 2)
        statement.bind(at.rawValue, at: 3)
        for (row, receipt) in rest.prefix(rows).enumerated() {
          bind(receipt, row: row, statement)
          let sum = RowChecksum.of(receipt, space: space, principal: number, at: at)
          statement.bind(sum, at: Int32(row * SQL.receiptColumnCount) + 9)
        }
        try statement.run()
        rest = rest.dropFirst(rows)
      }
      memory?.operations.add(receipts, of: number, in: space)
    }
  }

  /// Binds what a row has of its receipt alone.
  private func bind(_ receipt: Receipt, row: Int, _ statement: Statement) {
    let place = row * Scratch.Place.end
    let before = Int32(row * SQL.receiptColumnCount)
    statement.bind(
      unsafeBytes: scratch.store(receipt.operation.rawValue, at: place + Scratch.Place.operation), at: before + 4)
    statement.bind(unsafeBytes: scratch.store(receipt.content, at: place + Scratch.Place.digest), at: before + 5)
    statement.bind(Int64(receipt.code.rawValue), at: before + 6)
    if let version = receipt.version {
      statement.bind(Int64(bitPattern: version.rawValue), at: before + 7)
    } else {
      statement.bindNull(at: before + 7)
    }
    if let revision = receipt.revision {
      statement.bind(Int64(bitPattern: revision.rawValue), at: before + 8)
    } else {
      statement.bindNull(at: before + 8)
    }
  }

  // MARK: Tokens and secrets

  func insertSecret(_ secret: [UInt8], named name: String) throws {
    try changing {
      let statement = try statements[.secretInsert]
      statement.bind(name, at: 1)
      try secret.withUnsafeBytes { bytes in
        statement.bind(unsafeBytes: bytes, at: 2)
        try statement.run()
      }
    }
  }

  func insertToken(_ token: TokenRecord) throws {
    try changing {
      let statement = try statements[.tokenInsert]
      statement.bind(token.id, at: 1)
      statement.bind(unsafeBytes: scratch.store(token.secretHash, at: Scratch.Place.hash), at: 2)
      statement.bind(token.principal.text, at: 3)
      if let role = token.roleEverywhere { statement.bind(Int64(role.rawValue), at: 4) } else { statement.bindNull(at: 4) }
      statement.bind(token.createdAt.rawValue, at: 5)
      try statement.run()
      let roles = try statements[.tokenRoleInsert]
      for (space, role) in token.roles {
        roles.bind(token.id, at: 1)
        roles.bind(space.text, at: 2)
        roles.bind(Int64(role.rawValue), at: 3)
        try roles.run()
      }
    }
  }

  func deleteToken(id: String) throws -> Bool {
    try changing {
      let roles = try statements[.tokenRoleDelete]
      roles.bind(id, at: 1)
      try roles.run()
      let statement = try statements[.tokenDelete]
      statement.bind(id, at: 1)
      try statement.run()
      return statements.connection.changes == 1
    }
  }
}
