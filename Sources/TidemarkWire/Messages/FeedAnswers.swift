import CTidemarkProtobufC
import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__PullResponse> { static let pullResponse = MessageKind(tidemark__v1__pull_response__init) }
extension MessageKind<Tidemark__V1__FeedItem> { static let feedItem = MessageKind(tidemark__v1__feed_item__init) }
extension MessageKind<Tidemark__V1__ExchangeResponse> {
  static let exchangeResponse = MessageKind(tidemark__v1__exchange_response__init)
}

/// A page of a feed, or why its cursor cannot go on.
public struct PullResponse: Hashable, Sendable {
  public var cursorState: CursorState
  public var items: [FeedItem]
  /// Sealed; `nil` when there is no going on.
  public var cursor: [UInt8]?
  /// Nothing follows at this revision.
  public var isCaughtUp: Bool
  /// The revision of the space when the page was read.
  public var revision: Revision
  public var epoch: Epoch
  /// The revision up to which the log was read; on the walk, where it began.
  public var position: Revision
  /// The page belongs to the walk.
  public var isWalk: Bool

  public init(
    cursorState: CursorState = .ok, items: [FeedItem] = [], cursor: [UInt8]? = nil, isCaughtUp: Bool = false,
    revision: Revision, epoch: Epoch, position: Revision = .zero, isWalk: Bool = false
  ) {
    self.cursorState = cursorState
    self.items = items
    self.cursor = cursor
    self.isCaughtUp = isCaughtUp
    self.revision = revision
    self.epoch = epoch
    self.position = position
    self.isWalk = isWalk
  }
}

extension PullResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makePage(in: arena))
  }

  func makePage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__PullResponse> {
    let message = try arena.make(.pullResponse)
    message.pointee.cursor_state = Tidemark__V1__CursorState(rawValue: UInt32(cursorState.rawValue))
    message.pointee.n_items = items.count
    message.pointee.items = try arena.makeList(items) { (item) throws(WireError) in try item.makeMessage(in: arena) }
    message.pointee.cursor = try arena.copy(cursor ?? [])
    message.pointee.caught_up = isCaughtUp ? 1 : 0
    message.pointee.revision = revision.rawValue
    message.pointee.epoch = try arena.copy(epoch)
    message.pointee.position = position.rawValue
    message.pointee.is_walk = isWalk ? 1 : 0
    return message
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> PullResponse {
    try arena.decode(bytes, as: .pullResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      try PullResponse(message)
    }
  }

  init(_ message: Tidemark__V1__PullResponse) throws(WireError) {
    guard let state = UInt8(exactly: message.cursor_state.rawValue).flatMap({ CursorState(rawValue: $0) }) else {
      throw .invalid("cursor_state", rule: "cursor_state", "The state of the cursor is not known.")
    }
    let cursor = message.cursor.copied
    self.init(
      cursorState: state,
      items: try Part.list(message.n_items, message.items) { (item) throws(WireError) in try FeedItem(item) },
      cursor: cursor.isEmpty ? nil : cursor, isCaughtUp: message.caught_up != 0, revision: try Part.revision(message.revision),
      epoch: try Part.requiredEpoch(message.epoch), position: try Part.revision(message.position, "position"),
      isWalk: message.is_walk != 0)
  }
}

extension FeedItem {
  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__FeedItem>? {
    let message = try arena.make(.feedItem)
    message.pointee.entity = try entity.makeMessage(in: arena)
    message.pointee.left = hasLeft ? 1 : 0
    message.pointee.truncated = isTruncated ? 1 : 0
    guard let story else { return message }
    message.pointee.kind = Tidemark__V1__ChangeKind(rawValue: UInt32(story.kind.rawValue))
    message.pointee.manner = Tidemark__V1__ChangeManner(rawValue: UInt32(story.manner.rawValue))
    message.pointee.operation_id = try arena.copy("\(story.operation)")
    message.pointee.edited_at_us = story.editedAt?.rawValue ?? 0
    message.pointee.goes_on = story.goesOn ? 1 : 0
    message.pointee.previous_revision = story.previous.rawValue
    return message
  }

  fileprivate init(_ message: Tidemark__V1__FeedItem) throws(WireError) {
    guard let entity = message.entity else { throw .invalid("entity", rule: "entity", "An item has no entity.") }
    self.init(
      entity: try Entity(entity.pointee), hasLeft: message.left != 0, isTruncated: message.truncated != 0,
      story: try Story(message))
  }
}

extension FeedItem.Story {
  /// `nil` for an item of the feed of states.
  fileprivate init?(_ message: Tidemark__V1__FeedItem) throws(WireError) {
    guard message.kind != TIDEMARK__V1__CHANGE_KIND__CHANGE_KIND_UNSPECIFIED else { return nil }
    guard let kind = UInt8(exactly: message.kind.rawValue).flatMap({ ChangeKind(rawValue: $0) }),
      let manner = UInt8(exactly: message.manner.rawValue).flatMap({ ChangeManner(rawValue: $0) })
    else { throw .invalid("kind", rule: "change_kind", "What a change did is not known.") }
    self.init(
      kind: kind, manner: manner, operation: try Part.operation(message.operation_id),
      editedAt: message.edited_at_us == 0 ? nil : try Part.timestamp(message.edited_at_us, "edited_at_us"),
      goesOn: message.goes_on != 0, previous: try Part.revision(message.previous_revision, "previous_revision"))
  }
}

/// The answers to both parts of an exchange.
public struct ExchangeResponse: Hashable, Sendable {
  public var push: BulkWriteResponse
  /// `nil` when the page could not be read.
  public var pull: PullResponse?

  public init(push: BulkWriteResponse, pull: PullResponse?) {
    self.push = push
    self.pull = pull
  }
}

extension ExchangeResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.exchangeResponse)
    message.pointee.push = try push.makeBulk(in: arena)
    message.pointee.pull = try pull?.makePage(in: arena)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> ExchangeResponse {
    try arena.decode(bytes, as: .exchangeResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      guard let push = message.push else { throw .invalid("push", rule: "push_missing", "The outcomes are missing.") }
      var response = ExchangeResponse(push: try BulkWriteResponse(push.pointee), pull: nil)
      if let pull = message.pull { response.pull = try PullResponse(pull.pointee) }
      return response
    }
  }
}
