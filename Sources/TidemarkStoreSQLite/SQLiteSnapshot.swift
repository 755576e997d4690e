internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

/// What the one writer knows without reading.
final class WriterMemory {
  let entities: EntityCache
  let operations = RecentOperations()

  init(entityBytesMax: Int) { entities = EntityCache(bytesMax: entityBytesMax) }

  func forgetAll() {
    entities.forgetAll()
    operations.forgetAll()
  }
}

/// Reads through one connection, inside a transaction that a `SQLiteReader` or `SQLiteWriter` opened.
class SQLiteSnapshot: StoreSnapshot {
  let statements: Statements
  let types: Names<TypeName>
  let principals: Names<PrincipalName>
  let paths: Names<FieldPath>
  let scratch = Scratch()
  /// What only the writer's connection may remember between transactions; `nil` for a reader.
  let memory: WriterMemory?
  /// True between the begin and the end of the transaction.
  var isValid = false

  init(_ connection: Connection, memory: WriterMemory? = nil) {
    self.memory = memory
    statements = Statements(connection)
    types = Names(statements)
    principals = Names(statements)
    paths = Names(statements)
  }

  /// Runs an operation of the contract: checks that the transaction is open, and gives errors of SQLite their meaning.
  func reading<Result>(_ body: () throws -> Result) throws -> Result {
    precondition(isValid, "a snapshot was used after its read or write ended")
    return try translatingErrors(body)
  }

  // MARK: Spaces

  func spaces() throws -> [SpaceRecord] {
    try reading {
      let statement = try statements[.spaces]
      defer { statement.reset() }
      var records: [SpaceRecord] = []
      while try statement.step() { records.append(try SpaceRecord(row: statement)) }
      return records
    }
  }

  func space(named name: SpaceName) throws -> SpaceRecord? {
    try reading {
      let statement = try statements[.spaceNamed]
      defer { statement.reset() }
      statement.bind(name.text, at: 1)
      return try statement.step() ? try SpaceRecord(row: statement) : nil
    }
  }

  // MARK: Receipts

  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?] {
    try reading {
      guard !operations.isEmpty, let number = try principals.number(of: principal, in: space) else {
        return [Receipt?](repeating: nil, count: operations.count)
      }
      var receipts = [Receipt?](repeating: nil, count: operations.count)
      let suspects =
        try memory?.operations.suspects(operations, of: number, in: space) { try lastOperation(of: number, in: space) }
        ?? Array(operations.indices)
      guard !suspects.isEmpty else { return receipts }
      let statement = try statements[.receipt]
      defer { statement.reset() }
      statement.bind(Int64(space.rawValue), at: 1)
      statement.bind(number, at: 2)
      for index in suspects {
        let operation = operations[index]
        statement.bind(unsafeBytes: scratch.store(operation.rawValue, at: Scratch.Place.operation), at: 3)
        if try statement.step() {
          receipts[index] = try SQLiteSnapshot.receipt(operation, statement, space: space, principal: number)
        }
        statement.reset()
      }
      return receipts
    }
  }

  /// The highest operation id of a principal that has a receipt.
  private func lastOperation(of principal: Int64, in space: SpaceID) throws -> OperationID? {
    let statement = try statements[.receiptLast]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(principal, at: 2)
    guard try statement.step() else { return nil }
    guard let operation = Bytes16(column: statement.unsafeBytes(at: 0)) else {
      throw StoreError.corrupt("the operation id of a receipt does not decode")
    }
    return OperationID(rawValue: operation)
  }

  private static func receipt(
    _ operation: OperationID, _ row: Statement, space: SpaceID, principal: Int64
  ) throws -> Receipt {
    guard let content = Digest32(column: row.unsafeBytes(at: 0)),
      let code = row.exactInteger(at: 1).flatMap({ UInt8(exactly: $0) }).flatMap({ OutcomeCode(rawValue: $0) }),
      let at = row.exactInteger(at: 4)
    else { throw StoreError.corrupt("the receipt of \(operation) does not decode") }
    let receipt = Receipt(
      operation: operation, content: content, code: code,
      version: row.exactInteger(at: 2).map { EntityVersion(rawValue: UInt64(bitPattern: $0)) },
      revision: row.exactInteger(at: 3).map { Revision(rawValue: UInt64(bitPattern: $0)) })
    let sum = RowChecksum.of(receipt, space: space, principal: principal, at: Timestamp(rawValue: at))
    guard row.exactInteger(at: 5) == sum else { throw StoreError.corrupt("the receipt of \(operation) fails its checksum") }
    return receipt
  }

  // MARK: Tokens

  func tokens() throws -> [TokenRecord] {
    try reading {
      var roles: [String: [SpaceName: Role]] = [:]
      let roleRows = try statements[.tokenRoles]
      defer { roleRows.reset() }
      while try roleRows.step() {
        guard let token = roleRows.text(at: 0), let space = roleRows.text(at: 1).flatMap({ SpaceName($0) }),
          let role = roleRows.role(at: 2)
        else { throw StoreError.corrupt("a role of a token does not decode") }
        roles[token, default: [:]][space] = role
      }
      let rows = try statements[.tokens]
      defer { rows.reset() }
      var tokens: [TokenRecord] = []
      while try rows.step() {
        guard let id = rows.text(at: 0), let secretHash = Digest32(column: rows.unsafeBytes(at: 1)),
          let principal = rows.text(at: 2).flatMap({ PrincipalName($0) }), let createdAt = rows.exactInteger(at: 4),
          rows.kind(at: 3) == .null || rows.role(at: 3) != nil
        else { throw StoreError.corrupt("a token does not decode") }
        tokens.append(
          TokenRecord(
            id: id, secretHash: secretHash, principal: principal, roleEverywhere: rows.role(at: 3), roles: roles[id] ?? [:],
            createdAt: Timestamp(rawValue: createdAt)))
      }
      return tokens
    }
  }

  // MARK: Secrets

  func secret(named name: String) throws -> [UInt8]? {
    try reading {
      let statement = try statements[.secret]
      defer { statement.reset() }
      statement.bind(name, at: 1)
      guard try statement.step() else { return nil }
      guard let bytes = statement.unsafeBytes(at: 0) else { throw StoreError.corrupt("the secret \(name) does not decode") }
      return [UInt8](bytes)
    }
  }
}

extension Statement {
  fileprivate func role(at column: Int32) -> Role? {
    exactInteger(at: column).flatMap { UInt8(exactly: $0) }.flatMap { Role(rawValue: $0) }
  }
}

extension SpaceRecord {
  /// Reads a row of the table `space`.
  fileprivate init(row: Statement) throws {
    guard let number = row.exactInteger(at: 0).flatMap({ UInt32(exactly: $0) }), number <= SpaceID.max.rawValue,
      let name = row.text(at: 1).flatMap({ SpaceName($0) }), let epoch = Bytes16(column: row.unsafeBytes(at: 2)),
      let createdAt = row.exactInteger(at: 3), let hash = Digest32(column: row.unsafeBytes(at: 5)),
      let changedAt = row.exactInteger(at: 6)
    else { throw StoreError.corrupt("a space does not decode") }
    self.init(
      id: SpaceID(rawValue: number), name: name, epoch: Epoch(rawValue: epoch), createdAt: Timestamp(rawValue: createdAt),
      genesis: hash)
    func count(_ column: Int32) throws -> UInt64 {
      guard let value = row.exactInteger(at: column).flatMap({ UInt64(exactly: $0) }) else {
        throw StoreError.corrupt("a counter of the space \(name) does not decode")
      }
      return value
    }
    revision = Revision(rawValue: try count(4))
    self.changedAt = Timestamp(rawValue: changedAt)
    aliveCount = try count(7)
    historyFloor = Revision(rawValue: try count(8))
    feedFloor = Revision(rawValue: try count(9))
    fence = Revision(rawValue: try count(10))
    receiptFloor = Revision(rawValue: try count(11))
    schemaVersion = try count(12)
  }
}

extension SpaceID {
  /// The place of revision zero: places of the space's log are above it.
  var placeBase: Int64 { Int64(rawValue) << 40 }
  /// The last place the space's log can have.
  var placeMax: Int64 { placeBase + Int64(Limits.revisionMax) }
}
