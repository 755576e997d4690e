internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// The watches of one loop: wakes those whose space moved, and hands those at the end of the log what all of them get, read and encoded once.
///
/// ```
/// commit ── board ──> wake ──> one read behind the ring's end ──> ring ──> each watch at the tail: its page, from the ring
///                                                                          those behind the ring: a read of their own
/// ```
final class WatchedSpaces {
  /// What the watches of one space share.
  private struct Shared {
    let name: SpaceName
    var watches: [LoopDispatcher.CallName: WatchCall] = [:]
    /// `nil` until a watch stands at the end.
    var ring: FeedRing?
    /// The latest revision that the board told.
    var latest = Revision.zero
    var isReading = false
    /// Pages of the ring as they are now. An entry is `nil` when there is nothing to tell.
    var pages: [PageKey: Page?] = [:]
    var pagesBytes = 0
  }

  /// What decides about a page of the ring, beside the cursor in it.
  struct PageKey: Hashable {
    var position: Revision
    var kind: FeedKind
    var filter: FeedFilter
  }

  /// The encoding of a page without its cursor.
  struct Page {
    var bytes: ByteBuffer
    var itemCount: Int
    /// About the memory of the page, in bytes.
    var size: Int
  }

  /// What a watch at the tail gets next.
  enum Next {
    /// It knows everything.
    case nothing
    /// `page` is `nil` when the filter takes nothing of what there is up to `through`.
    case page(Page?, through: Revision, epoch: Epoch)
    /// It has to read for itself.
    case behind
  }

  private unowned let dispatcher: LoopDispatcher
  private var listener: RevisionBoard.Listener?
  private var spaces: [SpaceID: Shared] = [:]
  private var ticking: Scheduled<Void>?
  /// The shortest silence of all watches, in milliseconds.
  private var heartbeatMin = Int.max
  /// The most bytes of pages that are kept for a space.
  private static let pagesBytesMax = 4 << 20
  /// Reads of rings take turns with those of connections.
  private static let lane = UInt64.max

  init(_ dispatcher: LoopDispatcher) { self.dispatcher = dispatcher }

  private var board: RevisionBoard { dispatcher.service.board }

  // MARK: Following

  /// Wakes a watch from now on when its space moves. Whatever a read finds that begins later, nothing behind it is missed.
  func follow(_ space: SpaceID, named name: SpaceName, _ watch: WatchCall) {
    let listener = self.listener ?? listen()
    self.listener = listener
    if spaces[space] == nil { board.follow(space, by: listener) }
    spaces[space, default: Shared(name: name)].watches[watch.name] = watch
    heartbeatMin = min(heartbeatMin, watch.heartbeatMS)
    tickLater()
  }

  func unfollow(_ space: SpaceID, _ watch: WatchCall) {
    spaces[space]?.watches[watch.name] = nil
    guard spaces[space]?.watches.isEmpty == true else { return }
    spaces[space] = nil
    if let listener { board.unfollow(space, by: listener) }
  }

  private func listen() -> RevisionBoard.Listener {
    let mailbox = dispatcher.mailbox
    return board.listen { mailbox.perform { $0.watches.wake() } }
  }

  /// Ends it all with its loop.
  func close() {
    ticking?.cancel()
    if let listener { board.end(listener) }
  }

  // MARK: What moved

  private func wake() {
    guard let listener else { return }
    for mark in board.take(listener) {
      guard let revision = mark.revision else {
        // It is gone: each finds out when it reads.
        for watch in watches(of: mark.space) { watch.readAgain() }
        continue
      }
      guard let shared = spaces[mark.space], revision > shared.latest else { continue }
      spaces[mark.space]?.latest = revision
      readTail(mark.space)
    }
  }

  private func watches(of space: SpaceID) -> [WatchCall] { spaces[space].map { Array($0.watches.values) } ?? [] }

  private func readTail(_ space: SpaceID) {
    guard let shared = spaces[space], let ring = shared.ring, !shared.isReading, shared.latest > ring.end else { return }
    let (mailbox, name, end) = (dispatcher.mailbox, shared.name, ring.end)
    let isQueued = dispatcher.service.readers.submit(lane: WatchedSpaces.lane) { snapshot in
      let found = Result { () throws -> (SpaceRecord, ChangePage)? in
        let snapshot = try snapshot.get()
        guard let record = try snapshot.space(named: name), record.id == space else { return nil }
        let page = try snapshot.changes(
          after: end, in: space, latestOnly: false, limit: FeedRing.changesMax, bytesMax: FeedRing.bytesMax)
        return (record, page)
      }
      mailbox.perform { $0.watches.take(found, of: space) }
    }
    guard isQueued else { return readTailLater(space) }
    spaces[space]?.isReading = true
  }

  /// The readers have too much to do now.
  private func readTailLater(_ space: SpaceID) {
    let bound = NIOLoopBound(self, eventLoop: dispatcher.loop)
    dispatcher.loop.scheduleTask(in: .milliseconds(10)) { bound.value.readTail(space) }
  }

  private func take(_ found: Result<(SpaceRecord, ChangePage)?, any Error>, of space: SpaceID) {
    guard spaces[space] != nil else { return }
    spaces[space]?.isReading = false
    spaces[space]?.pages = [:]
    spaces[space]?.pagesBytes = 0
    guard let (record, page) = try? found.get() else {
      // Each finds out why when it reads.
      for watch in watches(of: space) { watch.readAgain() }
      return
    }
    if page.through < record.revision {
      // More than the ring holds: those who need it read for themselves.
      spaces[space]?.ring?.restart(at: record.revision)
    } else {
      spaces[space]?.ring?.append(page)
    }
    for watch in watches(of: space) { watch.advance() }
    readTail(space)
  }

  // MARK: The tail

  /// A watch stands at a place where it knows everything.
  func settle(at position: Revision, in space: SpaceID, epoch: Epoch) {
    guard let shared = spaces[space] else { return }
    if shared.ring.map({ $0.epoch != epoch }) ?? true { spaces[space]?.ring = FeedRing(at: position, epoch: epoch) }
    readTail(space)
  }

  /// What follows a place at the tail.
  func next(after position: Revision, in space: SpaceID, _ request: PullRequest) -> Next {
    guard let ring = spaces[space]?.ring else { return .behind }
    // The ring comes after those who read for themselves, or is behind them.
    guard position < ring.end else { return .nothing }
    guard !request.filter.comparesFields, let changes = ring.changes(after: position) else { return .behind }
    let key = PageKey(position: position, kind: request.kind, filter: request.filter)
    let page: Page?
    if let known = spaces[space]?.pages[key] {
      page = known
    } else {
      guard let made = encode(changes, key, ring) else { return .behind }
      page = made
      // However many filters there are, what is kept for them is bounded; the others have it encoded for each.
      if let kept = spaces[space]?.pagesBytes, kept + (made?.size ?? 64) <= WatchedSpaces.pagesBytesMax {
        spaces[space]?.pages[key] = .some(made)
        spaces[space]?.pagesBytes = kept + (made?.size ?? 64)
      }
    }
    let limits = FeedLimits()
    if let page, page.itemCount > request.itemsMax ?? limits.itemsMax || page.size > request.bytesMax ?? limits.bytesMax {
      return .behind
    }
    return .page(page, through: ring.end, epoch: ring.epoch)
  }

  /// The page of some changes: `.some(nil)` when nothing is to be told, `nil` when it cannot be encoded.
  private func encode(_ changes: ArraySlice<Change>, _ key: PageKey, _ ring: FeedRing) -> Page?? {
    let items = FeedReader.items(of: changes, kind: key.kind, filter: key.filter)
    guard !items.isEmpty else { return .some(nil) }
    let response = PullResponse(
      items: items, cursor: nil, isCaughtUp: true, revision: ring.end, epoch: ring.epoch, position: ring.end)
    guard let bytes = try? dispatcher.encode(response) else { return nil }
    return Page(bytes: bytes, itemCount: items.count, size: response.heldBytes)
  }

  // MARK: Silence

  private func tickLater() {
    guard ticking == nil, !spaces.isEmpty else { return }
    let bound = NIOLoopBound(self, eventLoop: dispatcher.loop)
    ticking = dispatcher.loop.scheduleTask(in: .milliseconds(Int64(max(20, min(heartbeatMin / 4, 500))))) { bound.value.tick() }
  }

  /// Tells those who heard nothing for long where they are, and ends those who may no longer read.
  private func tick() {
    ticking = nil
    let now = dispatcher.service.clock.uptimeNanoseconds()
    for space in spaces.values { for watch in space.watches.values { watch.tick(now) } }
    if spaces.isEmpty { heartbeatMin = .max }
    tickLater()
  }
}
