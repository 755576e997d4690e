internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Pull, Exchange and Watch.
extension LoopDispatcher {
  func pull(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: PullRequest = try decode(call)
    guard principal.can(.reader, in: request.space) else { throw CallFailure(.permissionDenied) }
    let pager = FeedPager(request, principal, service.cursorSeal)
    let cursor = try pager.cursor()
    return try read(call) { snapshot in try pager.page(after: cursor, snapshot) }
  }

  /// A bulk whose answer carries a page. A cursor that is no good is refused before anything is written; whatever goes wrong with the
  /// page later leaves the outcomes as they are.
  func exchange(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: ExchangeRequest = try decode(call)
    guard principal.can(.writer, in: request.pull.space) else { throw CallFailure(.permissionDenied) }
    let pager = FeedPager(request.pull, principal, service.cursorSeal)
    let pull = BulkWork.Pull(pager: pager, cursor: try pager.cursor())
    let work = BulkWork(
      space: request.push.space, items: request.push.items, returnsEntities: request.push.returnsEntities,
      validatesOnly: request.push.validatesOnly, undo: nil, pull: pull)
    let ticket = keep(call, .bulk(work), by: principal.name)
    return submit(work, request.push.mode, principal, deadline: call.deadline, ticket) ? .pending : try giveUp(ticket)
  }
}

extension LoopDispatcher {
  func watch(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let request: WatchRequest = try decode(call)
    guard principal.can(.reader, in: request.pull.space) else { throw CallFailure(.permissionDenied) }
    let pager = FeedPager(request.pull, principal, service.cursorSeal)
    let cursor = try pager.cursor()
    return start(call) { WatchCall(request, pager, cursor: cursor, call, self, onDone: $0) }
  }
}

extension BulkWork {
  /// What is pulled once the writes are committed.
  struct Pull: Sendable {
    let pager: FeedPager
    let cursor: FeedCursor?

    /// The page in the room that outcomes of a size leave; `nil` when it cannot be read.
    func page(_ snapshot: (any StoreSnapshot)?, outcomesBytes: Int) -> PullResponse? {
      let room = WireLimits.messageBytesMax - 64 * 1024 - outcomesBytes
      // A page may be larger than it was asked for by one entity.
      guard let snapshot, room > 2 * Limits.entityBytesMax,
        let page = try? pager.page(after: cursor, snapshot, bytesMax: room - Limits.entityBytesMax - 64 * 1024)
      else { return nil }
      let answer = try? page.get()
      return (answer?.heldBytes ?? 0) <= room ? answer : nil
    }
  }
}
