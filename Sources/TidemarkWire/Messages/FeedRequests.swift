import CTidemarkProtobufC
import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__PullRequest> { static let pullRequest = MessageKind(tidemark__v1__pull_request__init) }
extension MessageKind<Tidemark__V1__FeedFilter> { static let feedFilter = MessageKind(tidemark__v1__feed_filter__init) }
extension MessageKind<Tidemark__V1__TypeFilter> { static let typeFilter = MessageKind(tidemark__v1__type_filter__init) }
extension MessageKind<Tidemark__V1__ExchangeRequest> {
  static let exchangeRequest = MessageKind(tidemark__v1__exchange_request__init)
}
extension MessageKind<Tidemark__V1__WatchRequest> { static let watchRequest = MessageKind(tidemark__v1__watch_request__init) }

/// Asks for the next page of a feed.
public struct PullRequest: Hashable, Sendable {
  public var space: SpaceName
  public var kind: FeedKind
  public var filter: FeedFilter
  /// The sealed cursor of the page before; `nil` for the first page.
  public var cursor: [UInt8]?
  /// Where to begin without a cursor.
  public var start: FeedStart
  /// The most items, 1 to `Limits.itemsPerPageMax`; `nil` for the server's choice.
  public var itemsMax: Int?
  /// The bytes after which the page ends, 1,024 to `Limits.bytesPerPageMax`; `nil` for the server's choice.
  public var bytesMax: Int?

  public init(
    space: SpaceName, kind: FeedKind = .states, filter: FeedFilter = .all, cursor: [UInt8]? = nil,
    start: FeedStart = .beginning, itemsMax: Int? = nil, bytesMax: Int? = nil
  ) {
    self.space = space
    self.kind = kind
    self.filter = filter
    self.cursor = cursor
    self.start = start
    self.itemsMax = itemsMax
    self.bytesMax = bytesMax
  }
}

extension PullRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makePull(in: arena))
  }

  func makePull(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__PullRequest> {
    let message = try arena.make(.pullRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.feed = Tidemark__V1__FeedKind(rawValue: UInt32(kind.rawValue))
    message.pointee.filter = try filter.makeMessage(in: arena)
    message.pointee.cursor = try arena.copy(cursor ?? [])
    message.pointee.start = Tidemark__V1__FeedStart(rawValue: UInt32(start.rawValue))
    message.pointee.items_max = UInt32(clamping: itemsMax ?? 0)
    message.pointee.bytes_max = UInt32(clamping: bytesMax ?? 0)
    return message
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> PullRequest {
    try arena.decode(bytes, as: .pullRequest) { (message) throws(WireError) in try PullRequest(message) }
  }

  init(_ message: Tidemark__V1__PullRequest) throws(WireError) {
    // 0 stands for the default.
    guard let kind = UInt8(exactly: max(message.feed.rawValue, 1)).flatMap({ FeedKind(rawValue: $0) }) else {
      throw .invalid("feed", rule: "feed_kind", "The feed is not known.")
    }
    guard let start = UInt8(exactly: max(message.start.rawValue, 1)).flatMap({ FeedStart(rawValue: $0) }) else {
      throw .invalid("start", rule: "feed_start", "Where the feed is to begin is not known.")
    }
    let cursor = message.cursor.raw
    guard cursor.count <= WireLimits.cursorBytesMax else { throw .badCursor }
    self.init(
      space: try Part.space(message.space), kind: kind, filter: try FeedFilter(message.filter),
      cursor: cursor.isEmpty ? nil : [UInt8](cursor), start: start,
      itemsMax: try PullRequest.limit(message.items_max, 1...Limits.itemsPerPageMax, "items_max"),
      bytesMax: try PullRequest.limit(message.bytes_max, 1_024...Limits.bytesPerPageMax, "bytes_max"))
  }

  private static func limit(_ value: UInt32, _ range: ClosedRange<Int>, _ field: String) throws(WireError) -> Int? {
    guard value > 0 else { return nil }
    guard range.contains(Int(value)) else {
      throw .invalid(field, rule: field, "'\(field)' is \(range.lowerBound) to \(range.upperBound), or 0 for the default.")
    }
    return Int(value)
  }
}

extension FeedFilter {
  fileprivate init(_ message: UnsafeMutablePointer<Tidemark__V1__FeedFilter>?) throws(WireError) {
    guard let message = message?.pointee, message.n_types > 0 else {
      self = .all
      return
    }
    let parts = try Part.list(message.n_types, message.types) { (part) throws(WireError) in
      FeedFilter.TypeFilter(type: try Part.type(part.type), equals: try Fields(part.n_equals, part.equals))
    }
    do throws(Violation) { try self.init(parts) } catch { throw WireError(error) }
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__FeedFilter>? {
    guard !isAll else { return nil }
    let message = try arena.make(.feedFilter)
    message.pointee.n_types = parts.count
    message.pointee.types = try arena.makeList(parts) { (part) throws(WireError) in
      let filter = try arena.make(.typeFilter)
      filter.pointee.type = try arena.copy(part.type.text)
      try arena.attach(CanonicalFields(part.equals), as: 2, to: filter)
      return filter as UnsafeMutablePointer<Tidemark__V1__TypeFilter>?
    }
    return message
  }
}

extension WireError {
  /// A cursor that this server did not make for this caller and space. It does not say what is wrong with it.
  public static var badCursor: WireError {
    .invalid("cursor", rule: "cursor", "The cursor is not one of this feed. Begin again without one.")
  }
}

/// A bulk and a pull in one.
public struct ExchangeRequest: Hashable, Sendable {
  /// The writes, to the space of the pull.
  public var push: BulkWriteRequest
  public var pull: PullRequest

  public init(push: BulkWriteRequest, pull: PullRequest) {
    self.push = push
    self.pull = pull
  }
}

extension ExchangeRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.exchangeRequest)
    message.pointee.push = try push.makeBulk(in: arena)
    message.pointee.pull = try pull.makePull(in: arena)
    return MessagePointer(message)
  }

  /// Decodes the bulk as one that came alone, item by item.
  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ExchangeRequest {
    let (bulk, pull) = try decodePull(bytes, using: arena)
    let push: BulkWriteRequest
    do throws(WireError) { push = try BulkWriteRequest.decode(bulk, using: arena) } catch { throw error.within("push") }
    guard push.space == pull.space else {
      throw .invalid("push.space", rule: "exchange_space", "The writes and the pull of an exchange are of one space.")
    }
    return ExchangeRequest(push: push, pull: pull)
  }

  /// The bulk, in place, and the pull.
  private static func decodePull(
    _ bytes: UnsafeRawBufferPointer, using arena: MessageArena
  ) throws(WireError) -> (bulk: UnsafeRawBufferPointer, pull: PullRequest) {
    arena.reset()
    defer { arena.reset() }
    let parts = try WireReader.split(bytes, number: 1, countMax: 1, tooMany: .repeatedSubmessage, in: arena)
    let message = try arena.unpack(parts.rest, as: .exchangeRequest).pointee
    guard let bulk = parts.elements.first else { throw .invalid("push", rule: "push_missing", "An exchange needs writes.") }
    guard let pull = message.pull else { throw .invalid("pull", rule: "pull_missing", "An exchange needs a pull.") }
    do throws(WireError) { return (bulk, try PullRequest(pull.pointee)) } catch { throw error.within("pull") }
  }
}

/// Asks for a feed that goes on.
public struct WatchRequest: Hashable, Sendable {
  /// The silence after which a message says the cursor, when the client does not say, in milliseconds.
  public static let heartbeatDefaultMS = 15_000

  public var pull: PullRequest
  /// 1,000 to 600,000.
  public var heartbeatMS: Int

  public init(pull: PullRequest, heartbeatMS: Int = WatchRequest.heartbeatDefaultMS) {
    self.pull = pull
    self.heartbeatMS = heartbeatMS
  }
}

extension WatchRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.watchRequest)
    message.pointee.pull = try pull.makePull(in: arena)
    message.pointee.heartbeat_ms = UInt32(clamping: heartbeatMS)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> WatchRequest {
    try arena.decode(bytes, as: .watchRequest) { (message) throws(WireError) in
      guard let pull = message.pull else { throw .invalid("pull", rule: "pull_missing", "A watch needs what to pull.") }
      let heartbeat = message.heartbeat_ms == 0 ? WatchRequest.heartbeatDefaultMS : Int(message.heartbeat_ms)
      guard (1_000...600_000).contains(heartbeat) else {
        throw .invalid("heartbeat_ms", rule: "heartbeat_ms", "'heartbeat_ms' is 1000 to 600000, or 0 for the default.")
      }
      do throws(WireError) {
        return WatchRequest(pull: try PullRequest(pull.pointee), heartbeatMS: heartbeat)
      } catch { throw error.within("pull") }
    }
  }
}
