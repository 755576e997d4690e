internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// Answers pulls of one reader with one filter. Runs on a reader's thread.
struct FeedPager: Sendable {
  let request: PullRequest
  private let seal: CursorSeal
  /// What a cursor must have been made for.
  private let filter: Bytes16
  private let principal: Bytes16
  private let rights: Bytes16

  init(_ request: PullRequest, _ principal: Principal, _ seal: CursorSeal) {
    self.request = request
    self.seal = seal
    filter = CursorSeal.digest(request.filter.encoded)
    self.principal = CursorSeal.digest(principal.name.text.utf8)
    // Whoever may read a space may read all of it.
    rights = CursorSeal.digest("all".utf8)
  }

  /// Where the request's cursor stands; `nil` without one.
  ///
  /// - Throws: `badCursor` when it was not made here, for this reader and this feed.
  func cursor() throws(CallFailure) -> FeedCursor? {
    guard let sealed = request.cursor else { return nil }
    guard let cursor = seal.open(sealed, in: request.space), cursor.kind == request.kind, cursor.principal == principal else {
      throw CallFailure(WireError.badCursor)
    }
    return cursor
  }

  /// A page with what it does not say to its reader.
  struct Found: Sendable {
    var response: PullResponse
    var space: SpaceID
    /// `nil` when there is no going on.
    var cursor: FeedCursor?
  }

  /// The next page, as the answer to a pull.
  func page(
    after cursor: FeedCursor?, _ snapshot: any StoreSnapshot, bytesMax: Int = .max
  ) throws -> Result<PullResponse, RPCStatus> {
    try find(after: cursor, snapshot, bytesMax: bytesMax).map(\.response)
  }

  /// A cursor as its reader gets it.
  func sealed(_ cursor: FeedCursor) -> [UInt8] { seal.seal(cursor, in: request.space) }

  /// The next page.
  ///
  /// - Parameters:
  ///   - cursor: that of the page before; `nil` to begin.
  ///   - bytesMax: what the page may take, when that is less than the request says.
  func find(
    after cursor: FeedCursor?, _ snapshot: any StoreSnapshot, bytesMax: Int = .max
  ) throws -> Result<Found, RPCStatus> {
    guard let space = try snapshot.space(named: request.space) else { return .failure(.unknownSpace(request.space)) }
    var limits = FeedLimits()
    limits.itemsMax = request.itemsMax ?? limits.itemsMax
    limits.bytesMax = min(request.bytesMax ?? limits.bytesMax, bytesMax)
    let reader = FeedReader(space, kind: request.kind, filter: request.filter, limits: limits, snapshot)
    let place = cursor?.place ?? reader.start(request.start)
    let state = state(of: cursor, space, isAlive: reader.isAlive(place))
    guard state == .ok else {
      let answer = PullResponse(cursorState: state, revision: space.revision, epoch: space.epoch)
      return .success(Found(response: answer, space: space.id, cursor: nil))
    }
    let page = try reader.page(from: place)
    let next = FeedCursor(
      kind: request.kind, epoch: space.epoch, filter: filter, principal: principal, rights: rights, place: page.place)
    let answer = PullResponse(
      items: page.items, cursor: sealed(next), isCaughtUp: page.isCaughtUp, revision: space.revision, epoch: space.epoch,
      position: page.place.position, isWalk: page.isWalk)
    return .success(Found(response: answer, space: space.id, cursor: next))
  }

  private func state(of cursor: FeedCursor?, _ space: SpaceRecord, isAlive: Bool) -> CursorState {
    guard let cursor else { return .ok }
    if cursor.epoch != space.epoch { return .epochChanged }
    if cursor.rights != rights { return .rightsChanged }
    if cursor.filter != filter { return .filterChanged }
    return isAlive ? .ok : .belowFloor
  }
}

extension PullResponse: SizedAnswer {
  var heldBytes: Int { items.reduce(256) { $0 + $1.sizeMax } }
}
