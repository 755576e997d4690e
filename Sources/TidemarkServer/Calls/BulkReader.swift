internal import TidemarkCore
internal import TidemarkStore

/// Fills in the outcomes of a bulk after its commit, on a reader's thread and from one state: the stories of conflicts, and entities.
///
/// What cannot be read, or does not fit, is left out; the outcomes themselves stay.
struct BulkReader {
  /// The most versions that are looked through for one conflict, and for all of a bulk.
  static let versionsMax = ConflictReader.versionsMax
  static let versionsPerBulkMax = 4_096
  /// The most bytes of fields that the versions between the expected and the current one may have.
  private static let pastBytesMax = 16 * 1024 * 1024
  /// The bytes of fields after which no further version is looked through for a bulk.
  private static let pastBytesPerBulkMax = 64 * 1024 * 1024
  private static let versionsPerRead = 4

  private let work: BulkWork
  private var answer: BulkAnswer
  private var versionsLeft = versionsPerBulkMax
  private var bytesLeft = pastBytesPerBulkMax

  /// - Parameter outcomes: in the order of the items.
  init(_ work: BulkWork, _ outcomes: [Outcome]) {
    self.work = work
    answer = BulkAnswer(outcomes.map { BulkReader.unread($0, work) })
  }

  /// Whether there is something to read.
  static func isNeeded(_ outcome: Outcome, _ index: Int, _ work: BulkWork) -> Bool {
    guard outcome.code.isSuccess else { return outcome.tellsState }
    return work.showsEntity(index) && !work.validatesOnly && outcome.revision != nil
  }

  /// An outcome before anything was read for it.
  private static func unread(_ outcome: Outcome, _ work: BulkWork) -> Outcome {
    var outcome = outcome
    // What only would become of it is in no store: it comes with the outcome or not at all.
    if !work.validatesOnly || !outcome.code.isSuccess { outcome.entity = nil }
    return outcome
  }

  /// The outcomes, filled in.
  ///
  /// - Parameter snapshot: `nil` when the store cannot be read now.
  mutating func run(_ snapshot: (any StoreSnapshot)?) -> (outcomes: [Outcome], revision: Revision?) {
    let record = try? snapshot?.space(named: work.space)
    for index in answer.outcomes.indices where BulkReader.isNeeded(answer.outcomes[index], index, work) {
      var outcome = answer.outcomes[index]
      if let snapshot, let record, record.epoch == outcome.epoch {
        if outcome.code.isSuccess {
          guard answer.cut < .entities else { continue }
          outcome.entity = outcome.revision.flatMap { try? snapshot.logEntry(at: $0, in: record.id)?.change.entity }
        } else {
          let conflict = story(of: outcome, work.items[index], snapshot, record.id)
          outcome.conflict = conflict
          // It may be newer than the state that refused the write.
          if let now = conflict.current, outcome.followsState {
            (outcome.version, outcome.revision) = (now.version, now.revision)
          }
        }
      } else if !outcome.code.isSuccess {
        outcome.conflict = Conflict(expected: expected(work.items[index]), current: nil, isTruncated: true)
      }
      answer.replace(index, with: outcome)
    }
    return (answer.outcomes, answer.outcomes.first.flatMap { $0.epoch == record?.epoch ? record?.revision : nil })
  }

  /// The state that an item was made against.
  private func expected(_ item: WriteItem) -> Expected? {
    guard let before = item.afterItem else { return item.action.expected }
    guard answer.outcomes.indices.contains(before) else { return nil }
    let outcome = answer.outcomes[before]
    return outcome.version.map { Expected(version: $0, revision: outcome.revision, epoch: outcome.epoch) }
  }

  private mutating func story(
    of outcome: Outcome, _ item: WriteItem, _ snapshot: any StoreSnapshot, _ space: SpaceID
  ) -> Conflict {
    let stated = expected(item)
    var conflict = Conflict(expected: stated, current: nil, isTruncated: true)
    guard answer.cut < .changes, let id = outcome.id,
      let now = try? snapshot.entities([EntityKey(type: outcome.type, id: id)], in: space).first ?? nil,
      // Of what only would be there, nothing is stored.
      outcome.version.map({ now.version >= $0 }) ?? true
    else { return conflict }
    conflict = Conflict(expected: stated, current: now)
    guard outcome.code == .conflict, item.afterItem == nil, let expected = stated,
      let past = try? past(of: now, downTo: expected.version, in: space, snapshot),
      let story = try? ConflictStory.make(for: item.action, current: now, past: past)
    else { return conflict }
    return story
  }

  /// The versions of an entity before `now`, newest first, down to a version: fewer when they are too many or too large.
  private mutating func past(
    of now: Entity, downTo version: EntityVersion, in space: SpaceID, _ snapshot: any StoreSnapshot
  ) throws -> [Entity] {
    var past: [Entity] = []
    var bytes = 0
    var oldest = now
    while oldest.version > version, past.count < BulkReader.versionsMax, bytes < BulkReader.pastBytesMax,
      versionsLeft > 0, bytesLeft > 0
    {
      let more = try snapshot.past(of: oldest, downTo: version, limit: BulkReader.versionsPerRead, in: space)
      guard let last = more.last else { break }
      past += more
      versionsLeft -= more.count
      let read = more.reduce(0) { $0 + $1.fields.bytes.count }
      bytes += read
      bytesLeft -= read
      oldest = last
    }
    return past
  }
}

extension Outcome {
  /// Whether the answer to a write that failed tells the state of the entity.
  fileprivate var tellsState: Bool {
    switch code {
    case .conflict, .notFound, .alreadyExists, .purged, .epochChanged: id != nil && version != nil
    case .applied, .unchanged, .merged, .uniqueViolation, .referenceViolation, .invalid, .forbidden, .vetoed, .receiptExpired,
      .aborted:
      false
    }
  }
}
