internal import TidemarkCore

/// Judges many requests in one transaction and stores what came of them.
///
/// The results come in the order of the requests. Requests of one space share one judge, so each sees what the ones before it did.
struct BatchTransaction {
  let transaction: any StoreTransaction
  let now: Timestamp

  /// How much a batch may still load and make, in bytes of fields: a batch of small requests may be about many large entities.
  struct Room {
    var loaded = 16 * 1024 * 1024
    var made = 16 * 1024 * 1024
  }

  /// The results, and how many changes were stored. A result is `nil` when the request was left because there is no more room.
  func run(_ requests: [WriteSubmission], random: inout any RandomNumberGenerator) throws -> (
    results: [WriteResult?], changes: Int
  ) {
    var results = [WriteResult?](repeating: .unknownSpace, count: requests.count)
    var room = Room()
    var changes = 0
    for (space, indices) in group(requests) {
      let part = try run(indices.map { requests[$0] }, in: space, &room, random: &random)
      for (index, result) in zip(indices, part.results) { results[index] = result }
      changes += part.changes
    }
    return (results, changes)
  }

  private func run(
    _ requests: [WriteSubmission], in space: SpaceName, _ room: inout Room, random: inout any RandomNumberGenerator
  ) throws -> (results: [WriteResult?], changes: Int) {
    guard let record = try transaction.space(named: space) else { return (requests.map { _ in .unknownSpace }, 0) }
    var batch = try SpaceBatch(record, requests, transaction, now: now, &room, random: &random)
    if let results = try batch.run(transaction, &room, random: &random) {
      let left = [WriteResult?](repeating: nil, count: requests.count - results.count)
      return (results + left, batch.changeCount)
    }
    guard requests.count > 1 else { return (requests.map { _ in .revisionsUsedUp }, 0) }
    // Each is judged alone, so that those that need no revision are answered, a retry of what was applied among them.
    room = Room()
    let single = try requests.map { try run([$0], in: space, &room, random: &random) }
    return (single.flatMap(\.results), single.reduce(0) { $0 + $1.changes })
  }

  /// The indices of the requests of each space, in order of first appearance.
  private func group(_ requests: [WriteSubmission]) -> [(SpaceName, [Int])] {
    var groups: [(SpaceName, [Int])] = []
    for (index, request) in requests.enumerated() {
      if let known = groups.firstIndex(where: { $0.0 == request.space }) {
        groups[known].1.append(index)
      } else {
        groups.append((request.space, [index]))
      }
    }
    return groups
  }
}

/// The part of a batch that goes to one space.
private struct SpaceBatch {
  private var record: SpaceRecord
  private let requests: [WriteSubmission]
  private let now: Timestamp
  /// For each request, what each item needs besides itself.
  private let prepared: [[PreparedItem]]
  private var judge: SpaceJudge
  private var changes: [Change] = []
  private var receipts: [PrincipalName: [Receipt]] = [:]

  private struct PreparedItem {
    var id: EntityID
    var content: Digest32
  }

  var changeCount: Int { changes.count }

  init(
    _ record: SpaceRecord, _ submitted: [WriteSubmission], _ transaction: any StoreTransaction, now: Timestamp,
    _ room: inout BatchTransaction.Room, random: inout any RandomNumberGenerator
  ) throws {
    self.record = record
    self.now = max(now, record.changedAt)
    var prepared: [[PreparedItem]] = []
    prepared.reserveCapacity(submitted.count)
    for request in submitted {
      prepared.append(
        try zip(request.items, request.contents).map { item, content in
          PreparedItem(id: try item.id ?? makeID(now, &random), content: content)
        })
    }
    let (entities, count) = try SpaceBatch.load(record, submitted, prepared, transaction, &room)
    let isWhole = count == submitted.count
    requests = isWhole ? submitted : Array(submitted.prefix(count))
    self.prepared = isWhole ? prepared : Array(prepared.prefix(count))
    judge = try SpaceBatch.makeJudge(record, requests, entities, transaction, now: self.now)
  }

  private static let requestsPerLoad = 8
  /// With more room than this, what is loaded is not looked for before it is loaded again.
  private static let loadedTwiceMin = 14 * 1024 * 1024

  /// The latest entities that the first requests name, and how many requests these are: as many as there is room for.
  private static func load(
    _ record: SpaceRecord, _ requests: [WriteSubmission], _ prepared: [[PreparedItem]], _ transaction: any StoreTransaction,
    _ room: inout BatchTransaction.Room
  ) throws -> (entities: [EntityKey: Entity], count: Int) {
    var entities: [EntityKey: Entity] = [:]
    entities.reserveCapacity(requests.count)
    var count = 0
    var keys: [EntityKey] = []
    while count < requests.count, room.loaded > 0 {
      let end = min(count + requestsPerLoad, requests.count)
      keys.removeAll(keepingCapacity: true)
      for index in count..<end where requests[index].principal.can(.writer, in: record.name) {
        for (item, extra) in zip(requests[index].items, prepared[index]) {
          let key = EntityKey(type: item.type, id: extra.id)
          // A large one is not loaded twice.
          if room.loaded > loadedTwiceMin || entities[key] == nil { keys.append(key) }
        }
      }
      for case let entity? in try transaction.entities(keys, in: record.id) {
        entities[entity.key] = entity
        room.loaded -= entity.fields.bytes.count
      }
      count = end
    }
    return (entities, count)
  }

  private static func makeJudge(
    _ record: SpaceRecord, _ requests: [WriteSubmission], _ entities: [EntityKey: Entity], _ transaction: any StoreTransaction,
    now: Timestamp
  ) throws -> SpaceJudge {
    var operations: [PrincipalName: [OperationID]] = [:]
    for request in requests where request.principal.can(.writer, in: record.name) {
      for item in request.items { operations[request.principal.name, default: []].append(item.operation) }
    }
    let context = SpaceJudge.Context(
      space: record.name, epoch: record.epoch, revision: record.revision, receiptFloor: record.receiptFloor,
      fence: record.fence, now: now)
    var judge = SpaceJudge(context: context, entities: entities)
    for (principal, ids) in operations {
      judge.add(try transaction.receipts(ids, of: principal, in: record.id).compactMap { $0 }, of: principal)
    }
    return judge
  }

  /// - Returns: the results of the first requests, of as many as there was room for; `nil` when the space has fewer revisions left than
  ///   they need. Nothing was stored then.
  mutating func run(
    _ transaction: any StoreTransaction, _ room: inout BatchTransaction.Room, random: inout any RandomNumberGenerator
  ) throws -> [WriteResult]? {
    var verdicts: [[SpaceJudge.Verdict]] = []
    verdicts.reserveCapacity(requests.count)
    for (request, extras) in zip(requests, prepared) {
      guard room.made > 0 else { break }
      verdicts.append(judgeItems(of: request, extras, &room))
    }
    if let last = changes.last, last.entity.revision.rawValue > Limits.revisionMax { return nil }
    try store(transaction, random: &random)
    return try zip(requests, verdicts).map { request, verdicts in
      try result(of: request, verdicts, transaction)
    }
  }

  private mutating func judgeItems(
    of request: WriteSubmission, _ extras: [PreparedItem], _ room: inout BatchTransaction.Room
  ) -> [SpaceJudge.Verdict] {
    zip(request.items, extras).map { item, extra in
      let verdict = judge.judge(item, id: extra.id, content: extra.content, by: request.principal)
      if case .judged(_, let change, let receipt) = verdict {
        if let change {
          changes.append(change)
          room.made -= change.entity.fields.bytes.count
        }
        if let receipt { receipts[request.principal.name, default: []].append(receipt) }
      }
      return verdict
    }
  }

  private mutating func store(_ transaction: any StoreTransaction, random: inout any RandomNumberGenerator) throws {
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
    }
    for (principal, made) in receipts {
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

  private func result(
    of request: WriteSubmission, _ verdicts: [SpaceJudge.Verdict], _ transaction: any StoreTransaction
  ) throws -> WriteResult {
    var outcomes: [Outcome] = []
    outcomes.reserveCapacity(verdicts.count)
    for (item, verdict) in zip(request.items, verdicts) {
      var outcome: Outcome
      switch verdict {
      case .judged(let judged, _, _): outcome = judged
      case .replay(let receipt): outcome = try replay(receipt, of: item, transaction)
      case .corrupt:
        // Undoes the transaction: the other items of the request were judged, too, and a request with damage does nothing.
        throw StoreError(.corrupt, "the fields of the entity \(item.type)/\(item.id?.text ?? "") do not decode")
      }
      if let entity = outcome.entity, entity.fields.bytes.count > request.entityBytesMax { outcome.entity = nil }
      outcomes.append(outcome)
    }
    return .outcomes(outcomes)
  }

  /// Tells again what a receipt says, with the entity as that write left it or found it.
  private func replay(_ receipt: Receipt, of item: WriteItem, _ transaction: any StoreTransaction) throws -> Outcome {
    let entry = try receipt.revision.flatMap { try transaction.logEntry(at: $0, in: record.id) }
    let entity = entry?.change.entity
    let wasApplied = receipt.code == .applied || receipt.code == .merged
    return Outcome(
      code: receipt.code, type: item.type, id: entity?.key.id ?? item.id, operation: item.operation, version: receipt.version,
      revision: receipt.revision, epoch: record.epoch, appliedAt: wasApplied ? entity?.updated.at : nil, entity: entity,
      message: receipt.code.isSuccess ? "" : "This write was refused before.", isReplay: true)
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
