public import TidemarkCore
import TidemarkWire

/// How the items of a bulk of any size are spread over requests: a value, made before anything is sent.
///
/// The requests together are the items in their order. A group is never cut, and neither is an item from one it refers to
/// (`afterItem`, `references`), so every request is judged as the whole would be. Items between two that belong together go
/// with them.
///
/// ```
/// items     0  1  2  3  4  5  6        group "g": 1, 2    item 5 refers to 3    itemsMax 3
/// requests  0  1  2 |3  4  5 |6
/// ```
public struct BulkPlan: Sendable {
  /// One request.
  public struct Part: Hashable, Sendable {
    /// The places of its items in the bulk.
    public let range: Range<Int>
    /// The items; what they refer to is named by its place in this request.
    public let items: [WriteItem]
  }

  /// The requests, in the order to send them.
  public let parts: [Part]

  /// Splits items.
  ///
  /// - Parameters:
  ///   - items: any number; what they refer to is named by its place among them.
  ///   - mode: an `atomic` bulk is one request or none.
  ///   - limits: what the server accepts.
  /// - Throws: `BulkPlanError` when what belongs together is larger than one request, or an item is not well made.
  public init(
    _ items: [WriteItem], space: SpaceName, mode: BulkMode = .partial, limits: BulkLimits = BulkLimits()
  ) throws(BulkPlanError) {
    try self.init(items, space: space, mode: mode, limits: limits, kept: [])
  }

  /// - Parameter kept: runs of items that were a request before and must be the same request again, in order.
  init(
    _ items: [WriteItem], space: SpaceName, mode: BulkMode, limits: BulkLimits, kept: [Range<Int>]
  ) throws(BulkPlanError) {
    try BulkPlan.check(items)
    let runs = BulkPlan.runs(items, isOne: mode == .atomic, kept)
    let meter = BulkMeter(space: space)
    let keptStarts = Set(kept.map(\.lowerBound))
    var parts: [Part] = []
    var range = 0..<0
    var size = meter.empty
    var isKept = false
    for run in runs {
      let runSize = try BulkPlan.measure(run, items, meter, limits, mode)
      let startsKept = keptStarts.contains(run.lowerBound)
      if !range.isEmpty, isKept || startsKept || !(size + runSize).fits(limits) {
        parts.append(Part(range: range, items: BulkPlan.rebase(items[range])))
        range = run.lowerBound..<run.lowerBound
        size = meter.empty
      }
      range = range.lowerBound..<run.upperBound
      size = size + runSize
      isKept = startsKept
    }
    if !range.isEmpty { parts.append(Part(range: range, items: BulkPlan.rebase(items[range]))) }
    self.parts = parts
  }

  private static func check(_ items: [WriteItem]) throws(BulkPlanError) {
    var operations: [OperationID: Int] = [:]
    operations.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      if let first = operations.updateValue(index, forKey: item.operation) {
        throw BulkPlanError(.duplicateOperation, first..<index + 1, "Items \(first) and \(index) have the same operation id.")
      }
      for earlier in item.places where !(0..<index).contains(earlier) {
        throw BulkPlanError(
          .badReference, index..<index + 1, "Item \(index) refers to item \(earlier), which is not before it.")
      }
      if let group = item.group, !(1...WireLimits.groupLabelBytesMax).contains(group.utf8.count) {
        throw BulkPlanError(
          .badGroupLabel, index..<index + 1,
          "The label of the group of item \(index) does not have 1 to \(WireLimits.groupLabelBytesMax) bytes.")
      }
    }
  }

  /// The shortest runs between which a request may end.
  private static func runs(_ items: [WriteItem], isOne: Bool, _ kept: [Range<Int>]) -> [Range<Int>] {
    guard !items.isEmpty else { return [] }
    if isOne { return [items.indices] }
    // How many ties begin and end at each item; where none is open, a run may begin.
    var opened = [Int](repeating: 0, count: items.count + 1)
    func tie(_ first: Int, _ last: Int) {
      guard first < last else { return }
      opened[first + 1] += 1
      opened[last + 1] -= 1
    }
    for (index, item) in items.enumerated() {
      if index > 0, let group = item.group, items[index - 1].group == group { tie(index - 1, index) }
      if let first = item.places.min() { tie(first, index) }
    }
    for range in kept { tie(range.lowerBound, range.upperBound - 1) }
    var runs: [Range<Int>] = []
    var open = 0
    var start = 0
    for index in items.indices {
      open += opened[index]
      if open == 0, index > start {
        runs.append(start..<index)
        start = index
      }
    }
    runs.append(start..<items.count)
    return runs
  }

  private static func measure(
    _ run: Range<Int>, _ items: [WriteItem], _ meter: BulkMeter, _ limits: BulkLimits, _ mode: BulkMode
  ) throws(BulkPlanError) -> BulkSize {
    var size = BulkSize()
    for index in run {
      guard let item = meter.measure(items[index]), (meter.empty + item).fits(limits) else {
        throw BulkPlanError(
          .itemTooLarge, index..<index + 1, "Item \(index) is larger than a request, which has at most \(limits.bytesMax) bytes.")
      }
      size = size + item
    }
    guard (meter.empty + size).fits(limits) else {
      let what = mode == .atomic ? "All items" : "Items \(run.lowerBound) to \(run.upperBound - 1)"
      throw BulkPlanError(
        .togetherTooLarge, run,
        "\(what) belong together and are \(size.items) with \(size.bytes) bytes; "
          + "a request has at most \(limits.itemsMax) with \(limits.bytesMax) bytes.")
    }
    return size
  }

  private static func rebase(_ items: ArraySlice<WriteItem>) -> [WriteItem] {
    let start = items.startIndex
    return items.map { item in item.mapPlaces { $0 - start } }
  }
}

/// Says why a bulk cannot be sent. Nothing was sent.
public struct BulkPlanError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Code: String, Sendable, CaseIterable {
    /// One item is larger than a request.
    case itemTooLarge = "item_too_large"
    /// A group, items that refer to each other, or an atomic bulk are larger than a request.
    case togetherTooLarge = "together_too_large"
    /// An item refers to one that is not before it.
    case badReference = "bad_reference"
    /// Two items have the same operation id.
    case duplicateOperation = "duplicate_operation"
    /// The label of a group is empty or too long.
    case badGroupLabel = "bad_group_label"
  }

  public var code: Code
  /// The places of the items that it is about.
  public var items: Range<Int>
  /// A sentence for people.
  public var message: String

  init(_ code: Code, _ items: Range<Int>, _ message: String) {
    self.code = code
    self.items = items
    self.message = message
  }

  public var description: String { message }
}

extension WriteItem {
  /// The places of the items that this one refers to.
  var places: [Int] { references.map(\.item) + (afterItem.map { [$0] } ?? []) }

  /// The same item where the items it refers to have other places.
  func mapPlaces(_ place: (Int) -> Int) -> WriteItem {
    var item = self
    item.afterItem = afterItem.map(place)
    item.references = references.map { ItemReference(field: $0.field, item: place($0.item)) }
    return item
  }
}
