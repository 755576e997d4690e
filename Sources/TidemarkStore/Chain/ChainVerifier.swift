public import TidemarkCore

/// Walks a space's log and heads and finds what does not verify: changed, missing or unreadable entries, heads that do not
/// follow the log, receipts that do not tell of their change, and a space that does not match its log.
///
/// Receipts of writes that changed nothing are in no log; each of them is checked by the engine when it is read.
///
/// The walk goes in steps, each on a snapshot of its own, so that it runs beside writes for as long as it needs. What is
/// committed during the walk is walked too.
public struct ChainVerifier: Sendable {
  /// What was found at one place.
  public struct Fault: Hashable, Sendable {
    public enum Kind: String, Sendable {
      /// The fields are not those that were committed.
      case contentDigest = "content_digest"
      /// The metadata, or what came before, is not what was committed.
      case chainHash = "chain_hash"
      /// A revision is not there.
      case missingChange = "missing_change"
      /// The version does not follow the one before it.
      case versionGap = "version_gap"
      /// The head of an entity is missing, or is not its latest change.
      case head = "head"
      /// The receipt of a change is missing, damaged, or tells of another one.
      case receipt = "receipt"
      /// The counters of the space are not those of its log, or its schema is missing or damaged.
      case space = "space"
      /// A unique key that an entity has is held by nobody or by another, or one is held that the entity does not have.
      case key = "key"
      /// A reference of an entity is not known to its target, or one is known that the entity does not have.
      case reference = "reference"
      /// A row does not decode.
      case unreadable = "unreadable"
    }

    public var revision: Revision
    public var key: EntityKey?
    public var kind: Kind

    /// - Parameter revision: of the change; of the entity's latest version, or 0, where no change is at fault.
    public init(revision: Revision, key: EntityKey?, kind: Kind) {
      self.revision = revision
      self.key = key
      self.kind = kind
    }
  }

  /// The most faults that are kept.
  public static let faultsMax = 100

  public let name: SpaceName
  /// The faults found so far, at most `faultsMax`.
  public private(set) var faults: [Fault] = []
  /// The changes checked so far.
  public private(set) var changesChecked: UInt64 = 0
  /// The changes there are to check, as of the last step.
  public private(set) var changesTotal: UInt64 = 0
  private var phase = Phase.log
  private var position = Revision.zero
  /// The chain hash of the entry at `position`; `nil` when that entry is missing or unreadable.
  private var hash: Digest32?
  private var hasBegun = false
  /// True while no entry was missing or unreadable.
  private var isLogWhole = true
  /// How many entities are alive after the entries walked so far.
  private var aliveCount: UInt64 = 0
  /// When the entry at `position` was made; `nil` when that entry is missing or unreadable.
  private var changedAt: Timestamp?
  private var lastHead: EntityKey?
  private var epoch: Epoch?

  private enum Phase { case log, heads, done }

  public init(space name: SpaceName) { self.name = name }

  /// True when everything was walked.
  public var isDone: Bool { phase == .done }

  /// Walks up to `limit` more entries or heads.
  ///
  /// - Returns: false when the space is not there (any more).
  /// - Throws: what the store throws when it cannot be read. Damage of single rows is a fault, not an error.
  public mutating func step(_ snapshot: any StoreSnapshot, limit: Int) throws -> Bool {
    guard let record = try snapshot.space(named: name), epoch == nil || epoch == record.epoch else { return false }
    epoch = record.epoch
    if !hasBegun {
      hash = Chain.genesis(record.epoch)
      hasBegun = true
    }
    changesTotal = record.revision.rawValue
    switch phase {
    case .log: try walkLog(snapshot, record, limit)
    case .heads: try walkHeads(snapshot, record, limit)
    case .done: break
    }
    return true
  }

  private mutating func walkLog(_ snapshot: any StoreSnapshot, _ record: SpaceRecord, _ limit: Int) throws {
    let rows = try snapshot.logRows(after: position, in: record.id, limit: limit)
    for row in rows {
      // A damaged index can lead back to where the walk has been.
      guard row.revision > position else { return endLog(record, at: row.revision) }
      noteMissing(until: row.revision)
      switch row {
      case .damaged(let revision):
        note(Fault(revision: revision, key: nil, kind: .unreadable))
        loseTrack()
      case .intact(let entry): try check(entry, snapshot, record)
      }
      position = row.revision
      changesChecked &+= 1
    }
    guard rows.count < limit else { return }
    noteMissing(until: record.revision.next)
    try checkSpace(snapshot, record)
    phase = .heads
  }

  /// Goes on with the heads when the log cannot be walked to its end.
  private mutating func endLog(_ record: SpaceRecord, at revision: Revision) {
    note(Fault(revision: revision, key: nil, kind: .unreadable))
    loseTrack()
    phase = .heads
  }

  /// Compares the space with its log, all of which was walked.
  private mutating func checkSpace(_ snapshot: any StoreSnapshot, _ record: SpaceRecord) throws {
    if let hash, hash != record.chainHash, position == record.revision {
      note(Fault(revision: record.revision, key: nil, kind: .chainHash))
    }
    let changedAt = position == .zero ? record.createdAt : changedAt
    let floors = [record.historyFloor, record.feedFloor, record.fence, record.receiptFloor]
    guard
      try position != record.revision || changedAt ?? record.changedAt != record.changedAt
        || (isLogWhole && aliveCount != record.aliveCount) || floors.contains(where: { $0 > record.revision })
        || !hasSchema(snapshot, record)
    else { return }
    note(Fault(revision: min(position, record.revision), key: nil, kind: .space))
  }

  /// Whether the schema that a space says is in force is there.
  private func hasSchema(_ snapshot: any StoreSnapshot, _ record: SpaceRecord) throws -> Bool {
    guard record.schemaVersion > 0 else { return true }
    do { return try snapshot.schema(version: record.schemaVersion, in: record.id) != nil } catch let error as StoreError
      where error.code == .corrupt
    { return false }
  }

  private mutating func loseTrack() {
    hash = nil
    changedAt = nil
    isLogWhole = false
  }

  private mutating func noteMissing(until revision: Revision) {
    let expected = position.next
    guard revision > expected else { return }
    note(Fault(revision: expected, key: nil, kind: .missingChange))
    loseTrack()
    position = Revision(rawValue: revision.rawValue &- 1)
  }

  private mutating func check(_ entry: LogEntry, _ snapshot: any StoreSnapshot, _ record: SpaceRecord) throws {
    let entity = entry.change.entity
    if Chain.contentDigest(salt: entry.salt, fields: entity.fields) != entry.contentDigest {
      note(Fault(revision: entity.revision, key: entity.key, kind: .contentDigest))
    }
    if let hash, Chain.hash(after: hash, entry.change, contentDigest: entry.contentDigest) != entry.chainHash {
      note(Fault(revision: entity.revision, key: entity.key, kind: .chainHash))
    }
    hash = entry.chainHash
    changedAt = entity.updated.at
    switch entry.change.kind {
    case .create, .restore: aliveCount &+= 1
    case .delete: aliveCount &-= 1
    case .update, .replace, .purge: break
    }
    if try !continuesVersions(entry.change, snapshot, record.id) {
      note(Fault(revision: entity.revision, key: entity.key, kind: .versionGap))
    }
    if try !hasHead(entry.change, snapshot, record.id) {
      note(Fault(revision: entity.revision, key: entity.key, kind: .head))
    }
    if try !hasReceipt(entry.change, snapshot, record) {
      note(Fault(revision: entity.revision, key: entity.key, kind: .receipt))
    }
  }

  /// Whether the head of a change's entity is there and not behind the change. `walkHeads` finds one that contradicts the log.
  private func hasHead(_ change: Change, _ snapshot: any StoreSnapshot, _ space: SpaceID) throws -> Bool {
    do {
      guard let head = try snapshot.entities([change.entity.key], in: space).first ?? nil else { return change.previous != .zero }
      return head.version >= change.entity.version
    } catch let error as StoreError where error.code == .corrupt { return true }
  }

  /// Whether the receipt of a change tells of it. Receipts at or below the floor may be gone, and a purge leaves none. That of a
  /// cascaded change tells of the delete it follows from, and is checked there.
  private func hasReceipt(_ change: Change, _ snapshot: any StoreSnapshot, _ record: SpaceRecord) throws -> Bool {
    let entity = change.entity
    guard entity.revision > record.receiptFloor, change.kind != .purge, change.manner != .cascaded else { return true }
    do {
      guard let receipt = try snapshot.receipts([change.operation], of: entity.updated.by, in: record.id).first ?? nil else {
        return false
      }
      return (receipt.code == .applied || receipt.code == .merged) && receipt.version == entity.version
        && receipt.revision == entity.revision
    } catch let error as StoreError where error.code == .corrupt { return false }
  }

  private func continuesVersions(_ change: Change, _ snapshot: any StoreSnapshot, _ space: SpaceID) throws -> Bool {
    guard change.previous != .zero else { return change.entity.version == .first }
    guard change.previous < change.entity.revision else { return false }
    let before = try snapshot.logRows(after: Revision(rawValue: change.previous.rawValue &- 1), in: space, limit: 1).first
    // A previous entry that is missing or damaged is a fault of its own, unless it was there when it was walked.
    guard case .intact(let entry) = before, entry.change.entity.revision == change.previous else { return !isLogWhole }
    return entry.change.entity.key == change.entity.key && entry.change.entity.version.next == change.entity.version
  }

  private mutating func walkHeads(_ snapshot: any StoreSnapshot, _ record: SpaceRecord, _ limit: Int) throws {
    let heads = try snapshot.heads(after: lastHead, in: record.id, limit: limit)
    for head in heads {
      // A damaged index can lead back to where the walk has been.
      if let lastHead, head.key <= lastHead {
        note(Fault(revision: head.revision, key: head.key, kind: .head))
        phase = .done
        return
      }
      lastHead = head.key
      let row =
        head.revision == .zero
        ? nil : try snapshot.logRows(after: Revision(rawValue: head.revision.rawValue &- 1), in: record.id, limit: 1).first
      if case .damaged = row { continue }
      guard case .intact(let entry) = row, entry.change.entity.revision == head.revision, entry.change.entity.key == head.key,
        entry.change.entity.version == head.version, entry.change.entity.life == head.life
      else {
        note(Fault(revision: head.revision, key: head.key, kind: .head))
        continue
      }
    }
    if heads.count < limit { phase = .done }
  }

  private mutating func note(_ fault: Fault) {
    if faults.count < ChainVerifier.faultsMax { faults.append(fault) }
  }
}
