internal import TidemarkCore
internal import TidemarkStore

/// The last changes of one space, for all who stand at the end of its feed: read once, however many they are. A value.
///
/// Bounded by bytes and count. What falls out at the front is read again from the store by those who still need it; nobody is skipped.
struct FeedRing {
  /// The most bytes of fields, and the most changes.
  static let bytesMax = 1 << 20
  static let changesMax = 1_024

  /// The epoch of the space.
  let epoch: Epoch
  /// The changes behind this revision are here, ...
  private(set) var start: Revision
  /// ... up to this one.
  private(set) var end: Revision
  private var changes: [Change] = []
  private var bytes = 0

  /// An empty ring at a revision.
  init(at revision: Revision, epoch: Epoch) {
    start = revision
    end = revision
    self.epoch = epoch
  }

  /// Takes the changes behind `end`, up to the end of a commit.
  mutating func append(_ page: ChangePage) {
    guard page.through > end else { return }
    for change in page.changes where change.entity.revision > end {
      changes.append(change)
      bytes += change.entity.fields.bytes.count
    }
    end = page.through
    var dropped = 0
    while bytes > FeedRing.bytesMax || changes.count - dropped > FeedRing.changesMax {
      bytes -= changes[dropped].entity.fields.bytes.count
      start = changes[dropped].entity.revision
      dropped += 1
    }
    changes.removeFirst(dropped)
  }

  /// Forgets everything: the next changes come behind this revision.
  mutating func restart(at revision: Revision) { self = FeedRing(at: revision, epoch: epoch) }

  /// The changes behind a revision; `nil` when some of them are not here any more, or not yet.
  func changes(after revision: Revision) -> ArraySlice<Change>? {
    guard revision >= start, revision <= end else { return nil }
    // Revisions have no gaps.
    return changes.suffix(Int(clamping: end.rawValue - revision.rawValue))
  }
}
