internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

/// Reads through one session, inside a transaction that a `PostgresReader` or `PostgresWriter` began.
///
/// Whatever a row holds is decoded here and not by the server: damage is no error of SQL, which would end the transaction for everybody who
/// shares it.
class PostgresSnapshot: StoreSnapshot {
  let session: Session
  /// True between the begin and the end of the transaction.
  var isValid = false
  /// Answers that came before their questions; of transactions only.
  var ahead: ReadAhead?

  init(_ session: Session) { self.session = session }

  /// Runs a statement of an operation of the contract.
  func run(_ sql: SQL, _ parameters: Parameters = Parameters()) throws -> Rows {
    precondition(isValid, "a snapshot was used after its read or write ended")
    return try session.run(sql, parameters)
  }

  // MARK: Spaces

  func spaces() throws -> [SpaceRecord] { try run(.spaces).all.map { try SpaceRecord(row: $0) } }

  func space(named name: SpaceName) throws -> SpaceRecord? { try space(.spaceNamed, name) }

  func space(_ sql: SQL, _ name: SpaceName) throws -> SpaceRecord? {
    var parameters = Parameters()
    parameters.add(name.text)
    return try run(sql, parameters).first.map { try SpaceRecord(row: $0) }
  }

  func moved(since known: [SpaceMark]) throws -> [SpaceMark] {
    guard !known.isEmpty else { return [] }
    var parameters = Parameters()
    parameters.add(.int32, known) { $0.put(Int32(bitPattern: $1.space.rawValue)) }
    // A revision that no space has stands for none.
    parameters.add(.int64, known) { $0.put($1.revision.map { Int64(bitPattern: $0.rawValue) } ?? -1) }
    let gone = Set(known.lazy.filter { $0.revision == nil }.map(\.space))
    return try run(.spacesMoved, parameters).all.compactMap { row in
      guard let number = row.integer(at: 0).flatMap({ UInt32(exactly: $0) }) else {
        throw StoreError.corrupt("the number of a space does not decode")
      }
      let mark = SpaceMark(space: SpaceID(rawValue: number), revision: row.isNull(at: 1) ? nil : row.revision(at: 1))
      return mark.revision == nil && gone.contains(mark.space) ? nil : mark
    }
  }

  // MARK: Receipts

  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?] {
    if let known = ahead?.receipts(operations, of: principal, in: space) { return known }
    var receipts = [Receipt?](repeating: nil, count: operations.count)
    guard !operations.isEmpty else { return receipts }
    let parameters = Parameters(receipts: operations.map { (principal, $0) }, in: space)
    for row in try run(.receipts, parameters).all {
      guard let index = row.index(at: 6, in: operations.count) else { throw StoreError.corrupt("a receipt was not asked for") }
      receipts[index] = try PostgresSnapshot.receipt(operations[index], row, space: space, principal: principal)
    }
    return receipts
  }

  static func receipt(
    _ operation: OperationID, _ row: Row, space: SpaceID, principal: PrincipalName
  ) throws -> Receipt {
    guard let content = row.digest(at: 0), let code = row.byte(at: 1).flatMap({ OutcomeCode(rawValue: $0) }),
      let at = row.time(at: 4)
    else { throw StoreError.corrupt("the receipt of \(operation) does not decode") }
    let receipt = Receipt(
      operation: operation, content: content, code: code, version: row.version(at: 2), revision: row.revision(at: 3))
    guard row.integer(at: 5) == RowChecksum.of(receipt, space: space, principal: principal, at: at) else {
      throw StoreError.corrupt("the receipt of \(operation) fails its checksum")
    }
    return receipt
  }

  // MARK: Tokens

  func tokenMark() throws -> UInt64 {
    // The first token makes the row.
    guard let row = try run(.tokenMark).first else { return 0 }
    guard let changes = row.integer(at: 0) else { throw StoreError.corrupt("the count of changes of tokens does not decode") }
    return UInt64(bitPattern: changes)
  }

  func tokens() throws -> [TokenRecord] {
    var roles: [String: [SpaceName: Role]] = [:]
    for row in try run(.tokenRoles).all {
      guard let token = row.text(at: 0), let space = row.text(at: 1).flatMap({ SpaceName($0) }), let role = row.role(at: 2) else {
        throw StoreError.corrupt("a role of a token does not decode")
      }
      roles[token, default: [:]][space] = role
    }
    return try run(.tokens).all.map { row in
      guard let id = row.text(at: 0), let secretHash = row.digest(at: 1), let principal = row.principal(at: 2),
        let createdAt = row.time(at: 4), row.isNull(at: 3) || row.role(at: 3) != nil
      else { throw StoreError.corrupt("a token does not decode") }
      return TokenRecord(
        id: id, secretHash: secretHash, principal: principal, roleEverywhere: row.role(at: 3), roles: roles[id] ?? [:],
        createdAt: createdAt)
    }
  }

  // MARK: Secrets

  func secret(named name: String) throws -> [UInt8]? {
    var parameters = Parameters()
    parameters.add(name)
    guard let row = try run(.secret, parameters).first else { return nil }
    guard let bytes = row.bytes(at: 0) else { throw StoreError.corrupt("the secret \(name) does not decode") }
    return bytes
  }
}
