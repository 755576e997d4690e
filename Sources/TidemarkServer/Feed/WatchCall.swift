internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// One watch: a stream of pages that goes on when there is nothing more to read.
///
/// ```
/// reading      a reader's thread makes the next page
/// behind       there is more to read, and the client gives no credit ── credit ──> reading
/// tail         it knows everything ── the space moved ──> a page from the ring, or reading
/// done
/// ```
/// It keeps a place and nothing of what it has sent; while the client gives no credit nothing is read for it.
final class WatchCall: ServerStream {
  let name: LoopDispatcher.CallName
  let heartbeatMS: Int
  private let pager: FeedPager
  private let authorization: String
  private let id: CallID
  private let connection: any CallConnection
  /// Kept: a reader's thread may come back when nothing else holds the dispatcher any more. `onDone` ends the circle.
  private let dispatcher: LoopDispatcher
  private let onDone: () -> Void

  private var cursor: FeedCursor?
  private var space: (id: SpaceID, epoch: Epoch)?
  private var hasCredit = true
  private var isReading = false
  /// It was caught up by a read that began after the space was followed.
  private var isAtTail = false
  /// Something happened to the space while a read was under way that may not have seen it.
  private var mustReadAgain = false
  private var isCancelled = false
  private var isDone = false
  /// A page was sent that says `caught_up`, and none since that does not.
  private var hasToldCaughtUp = false
  private var lastSent: UInt64
  private var generation: UInt64

  init(
    _ request: WatchRequest, _ pager: FeedPager, cursor: FeedCursor?, _ call: IncomingCall, _ dispatcher: LoopDispatcher,
    onDone: @escaping () -> Void
  ) {
    self.pager = pager
    self.cursor = cursor
    heartbeatMS = request.heartbeatMS
    authorization = call.meta.authorization
    id = call.id
    connection = call.connection
    name = LoopDispatcher.CallName(connection: call.connection.connectionID, call: call.id)
    self.dispatcher = dispatcher
    self.onDone = onDone
    lastSent = dispatcher.service.clock.uptimeNanoseconds()
    // The rights are looked up once more: they may have changed since the call was judged.
    generation = 0
  }

  // MARK: ServerStream

  func resume() {
    hasCredit = true
    advance()
  }

  func cancel() {
    isCancelled = true
    // A thread that reads ends it: only then its slot is free.
    if !isReading { finish(.cancelled) }
  }

  // MARK: Going on

  /// Sends what there is, or has it read.
  func advance() {
    guard !isDone, !isReading, !isCancelled, hasCredit, mayGoOn() else { return }
    guard isAtTail, let space, let cursor, connection.account.mayReadLittle else { return read() }
    switch dispatcher.watches.next(after: cursor.place.position, in: space.id, pager.request) {
    case .nothing: return
    case .behind: read()
    case .page(let page, let through, let epoch):
      guard epoch == space.epoch else { return read() }
      // Large ones wait for room like all that is read.
      if let page, page.size > AnswerBudget.littleBytes, !connection.account.mayRead { return read() }
      self.cursor?.place = .tail(position: through, base: through)
      if let page { send(page) }
    }
  }

  /// Reads in any case: something happened to the space.
  func readAgain() {
    isAtTail = false
    mustReadAgain = isReading
    advance()
  }

  /// Ends the stream when its credentials are no longer good. False then.
  private func mayGoOn() -> Bool {
    let authenticator = dispatcher.service.authenticator
    let now = authenticator.standing.generation
    guard now != generation else { return true }
    generation = now
    guard let principal = authenticator.principal(for: authorization) else {
      finish(.unauthenticated)
      return false
    }
    guard principal.can(.reader, in: pager.request.space) else {
      finish(.permissionDenied)
      return false
    }
    return true
  }

  private func read() {
    isReading = true
    isAtTail = false
    let bound = NIOLoopBound(self, eventLoop: dispatcher.loop)
    let (pager, cursor) = (pager, cursor)
    let read = StoreRead(name: name, account: connection.account) { snapshot in
      let found: Result<FeedPager.Found, RPCStatus>
      do { found = try pager.find(after: cursor, snapshot.get()) } catch { found = .failure(.ofRead(error)) }
      return StoreRead.Found(bytes: (try? found.get())?.response.heldBytes ?? 0) { _ in bound.value.take(found) }
    } end: { _, status in
      let isLate = status.code == .deadlineExceeded
      bound.value.finish(isLate ? RPCStatus(.deadlineExceeded, "The deadline of the watch has passed.") : status)
    }
    guard !dispatcher.submit(read) else { return }
    // The readers have too much to do: it waits, and misses nothing.
    isReading = false
    dispatcher.loop.scheduleTask(in: .milliseconds(50)) { bound.value.advance() }
  }

  private func take(_ result: Result<FeedPager.Found, RPCStatus>) {
    isReading = false
    if isCancelled { return finish(.cancelled) }
    guard !isDone, mayGoOn() else { return }
    let found: FeedPager.Found
    switch result {
    case .failure(let status): return finish(status)
    case .success(let page): found = page
    }
    let response = found.response
    guard let next = found.cursor else {
      // The cursor is dead: that is told, and the stream is over.
      if let bytes = try? dispatcher.encode(response) { _ = connection.send(bytes, on: id) }
      return finish(nil)
    }
    cursor = next
    let isFollowed = space?.id == found.space
    if !isFollowed {
      leave()
      space = (found.space, response.epoch)
      dispatcher.watches.follow(found.space, named: pager.request.space, self)
    }
    isAtTail = response.isCaughtUp && isFollowed && !mustReadAgain
    mustReadAgain = false
    if isAtTail { dispatcher.watches.settle(at: response.position, in: found.space, epoch: response.epoch) }
    let tells = !response.items.isEmpty || (response.isCaughtUp && !hasToldCaughtUp)
    if tells {
      guard let bytes = try? dispatcher.encode(response) else { return finish(.tooLargeToTell) }
      hasToldCaughtUp = response.isCaughtUp
      push(bytes)
    }
    advance()
  }

  // MARK: Sending

  private func send(_ page: WatchedSpaces.Page) {
    var bytes = page.bytes
    appendCursor(to: &bytes)
    push(bytes)
  }

  /// Puts the cursor behind a page that was encoded without one.
  private func appendCursor(to bytes: inout ByteBuffer) {
    guard let cursor else { return }
    let sealed = pager.sealed(cursor)
    // Field 3, a length of one or two bytes.
    bytes.writeInteger(UInt8(3 << 3 | 2))
    if sealed.count >= 0x80 { bytes.writeInteger(UInt8(truncatingIfNeeded: sealed.count) | 0x80) }
    bytes.writeInteger(UInt8(truncatingIfNeeded: sealed.count < 0x80 ? sealed.count : sealed.count >> 7))
    bytes.writeBytes(sealed)
  }

  private func push(_ bytes: ByteBuffer) {
    lastSent = dispatcher.service.clock.uptimeNanoseconds()
    hasCredit = connection.send(bytes, on: id)
    connection.flush()
  }

  /// Tells the cursor after a silence.
  func tick(_ now: UInt64) {
    guard !isDone, mayGoOn(), isAtTail, hasCredit, !isReading, let space, let cursor,
      now &- lastSent >= UInt64(heartbeatMS) * 1_000_000
    else { return }
    let position = cursor.place.position
    let bookmark = PullResponse(
      cursor: pager.sealed(cursor), isCaughtUp: true, revision: position, epoch: space.epoch, position: position)
    if let bytes = try? dispatcher.encode(bookmark) { push(bytes) }
  }

  private func leave() {
    if let space { dispatcher.watches.unfollow(space.id, self) }
    space = nil
  }

  private func finish(_ status: RPCStatus?) {
    guard !isDone else { return }
    isDone = true
    leave()
    connection.complete(id, with: CallReply(status: status))
    connection.flush()
    onDone()
  }
}
