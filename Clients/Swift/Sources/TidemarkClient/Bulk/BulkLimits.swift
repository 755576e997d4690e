public import TidemarkCore
public import TidemarkWire

/// How much one bulk request may carry.
public struct BulkLimits: Hashable, Sendable {
  /// The most items, from 1.
  public var itemsMax: Int
  /// The largest encoding, in bytes.
  public var bytesMax: Int
  /// The most sub-messages and repeated elements of all items together.
  public var elementsMax: Int

  public init(
    itemsMax: Int = Limits.itemsPerRequestMax, bytesMax: Int = WireLimits.messageBytesMax,
    elementsMax: Int = WireLimits.bulkElementsMax
  ) {
    self.itemsMax = max(itemsMax, 1)
    self.bytesMax = bytesMax
    self.elementsMax = elementsMax
  }

  /// The limits that a server advertised, where they are below this client's own. 0 stands for those.
  public init(_ hello: Hello) {
    self.init()
    if hello.bulkItemsMax > 0 { itemsMax = min(itemsMax, Int(hello.bulkItemsMax)) }
    if hello.messageBytesMax > 0 { bytesMax = min(bytesMax, Int(hello.messageBytesMax)) }
  }
}

/// What an item, or several, take of a request.
struct BulkSize: Hashable {
  var items = 0
  var bytes = 0
  var elements = 0

  func fits(_ limits: BulkLimits) -> Bool {
    items <= limits.itemsMax && bytes <= limits.bytesMax && elements <= limits.elementsMax
  }

  static func + (a: BulkSize, b: BulkSize) -> BulkSize {
    BulkSize(items: a.items + b.items, bytes: a.bytes + b.bytes, elements: a.elements + b.elements)
  }
}

/// Measures items by encoding them.
struct BulkMeter {
  private let space: SpaceName
  private let arena = MessageArena()
  /// What a request takes without its items.
  let empty: BulkSize

  init(space: SpaceName) {
    self.space = space
    let size = try? BulkMeter.request(space, []).withPacked(using: arena) { $0.size }
    // Nothing in it can fail; were it so, no item would fit.
    empty = BulkSize(bytes: size ?? WireLimits.messageBytesMax)
  }

  /// What an item adds to a request; at most a few bytes too much. `nil` when no message could hold it.
  ///
  /// The places it refers to are smaller numbers in the request than they are here, and so at most as long.
  func measure(_ item: WriteItem) -> BulkSize? {
    guard let size = try? BulkMeter.request(space, [item]).withPacked(using: arena, { $0.size }) else { return nil }
    return BulkSize(items: 1, bytes: size - empty.bytes, elements: BulkMeter.elements(of: item))
  }

  private static func request(_ space: SpaceName, _ items: [WriteItem]) -> BulkWriteRequest {
    BulkWriteRequest(
      space: space, items: items, mode: .atomic, validatesOnly: true, returnsEntities: true,
      knownRevision: Revision(rawValue: .max))
  }

  /// Not less than what the server counts.
  private static func elements(of item: WriteItem) -> Int {
    var count = 2 + item.references.count
    switch item.action {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _):
      for field in fields.sorted { count += elements(of: field.value) }
    case .update(let patch, _):
      for entry in patch.entries {
        if case .set(let value) = entry.operation { count += elements(of: value) } else { count += 2 }
      }
    case .delete, .restore: break
    }
    return count
  }

  private static func elements(of value: Value) -> Int {
    if case .list(let scalars) = value { 3 + scalars.count } else { 2 }
  }
}
