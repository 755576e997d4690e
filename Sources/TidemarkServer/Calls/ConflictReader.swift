internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// Reads the story of a conflict after the commit that refused the write, on a reader's thread.
enum ConflictReader {
  /// The most versions between the expected and the current one that are looked through.
  static let versionsMax = 256
  /// The most bytes of fields that these versions may have together.
  static let pastBytesMax = 16 * 1024 * 1024
  private static let versionsPerRead = 4

  /// The outcome with its story, told from the state as it is now: it may be newer than the one that refused the write, and is consistent in itself.
  ///
  /// What cannot be read is left out; the outcome itself stays.
  static func outcome(
    _ refused: Outcome, _ key: EntityKey, _ space: SpaceName, _ action: WriteAction,
    _ snapshot: Result<any StoreSnapshot, StoreError>
  ) -> Outcome {
    var outcome = refused
    var conflict = Conflict(expected: action.expected, current: nil, isTruncated: true)
    if let snapshot = try? snapshot.get(), let record = try? snapshot.space(named: space), record.epoch == refused.epoch,
      let now = try? snapshot.entities([key], in: record.id).first ?? nil
    {
      conflict = Conflict(expected: action.expected, current: now)
      if refused.followsState { (outcome.version, outcome.revision) = (now.version, now.revision) }
      if refused.code == .conflict, let expected = action.expected,
        let past = try? past(of: now, downTo: expected.version, in: record.id, snapshot),
        let story = try? ConflictStory.make(for: action, current: now, past: past)
      {
        conflict = story
      }
    }
    outcome.conflict = conflict.fitted()
    return outcome
  }

  /// The versions of an entity before `now`, newest first, down to a version: fewer when they are too many or too large.
  private static func past(
    of now: Entity, downTo version: EntityVersion, in space: SpaceID, _ snapshot: any StoreSnapshot
  ) throws -> [Entity] {
    var past: [Entity] = []
    var bytes = 0
    var oldest = now
    while oldest.version > version, past.count < versionsMax, bytes < pastBytesMax {
      let more = try snapshot.past(of: oldest, downTo: version, limit: versionsPerRead, in: space)
      guard let last = more.last else { break }
      past += more
      bytes += more.reduce(0) { $0 + $1.fields.bytes.count }
      oldest = last
    }
    return past
  }
}

extension Outcome {
  /// Whether its version and revision become those of the state that is told, which may be newer than the one that refused the write.
  /// What was answered once, and says what it found, keeps saying so.
  var followsState: Bool { !isReplay || code == .conflict }
}

extension Conflict {
  /// The story in at most `bytesMax` bytes: first without base, then without current, then without changes.
  func fitted(bytesMax: Int = WireLimits.messageBytesMax - 64 * 1024) -> Conflict {
    var conflict = self
    if conflict.estimatedSize > bytesMax, conflict.base != nil {
      conflict.base = nil
      conflict.isTruncated = true
    }
    if conflict.estimatedSize > bytesMax, conflict.current != nil {
      conflict.current = nil
      conflict.isTruncated = true
    }
    if conflict.estimatedSize > bytesMax {
      conflict.changes = []
      conflict.isTruncated = true
    }
    return conflict
  }

  /// About the memory of the story, in bytes.
  var heldBytes: Int { estimatedSize }

  /// An upper bound of the encoded size.
  private var estimatedSize: Int {
    let entities = [current, base].compactMap { $0 }.reduce(0) { $0 + $1.fields.bytes.count + 1024 }
    let values = changes.reduce(0) { sum, change in
      let both = [change.before, change.after].compactMap { $0 }
      let fields = both.compactMap { try? Fields([Field(change.name, $0)]) }
      return sum + 512 + fields.reduce(0) { $0 + CanonicalFields($1).bytes.count }
    }
    return entities + values + overlapping.reduce(0) { $0 + $1.text.utf8.count + 4 }
  }
}
