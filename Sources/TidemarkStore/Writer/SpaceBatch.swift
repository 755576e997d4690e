public import TidemarkCore

/// The part of a batch that goes to one space.
struct SpaceBatch {
  private var record: SpaceRecord
  private let transaction: any StoreTransaction
  private let requests: [WriteSubmission]
  private let now: Timestamp
  /// For each request, the ids of its entities.
  private let ids: [[EntityID]]
  private var judge: SpaceJudge

  /// What was stored, in the order of the log.
  var changes: [Change] { judge.changes }

  init(
    _ record: SpaceRecord, _ schema: CompiledSchema?, _ submitted: [WriteSubmission], _ ids: [[EntityID]],
    _ transaction: any StoreTransaction, now: Timestamp, _ room: inout BatchTransaction.Room
  ) throws {
    self.record = record
    self.transaction = transaction
    self.now = max(now, record.changedAt)
    let (entities, count) = try SpaceBatch.load(record, submitted, ids, transaction, &room)
    requests = Array(submitted.prefix(count))
    self.ids = Array(ids.prefix(count))
    let context = SpaceJudge.Context(
      space: record.name, epoch: record.epoch, revision: record.revision, receiptFloor: record.receiptFloor,
      fence: record.fence, now: self.now, schema: schema)
    judge = SpaceJudge(
      context: context, entities: entities, itemCount: requests.reduce(0) { $0 + $1.items.count },
      source: TransactionSource(transaction, record.id))
    try addReceipts()
  }

  /// The ids that the items name; an item that follows another has its id, and a create without one gets one made here.
  static func ids(
    of items: [WriteItem], _ now: Timestamp, _ random: inout any RandomNumberGenerator
  ) throws -> [EntityID] {
    var ids: [EntityID] = []
    ids.reserveCapacity(items.count)
    for item in items {
      if let id = item.id {
        ids.append(id)
      } else if let before = item.afterItem, ids.indices.contains(before) {
        ids.append(ids[before])
      } else {
        ids.append(try makeID(now, &random))
      }
    }
    return ids
  }

  private static let requestsPerLoad = 8
  /// With more room than this, what is loaded is not looked for before it is loaded again.
  private static let loadedTwiceMin = 14 * 1024 * 1024

  /// The latest entities that the first requests name, and how many requests these are: as many as there is room for.
  ///
  /// A bulk is left to the judge, which looks up one entity after the other and stops when they get too many.
  private static func load(
    _ record: SpaceRecord, _ requests: [WriteSubmission], _ ids: [[EntityID]], _ transaction: any StoreTransaction,
    _ room: inout BatchTransaction.Room
  ) throws -> (entities: [EntityKey: Entity?], count: Int) {
    var entities: [EntityKey: Entity?] = [:]
    entities.reserveCapacity(requests.reduce(0) { $0 + ($1.items.count == 1 ? 1 : 0) })
    var count = 0
    var keys: [EntityKey] = []
    while count < requests.count, room.loaded > 0 {
      let end = min(count + requestsPerLoad, requests.count)
      keys.removeAll(keepingCapacity: true)
      for index in count..<end where requests[index].items.count == 1 {
        guard requests[index].principal.can(.writer, in: record.name) else { continue }
        let key = EntityKey(type: requests[index].items[0].type, id: ids[index][0])
        // A large one is not loaded twice.
        if room.loaded > loadedTwiceMin || entities[key] == nil { keys.append(key) }
      }
      for (key, entity) in zip(keys, try transaction.entities(keys, in: record.id)) {
        entities[key] = .some(entity)
        room.loaded -= entity?.fields.bytes.count ?? 0
      }
      count = end
    }
    return (entities, count)
  }

  private mutating func addReceipts() throws {
    var operations: [PrincipalName: [OperationID]] = [:]
    for request in requests where request.principal.can(.writer, in: record.name) {
      operations[request.principal.name, default: []].append(contentsOf: request.items.lazy.map { $0.operation })
    }
    for (principal, ids) in operations {
      judge.add(try transaction.receipts(ids, of: principal, in: record.id).compactMap { $0 }, of: principal)
    }
  }

  /// The results of the first requests: of as many as there was room for.
  ///
  /// - Returns: `nil` when the space has fewer revisions left than the requests need. Nothing was stored then.
  mutating func run(_ room: inout BatchTransaction.Room, random: inout any RandomNumberGenerator) throws -> [WriteResult]? {
    var verdicts: [[SpaceJudge.Verdict]] = []
    verdicts.reserveCapacity(requests.count)
    for (request, ids) in zip(requests, ids) {
      guard room.made > 0 else { break }
      let before = judge.bytes
      if request.isSingleWrite {
        verdicts.append([
          try judge.judge(request.items[0], id: ids[0], content: request.contents[0], by: request.principal)
        ])
      } else {
        verdicts.append(
          try judge.judge(
            Bulk(
              items: request.items, ids: ids, contents: request.contents, mode: request.mode,
              validatesOnly: request.validatesOnly, principal: request.principal)))
      }
      room.made -= judge.bytes - before
    }
    if judge.revision.rawValue > Limits.revisionMax { return nil }
    try store(random: &random)
    var results: [WriteResult] = []
    results.reserveCapacity(verdicts.count)
    for (index, verdicts) in verdicts.enumerated() { results.append(try result(of: requests[index], ids[index], verdicts)) }
    return results
  }

  private mutating func store(random: inout any RandomNumberGenerator) throws {
    let changes = judge.changes
    if let last = changes.last {
      var entries: [LogEntry] = []
      entries.reserveCapacity(changes.count)
      var hash = record.chainHash
      for change in changes {
        let entry = Chain.seal(change, after: hash, salt: Bytes16(high: random.next(), low: random.next()))
        hash = entry.chainHash
        entries.append(entry)
      }
      record.chainHash = hash
      record.revision = last.entity.revision
      record.changedAt = now
      record.aliveCount = changes.reduce(record.aliveCount, SpaceBatch.aliveCount)
      try transaction.append(entries, in: record.id)
      try transaction.updateSpace(record)
      if judge.hasSchema { try storeRelations() }
    }
    try storeReceipts()
  }

  private func storeRelations() throws {
    let keys = judge.keyMoves
    try transaction.moveKeys(released: keys.released, taken: keys.taken.map { (key: $0.0, holder: $0.1) }, in: record.id)
    let references = judge.referenceMoves
    try transaction.moveReferences(released: references.released, taken: references.taken, in: record.id)
  }

  private func storeReceipts() throws {
    var receipts: [PrincipalName: [Receipt]] = [:]
    let made = judge.receipts
    var start = 0
    while start < made.count {
      // Those of one request stand together.
      let principal = made[start].principal
      var end = start
      while end < made.count, made[end].principal == principal { end += 1 }
      receipts[principal, default: []].append(contentsOf: (start..<end).lazy.map { made[$0].receipt })
      start = end
    }
    // In one order always: the same batches make the same store.
    for (principal, made) in receipts.sorted(by: { $0.key < $1.key }) {
      try transaction.insertReceipts(made, of: principal, in: record.id, at: now)
    }
  }

  /// The number of alive entities after a change.
  private static func aliveCount(_ count: UInt64, _ change: Change) -> UInt64 {
    switch change.kind {
    case .create, .restore: count &+ 1
    case .delete: count &- 1
    case .update, .replace, .purge: count
    }
  }

  // MARK: Results

  private mutating func result(
    of request: WriteSubmission, _ ids: [EntityID], _ verdicts: [SpaceJudge.Verdict]
  ) throws -> WriteResult {
    let bytesMax = judge.bytes + Limits.bulkBytesMax
    var outcomes: [Outcome] = []
    outcomes.reserveCapacity(verdicts.count)
    for index in verdicts.indices {
      switch verdicts[index] {
      case .judged(let judged): outcomes.append(judged)
      case .replay(let receipt) where receipt.code.isSuccess:
        outcomes.append(
          try transaction.replay(
            receipt, type: request.items[index].type, id: request.items[index].id, in: record,
            showsEntity: request.entityBytesMax > 0))
      case .replay(let receipt):
        outcomes.append(
          try judge.replay(receipt, of: request.items[index], id: ids[index], by: request.principal, bytesMax: bytesMax))
      case .corrupt:
        let item = request.items[index]
        // Undoes the transaction: the other items of the request were judged, too, and a request with damage does nothing.
        throw StoreError(.corrupt, "the fields of the entity \(item.type)/\(item.id?.text ?? "") do not decode")
      }
      if !outcomes[index].code.isSuccess, request.items[index].id == nil, request.items[index].afterItem == nil {
        // An id that the server made is told only with the entity that has it.
        outcomes[index].id = nil
      }
      if request.entityBytesMax < outcomes[index].entity?.fields.bytes.count ?? 0 { outcomes[index].entity = nil }
    }
    return .outcomes(outcomes)
  }
}

extension StoreSnapshot {
  /// Tells again what a receipt says.
  ///
  /// - Parameters:
  ///   - type: the type that the write named, and `id` the id; what the log says goes before both.
  ///   - showsEntity: with the entity as that write left it or found it. Without, no fields are read.
  public func replay(
    _ receipt: Receipt, type: TypeName, id: EntityID?, in space: SpaceRecord, showsEntity: Bool
  ) throws -> Outcome {
    let entity = showsEntity ? try receipt.revision.flatMap { try logEntry(at: $0, in: space.id)?.change.entity } : nil
    let head = showsEntity ? nil : try receipt.revision.flatMap { try logHead(at: $0, in: space.id) }
    let key = entity?.key ?? head?.key
    let wasApplied = receipt.code == .applied || receipt.code == .merged
    return Outcome(
      code: receipt.code, type: key?.type ?? type, id: key?.id ?? id, operation: receipt.operation,
      version: receipt.version, revision: receipt.revision, epoch: space.epoch,
      appliedAt: wasApplied ? (entity?.updated ?? head?.changed)?.at : nil, entity: entity,
      message: receipt.code.refusedBefore, isReplay: true)
  }
}

/// The id of an entity whose creator named none.
private func makeID(_ now: Timestamp, _ random: inout any RandomNumberGenerator) throws -> EntityID {
  var source = AnyRandom(random)
  let text = UUIDText.format(UUIDText.makeVersion7(now: now, using: &source))
  random = source.base
  guard let id = EntityID(text) else { throw StoreError(.failed, "a UUID is not an id") }
  return id
}
