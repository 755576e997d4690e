internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

/// Reads and changes through the writer's session.
///
/// What changes something is left for the next statement whose answer is waited for, so a batch of any size takes one round trip for all its
/// changes. Each of these statements checks how many rows it touched before the commit is sent.
final class PostgresTransaction: PostgresSnapshot, StoreTransaction {
  /// The spaces whose rows this transaction holds.
  private var locked: Set<SpaceID> = []
  /// The last revision of each log that this transaction has appended to.
  private var ends: [SpaceID: Revision] = [:]
  /// What was said about the space that is locked next.
  private var expected: (space: SpaceName, reads: ExpectedReads)?
  /// The numbers of spaces as they were when last seen, so that a space can be locked and read with one question.
  private var ids: [SpaceName: SpaceID] = [:]
  private static let idsMax = 10_000
  /// A space of that name was made by another writer at the same moment, in the run before this one.
  private var hasRaced = false

  func begin(isFirstRun: Bool) {
    locked = []
    ends = [:]
    expected = nil
    ahead = nil
    if isFirstRun { hasRaced = false }
    isValid = true
  }

  /// Leaves a statement that changes something for later.
  func queue(
    _ sql: SQL, _ parameters: Parameters, check: @escaping (Rows) throws(StoreError) -> Void = { _ in }
  ) {
    precondition(isValid, "a transaction was used after its write ended")
    ahead = nil
    session.queue(sql, parameters, check: check)
  }

  /// Refuses what an operation was asked for: the transaction cannot be committed, also when its body catches the error.
  func refuse(_ message: String) -> StoreError {
    let error = StoreError.corrupt(message)
    session.breakOff(error)
    return error
  }

  // MARK: Spaces

  func expect(_ reads: () -> ExpectedReads, in space: SpaceName) { expected = (space, reads()) }

  override func space(named name: SpaceName) throws -> SpaceRecord? {
    let reads = expected?.space == name ? expected?.reads : nil
    expected = nil
    ahead = nil
    guard let record = try lock(name, reads) else { return nil }
    locked.insert(record.id)
    if ids.count >= PostgresTransaction.idsMax { ids.removeAll() }
    ids[name] = record.id
    // The space was not known, or has been made anew.
    if let reads, ahead == nil {
      var made = ReadAhead(reads, in: record.id)
      made.take(try session.run(together: made.questions)[...])
      ahead = made
    }
    return record
  }

  /// Locks a space, and asks together with that for what will be read of it, if its number is still the one that is known.
  private func lock(_ name: SpaceName, _ reads: ExpectedReads?) throws -> SpaceRecord? {
    guard let reads, let id = ids[name] else { return try space(.spaceLock, name) }
    precondition(isValid, "a transaction was used after its write ended")
    var made = ReadAhead(reads, in: id)
    var parameters = Parameters()
    parameters.add(name.text)
    let answers = try session.run(together: [(.spaceLock, parameters)] + made.questions)
    guard let record = try answers.first?.first.map({ try SpaceRecord(row: $0) }) else { return nil }
    if record.id == id {
      made.take(answers.dropFirst())
      ahead = made
    }
    return record
  }

  /// Refuses to go on when a migration has shut this program out.
  func checkFormat(_ row: Row?) throws {
    do throws(StoreError) { try SpaceRecord.checkFormat(row?.integer(at: 0)) } catch {
      session.breakOff(error)
      throw error
    }
  }

  /// Holds the space's row until the end, so that statements after this one see all that was committed to the space.
  private func lock(_ space: SpaceID) throws {
    guard !locked.contains(space) else { return }
    guard let row = try run(.spaceLockNumber, Parameters(space)).first else {
      throw refuse("there is no space \(space.rawValue)")
    }
    try checkFormat(row)
    locked.insert(space)
  }

  /// Nobody else changes tokens until the end: what is read stays true.
  override func tokens() throws -> [TokenRecord] {
    _ = try run(.tokenMarkMove)
    return try super.tokens()
  }

  func insertSpace(named name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) throws -> SpaceRecord {
    guard let number = try run(.spaceNumber).first?.integer(at: 0) else {
      throw refuse("the number of the last space is missing")
    }
    guard let raw = UInt32(exactly: number), raw <= SpaceID.max.rawValue else {
      let error = StoreError(.full, "the store has had as many spaces as it can number")
      session.breakOff(error)
      throw error
    }
    let record = SpaceRecord(id: SpaceID(rawValue: raw), name: name, epoch: epoch, createdAt: createdAt, genesis: genesis)
    var parameters = Parameters(record.id)
    parameters.add(name.text)
    parameters.add(epoch.rawValue.bytes)
    parameters.add(createdAt)
    parameters.add(genesis)
    let inserted = try run(.spaceInsert, parameters)
    guard inserted.affected == 1 else {
      // Another writer may have made it since this one looked; then the next run finds it.
      let error = StoreError.corrupt("the space \(name) exists")
      session.breakOff(error, mayRunAgain: !hasRaced)
      hasRaced = true
      throw error
    }
    try checkFormat(inserted.first)
    locked.insert(record.id)
    return record
  }

  func updateSpace(_ record: SpaceRecord) throws {
    var parameters = Parameters(record.id)
    parameters.add(record.revision)
    parameters.add(record.chainHash)
    parameters.add(record.changedAt)
    parameters.add(Int64(bitPattern: record.aliveCount))
    for mark in [record.historyFloor, record.feedFloor, record.fence, record.receiptFloor] { parameters.add(mark) }
    parameters.add(Int64(bitPattern: record.schemaVersion))
    queue(.spaceUpdate, parameters) { (rows) throws(StoreError) in
      guard rows.affected == 1 else { throw StoreError.corrupt("there is no space \(record.name) to update") }
    }
  }

  func deleteSpace(_ id: SpaceID) throws {
    ends[id] = nil
    locked.remove(id)
    // The row first, which is the lock.
    for sql in [SQL.spaceDelete, .logDelete, .headDelete, .receiptDelete, .schemaDelete, .keyDelete, .referenceDelete] {
      queue(sql, Parameters(id))
    }
  }

  // MARK: Changes

  func append(_ entries: [LogEntry], in space: SpaceID) throws {
    guard let first = entries.first?.change.entity.revision else { return }
    try lock(space)
    let before = ends[space]
    if let before, before.next != first { throw gap(before, first) }
    var last = Revision(rawValue: first.rawValue &- 1)
    for entry in entries {
      let revision = entry.change.entity.revision
      guard revision == last.next, revision.rawValue <= Limits.revisionMax else { throw gap(last, revision) }
      last = revision
    }
    ends[space] = last
    if before == nil {
      let expected = Int64(bitPattern: first.rawValue &- 1)
      queue(.logEnd, Parameters(space)) { (rows) throws(StoreError) in
        let end = rows.first?.integer(at: 0) ?? 0
        guard end == expected else {
          throw StoreError.corrupt("the log ends at revision \(end), and revision \(expected &+ 1) does not continue it")
        }
      }
    }
    queueRows(entries, in: space)
    try moveHeads(entries.map(\.change), in: space)
  }

  private func gap(_ last: Revision, _ revision: Revision) -> StoreError {
    refuse("the log ends at revision \(last), and revision \(revision) does not continue it")
  }

  private func queueRows(_ entries: [LogEntry], in space: SpaceID) {
    var parameters = Parameters(space)
    parameters.add(.int64, entries) { $0.put($1.change.entity.revision) }
    parameters.add(.text, entries) { $0.put($1.change.entity.key.type.text) }
    parameters.add(.bytes, entries) { $0.put($1.change.entity.key.id) }
    parameters.add(.int64, entries) { $0.put($1.change.entity.version) }
    parameters.add(.int64, entries) { $0.put($1.change.previous) }
    parameters.add(.int16, entries) { $0.put(Int16($1.change.kindByte)) }
    parameters.add(.int64, entries) { $0.put($1.change.entity.created.at.rawValue) }
    parameters.add(.text, entries) { $0.put($1.change.entity.created.by.text) }
    parameters.add(.int64, entries) { $0.put($1.change.entity.updated.at.rawValue) }
    parameters.add(.text, entries) { $0.put($1.change.entity.updated.by.text) }
    parameters.add(.bytes, entries) { $0.put($1.change.operation.rawValue) }
    parameters.add(.bytes, entries) { $0.put($1.salt) }
    parameters.add(.bytes, entries) { $0.put($1.contentDigest) }
    parameters.add(.bytes, entries) { $0.put($1.chainHash) }
    parameters.add(.bytes, entries) { $0.put($1.change.entity.fields.bytes) }
    parameters.add(.int64, entries) { writer, entry in
      if let editedAt = entry.change.editedAt { writer.put(editedAt.rawValue) } else { writer.putNull() }
    }
    queue(.logAppend, parameters)
  }

  /// Makes the heads of first versions and moves the others, each once: to its entity's last version.
  private func moveHeads(_ changes: [Change], in space: SpaceID) throws {
    var places: [EntityKey: Int] = [:]
    var heads: [(entity: Entity, isNew: Bool)] = []
    for change in changes {
      let isFirst = change.previous == .zero
      if let place = places[change.entity.key] {
        guard !isFirst else { throw refuse("the entity \(change.entity.key.type)/\(change.entity.key.id) has a head already") }
        heads[place].entity = change.entity
      } else {
        places[change.entity.key] = heads.count
        heads.append((change.entity, isFirst))
      }
    }
    queueHeads(.headInsert, heads.filter(\.isNew).map(\.entity), in: space)
    queueHeads(.headMove, heads.filter { !$0.isNew }.map(\.entity), in: space)
  }

  private func queueHeads(_ sql: SQL, _ entities: [Entity], in space: SpaceID) {
    guard !entities.isEmpty else { return }
    var parameters = Parameters(space)
    parameters.add(.text, entities) { $0.put($1.key.type.text) }
    parameters.add(.bytes, entities) { $0.put($1.key.id) }
    parameters.add(.int64, entities) { $0.put($1.version) }
    parameters.add(.int64, entities) { $0.put($1.revision) }
    parameters.add(.int16, entities) { $0.put(Int16($1.life.rawValue)) }
    queue(sql, parameters) { (rows) throws(StoreError) in
      guard rows.affected == entities.count else {
        throw StoreError.corrupt("\(entities.count - rows.affected) entities have no head to move")
      }
    }
  }

  func insertReceipts(_ receipts: [Receipt], of principal: PrincipalName, in space: SpaceID, at: Timestamp) throws {
    guard !receipts.isEmpty else { return }
    var parameters = Parameters(space)
    parameters.add(principal.text)
    parameters.add(at)
    parameters.add(.bytes, receipts) { $0.put($1.operation.rawValue) }
    parameters.add(.bytes, receipts) { $0.put($1.content) }
    parameters.add(.int16, receipts) { $0.put(Int16($1.code.rawValue)) }
    parameters.add(.int64, receipts) { if let version = $1.version { $0.put(version) } else { $0.putNull() } }
    parameters.add(.int64, receipts) { if let revision = $1.revision { $0.put(revision) } else { $0.putNull() } }
    parameters.add(.int64, receipts) { $0.put(RowChecksum.of($1, space: space, principal: principal, at: at)) }
    queue(.receiptInsert, parameters)
  }
}
