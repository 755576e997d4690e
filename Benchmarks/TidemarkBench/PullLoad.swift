internal import TidemarkCore
internal import TidemarkWire

/// Pull of the whole feed of states, page after page and again from the beginning; or, with a place kept from before some changes, of those
/// again and again. One page in 1,024 is decoded.
struct PullLoad: TidemarkLoad {
  /// A page fits into one frame.
  private static let bytesMax = 56_000

  private let arena = MessageArena()
  private let meta: [UInt8]
  private var request: PullRequest
  private var cursors: [[UInt8]?]
  private let fixed: [UInt8]?
  private var stream: UInt32 = 1
  private var replies = 0
  private(set) var itemsTold: UInt64 = 0

  /// - Parameter cursor: the place that every pull begins at; `nil` to go on.
  init(_ options: Options, cursor: [UInt8]? = nil) {
    meta = CallTemplate.meta(token: options.token)
    request = PullRequest(space: .default, itemsMax: Limits.itemsPerPageMax, bytesMax: PullLoad.bytesMax)
    fixed = cursor
    cursors = Array(repeating: cursor, count: options.connections)
  }

  mutating func request(slot: Int) throws(BenchError) -> [UInt8] {
    request.cursor = cursors[slot]
    defer { stream &+= 2 }
    guard let message = try? request.encode(using: arena) else { throw BenchError("cannot encode a pull") }
    return CallTemplate.frame(.pull, message: message, meta: meta, stream: stream)
  }

  mutating func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError) {
    replies += 1
    if replies % 1_024 == 1 {
      guard let page = try? PullResponse.decode(payload, using: arena), page.cursorState == .ok else {
        throw BenchError("a reply that is no page")
      }
    }
    let page = try PageState(payload)
    itemsTold += page.items
    guard fixed == nil else { return }
    cursors[slot] = page.isCaughtUp ? nil : page.cursor
  }
}

/// What a loader looks at of a `PullResponse` in feed.proto.
struct PageState {
  private(set) var items: UInt64 = 0
  private(set) var cursor: [UInt8] = []
  private(set) var isCaughtUp = false
  private(set) var position: UInt64 = 0

  init(_ bytes: UnsafeRawBufferPointer) throws(BenchError) {
    var reader = WireCursor(bytes)
    while !reader.isAtEnd {
      guard let tag = reader.varint() else { throw BenchError("a page that ends early") }
      switch tag & 7 {
      case 0:
        guard let value = reader.varint() else { throw BenchError("a page that ends early") }
        if tag >> 3 == 4 { isCaughtUp = value != 0 }
        if tag >> 3 == 7 { position = value }
      case 2:
        guard let part = reader.part() else { throw BenchError("a page that ends early") }
        if tag >> 3 == 2 { items += 1 }
        if tag >> 3 == 3 { cursor = [UInt8](part) }
      default: throw BenchError("a page with a field of type \(tag & 7)")
      }
    }
  }
}
