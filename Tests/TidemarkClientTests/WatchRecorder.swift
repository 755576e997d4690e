import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkWire

@testable import TidemarkClient

/// Records what one watcher of changes sees, over as many streams as it takes, and says whether the six promises held: ordered, unique, reliable,
/// atomic, resumable, bookmarked.
final class WatchRecorder: Sendable {
  struct Record {
    var items: [FeedItem] = []
    var cursor: [UInt8]?
    /// The place of each page, in order.
    var positions: [Revision] = []
    var bookmarks = 0
    var deadState: CursorState?
  }

  private let record = Mutex(Record())

  var now: Record { record.withLock { $0 } }

  /// Watches until a revision was reached, or `pagesMax` pages came. Then the stream is cut.
  func watch(
    _ space: SpaceClient, filter: FeedFilter = .all, until revision: Revision, pagesMax: Int = .max, isSlow: Bool = false
  ) async throws {
    var pages = 0
    let cursor = record.withLock { $0.cursor }
    for try await page in space.watch(.changes, filter: filter, after: cursor, heartbeat: .milliseconds(1_000)) {
      pages += 1
      let isDone = record.withLock { record in
        guard page.cursorState == .ok else {
          record.deadState = page.cursorState
          return true
        }
        record.items += page.items
        record.cursor = page.cursor
        record.positions.append(page.position)
        if page.items.isEmpty { record.bookmarks += 1 }
        return page.position >= revision || pages >= pagesMax
      }
      if isDone { return }
      // Calls of its own, before it takes the next page.
      if isSlow { for _ in 0..<5 { _ = try await space.describe() } }
    }
  }

  /// Compares with the log as it is read by a pull from the beginning.
  func check(_ space: SpaceClient, filter: FeedFilter = .all, _ what: String) async throws {
    var wanted: [FeedItem] = []
    var cursor: [UInt8]?
    while true {
      let page = try await space.pull(.changes, filter: filter, after: cursor)
      wanted += page.items
      cursor = page.cursor
      if page.isCaughtUp { break }
    }
    let record = now
    #expect(record.positions == record.positions.sorted(), "\(what): places go back")
    #expect(record.items.map(\.entity.revision) == wanted.map(\.entity.revision), "\(what): not each change once and in order")
    #expect(record.items == wanted, "\(what): the changes differ")
    // Page after page: no group lies across two.
    #expect(record.items.last?.story?.goesOn != true, "\(what): a group was cut")
  }
}
