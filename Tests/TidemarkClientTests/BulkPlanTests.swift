import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkWire

@testable import TidemarkClient

/// A queue longer than the server's limits is split, and what belongs together stays together.
@Suite struct BulkPlanTests {
  private let space = SpaceName.default

  @Test func requestsTogetherAreTheItemsAndKeepTheLimits() throws {
    var random = SeededGenerator(printing: "bulk plans")
    for _ in 0..<200 {
      let items = try BulkSamples.items(Int.random(in: 0...120, using: &random), using: &random)
      let limits = BulkLimits(
        itemsMax: Int.random(in: 1...40, using: &random), bytesMax: Int.random(in: 300...9_000, using: &random),
        elementsMax: Int.random(in: 20...400, using: &random))
      let plan: BulkPlan
      do {
        plan = try BulkPlan(items, space: space, limits: limits)
      } catch {
        // Only for what is really too large.
        #expect(error.code == .itemTooLarge || error.code == .togetherTooLarge)
        continue
      }
      #expect(plan.parts.flatMap { part in part.items.map { $0.mapPlaces { $0 + part.range.lowerBound } } } == items)
      #expect(plan.parts.flatMap { Array($0.range) } == Array(items.indices))
      for part in plan.parts { try check(part, items, limits) }
    }
  }

  private func check(_ part: BulkPlan.Part, _ items: [WriteItem], _ limits: BulkLimits) throws {
    #expect((1...limits.itemsMax).contains(part.items.count))
    let request = BulkWriteRequest(space: space, items: part.items, knownRevision: Revision(rawValue: 1 << 39))
    #expect(try request.encode(using: MessageArena()).count <= limits.bytesMax)
    for (index, item) in part.items.enumerated() { #expect(item.places.allSatisfy { (0..<index).contains($0) }) }
    for edge in [part.range.lowerBound, part.range.upperBound] where edge > 0 && edge < items.count {
      #expect(items[edge].group == nil || items[edge].group != items[edge - 1].group)
    }
  }

  /// Every cut that is made is one that had to be made.
  @Test func requestsAreAsFullAsTheyCanBe() throws {
    var random = SeededGenerator(printing: "full bulk plans")
    let items = try (0..<2_500).map { _ in try BulkSamples.create(using: &random) }
    let plan = try BulkPlan(items, space: space)
    #expect(plan.parts.map(\.items.count) == [1_000, 1_000, 500])
  }

  @Test func anAtomicBulkIsOneRequestOrNone() throws {
    var random = SeededGenerator(printing: "atomic bulk plans")
    let items = try (0..<12).map { _ in try BulkSamples.create(using: &random) }
    #expect(try BulkPlan(items, space: space, mode: .atomic).parts.count == 1)
    let error = #expect(throws: BulkPlanError.self) {
      try BulkPlan(items, space: space, mode: .atomic, limits: BulkLimits(itemsMax: 11))
    }
    #expect(error?.code == .togetherTooLarge)
    #expect(error?.items == 0..<12)
  }

  @Test func aGroupLargerThanARequestIsRefused() throws {
    var random = SeededGenerator(printing: "large groups")
    var items = try (0..<9).map { _ in try BulkSamples.create(using: &random) }
    for index in 3..<7 { items[index].group = "g" }
    #expect(try BulkPlan(items, space: space, limits: BulkLimits(itemsMax: 4)).parts.map(\.range) == [0..<3, 3..<7, 7..<9])
    let error = #expect(throws: BulkPlanError.self) {
      try BulkPlan(items, space: space, limits: BulkLimits(itemsMax: 3))
    }
    #expect(error?.items == 3..<7)
  }

  @Test func anItemLargerThanARequestIsRefused() throws {
    var random = SeededGenerator(printing: "large items")
    var items = try (0..<3).map { _ in try BulkSamples.create(using: &random) }
    var fields = Fields()
    for index in 0..<40 { fields.set(try #require(FieldPath("f\(index)")), .string(String(repeating: "x", count: 120_000))) }
    items[1].action = .create(fields)
    let error = #expect(throws: BulkPlanError.self) { try BulkPlan(items, space: space) }
    #expect(error?.code == .itemTooLarge)
    #expect(error?.items == 1..<2)
  }

  @Test func itemsThatReferToWhatIsNotBeforeThemAreRefused() throws {
    var random = SeededGenerator(printing: "bad references")
    for place in [-1, 2, 3, 99] {
      var items = try (0..<4).map { _ in try BulkSamples.create(using: &random) }
      items[2].references = [ItemReference(field: try #require(FieldPath("of")), item: place)]
      let error = #expect(throws: BulkPlanError.self) { try BulkPlan(items, space: space) }
      #expect(error?.code == .badReference)
    }
  }

  @Test func anOperationIdIsUsedOnce() throws {
    var random = SeededGenerator(printing: "operation ids")
    let item = try BulkSamples.create(using: &random)
    let error = #expect(throws: BulkPlanError.self) { try BulkPlan([item, item], space: space) }
    #expect(error?.code == .duplicateOperation)
  }

  @Test(arguments: ["", String(repeating: "g", count: 64)]) func badLabelsAreRefused(_ label: String) throws {
    var random = SeededGenerator(printing: "labels")
    var item = try BulkSamples.create(using: &random)
    item.group = label
    #expect(throws: BulkPlanError.self) { try BulkPlan([item], space: space) }
  }

  @Test func advertisedLimitsAreKept() {
    var hello = Hello()
    #expect(BulkLimits(hello) == BulkLimits())
    (hello.bulkItemsMax, hello.messageBytesMax) = (17, 70_000)
    #expect(BulkLimits(hello) == BulkLimits(itemsMax: 17, bytesMax: 70_000))
    (hello.bulkItemsMax, hello.messageBytesMax) = (.max, .max)
    #expect(BulkLimits(hello) == BulkLimits())
  }
}

/// Writes made at random.
enum BulkSamples {
  /// Items with groups and references to earlier ones.
  static func items(_ count: Int, using random: inout SeededGenerator) throws -> [WriteItem] {
    var items: [WriteItem] = []
    var group = 0
    for index in 0..<count {
      var item = try create(using: &random)
      if index > 0, Int.random(in: 0..<8, using: &random) == 0 {
        let earlier = Int.random(in: max(0, index - 6)..<index, using: &random)
        if Bool.random(using: &random) {
          item.references = [ItemReference(field: try #require(FieldPath("of")), item: earlier)]
        } else {
          item.action = .delete(Expected(version: .first))
          (item.type, item.id, item.afterItem) = (items[earlier].type, items[earlier].id, earlier)
        }
      }
      if Int.random(in: 0..<3, using: &random) == 0 {
        if Int.random(in: 0..<3, using: &random) == 0 { group += 1 }
        item.group = "g\(group)"
      }
      items.append(item)
    }
    return items
  }

  /// A create with a few fields.
  static func create(using random: inout SeededGenerator) throws -> WriteItem {
    var fields = Fields()
    for index in 0..<Int.random(in: 0...4, using: &random) {
      let length = Int.random(in: 0...60, using: &random)
      fields.set(try #require(FieldPath("field\(index)")), .string(String(repeating: "v", count: length)))
    }
    return WriteItem(
      operation: OperationID(rawValue: .random(using: &random)), type: try #require(TypeName("booking")),
      id: EntityID("id-\(random.next())"), action: .create(fields))
  }
}
