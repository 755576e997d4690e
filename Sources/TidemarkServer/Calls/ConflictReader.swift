internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// Reads the story of a conflict after the commit that refused the write, on a reader's thread.
enum ConflictReader {
  /// The most versions between the expected and the current one that are looked through.
  static let versionsMax = 256

  /// The outcome with its story, told from the state as it is now: it may be newer than the one that refused the write, and is consistent in itself.
  ///
  /// What cannot be read is left out; the outcome itself stays.
  static func outcome(
    _ refused: Outcome, _ current: Entity, _ space: SpaceName, _ action: WriteAction,
    _ snapshot: Result<any StoreSnapshot, StoreError>
  ) -> Outcome {
    var outcome = refused
    var conflict = Conflict(expected: action.expected, current: current)
    if let snapshot = try? snapshot.get(), let record = try? snapshot.space(named: space), record.epoch == refused.epoch,
      let now = try? snapshot.entities([current.key], in: record.id).first ?? nil
    {
      conflict.current = now
      outcome.version = now.version
      outcome.revision = now.revision
      if let expected = action.expected,
        let past = try? snapshot.past(of: now, downTo: expected.version, limit: versionsMax, in: record.id),
        let story = try? ConflictStory.make(for: action, current: now, past: past)
      {
        conflict = story
      }
    }
    outcome.conflict = conflict.fitted()
    return outcome
  }
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
