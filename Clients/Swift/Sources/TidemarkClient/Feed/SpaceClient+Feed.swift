public import TidemarkCore
public import TidemarkWire

/// The calls that tell what changed.
extension SpaceClient {
  /// Reads one page of a feed.
  ///
  /// Pull again with the cursor of the answer until it is caught up, and whenever there may be more. When the cursor cannot go on
  /// (`cursorState`), pull without one, and forget what was not among the pages once they are caught up.
  ///
  /// - Parameters:
  ///   - cursor: that of the page before; `nil` for the first page.
  ///   - start: where to begin without a cursor.
  ///   - itemsMax: 1 to 10,000; `nil` for the server's choice.
  ///   - bytesMax: 1,024 to 2,097,152; `nil` for the server's choice.
  public func pull(
    _ kind: FeedKind = .states, filter: FeedFilter = .all, after cursor: [UInt8]? = nil, start: FeedStart = .beginning,
    itemsMax: Int? = nil, bytesMax: Int? = nil, deadline: Duration? = nil
  ) async throws(ClientError) -> PullResponse {
    let request = PullRequest(
      space: name, kind: kind, filter: filter, cursor: cursor, start: start, itemsMax: itemsMax, bytesMax: bytesMax)
    return try await client.runner.unary(.pull, request, as: PullResponse.self, deadline: client.limit(deadline))
  }

  /// Writes 1 to 1,000 items and reads a page in one round trip. The items carry their operation ids, so a retry applies nothing twice.
  ///
  /// - Parameters:
  ///   - pull: its space is this one, whatever it says.
  ///   - knownRevision: the revision of the space that the caller knew when it made the writes.
  public func exchange(
    _ items: [WriteItem], pull: PullRequest, mode: BulkMode = .partial, knownRevision: Revision? = nil,
    deadline: Duration? = nil
  ) async throws(ClientError) -> ExchangeResponse {
    var pull = pull
    pull.space = name
    let push = BulkWriteRequest(space: name, items: items, mode: mode, knownRevision: knownRevision)
    return try await client.runner.unary(
      .exchange, ExchangeRequest(push: push, pull: pull), as: ExchangeResponse.self, isWrite: true,
      deadline: client.limit(deadline))
  }

  /// Streams the pages of a feed: what is there, and from then on each commit as it comes.
  ///
  /// The sequence goes on by itself, behind the last page it gave out, when the connection is lost. It ends after a page whose `cursorState` is
  /// not `ok`, and with the task.
  ///
  /// ```swift
  /// for try await page in space.watch(.changes, start: .now) {
  ///   for item in page.items { print(item.entity.key, item.entity.version) }
  ///   save(page.cursor)
  /// }
  /// ```
  /// - Parameter heartbeat: after a silence of this length comes a page without items, with the cursor: 1 s to 10 min.
  public func watch(
    _ kind: FeedKind = .changes, filter: FeedFilter = .all, after cursor: [UInt8]? = nil, start: FeedStart = .beginning,
    heartbeat: Duration = .milliseconds(WatchRequest.heartbeatDefaultMS)
  ) -> FeedWatch {
    let request = PullRequest(space: name, kind: kind, filter: filter, cursor: cursor, start: start)
    let milliseconds = heartbeat / .milliseconds(1)
    return FeedWatch(
      runner: client.runner,
      request: WatchRequest(pull: request, heartbeatMS: Int(min(max(milliseconds, 1_000), 600_000))))
  }
}
