import Testing
import TidemarkCore

@testable import TidemarkWire

/// What a bulk may not say, and how the refusal names the item.
@Suite struct BulkRefusalTests {
  let arena = MessageArena()

  private func refusal(_ bytes: [UInt8]) -> WireError? {
    TidemarkWireTests.refusal(bytes) { (raw) throws(WireError) in try BulkWriteRequest.decode(raw, using: arena) }
  }
  private func undoRefusal(_ bytes: [UInt8]) -> WireError? {
    TidemarkWireTests.refusal(bytes) { (raw) throws(WireError) in try UndoWritesRequest.decode(raw, using: arena) }
  }
  private func named(_ error: WireError?) -> String? {
    error?.violations.first.map { "\(error?.place ?? "")|\($0.field?.text ?? "")|\($0.rule)" }
  }
  /// Which item breaks which rule, or that the whole call does.
  private func told(_ bytes: [UInt8]) -> String? {
    if let error = refusal(bytes) { return named(error).map { "call " + $0 } }
    let items = bytes.withUnsafeBytes { try? BulkWriteRequest.decode($0, using: arena) }?.items ?? []
    guard let index = items.firstIndex(where: { $0.fault != nil }), let fault = items[index].fault else { return nil }
    return "items[\(index)]|\(fault.field?.text ?? "")|\(fault.rule)"
  }
  private func operation(_ number: Int) -> [UInt8] {
    Raw.text(4, OperationID(rawValue: Bytes16(high: 7, low: UInt64(number))).description)
  }
  private func item(_ kind: UInt64, _ number: Int, id: String = "i", _ rest: [UInt8]...) -> [UInt8] {
    Raw.bytes(
      2,
      Raw.number(1, kind) + Raw.text(2, "t") + (id.isEmpty ? [] : Raw.text(3, id)) + operation(number) + rest.flatMap { $0 })
  }
  private let space = Raw.text(1, "s")
  private let expected = Raw.bytes(5, Raw.number(1, 1))
  private let field = Raw.bytes(7, Raw.text(1, "f") + Raw.bytes(2, Raw.number(3, 1)))
  private let set = Raw.bytes(8, Raw.text(1, "f") + Raw.bytes(2, Raw.number(3, 1)))
  private func after(_ index: UInt64) -> [UInt8] { Raw.bytes(6, Raw.number(1, index)) }
  private func reference(_ index: UInt64) -> [UInt8] { Raw.bytes(12, Raw.text(1, "r") + Raw.number(2, index)) }

  @Test func wellFormedItemsAreTaken() {
    #expect(refusal(space + item(1, 1, id: "")) == nil)
    #expect(refusal(space + item(1, 1, field) + item(3, 2, id: "", set, after(0)) + item(2, 3, field, reference(1))) == nil)
    #expect(refusal(space + item(4, 1, expected, field, Raw.number(10, 2)) + item(5, 2, expected, Raw.number(10, 3))) == nil)
  }

  @Test func anItemThatBreaksARuleIsNamedAndOneThatNobodyCanNameFailsTheCall() {
    let first = space + item(1, 1)
    #expect(told(space) == "call |items|items_max")
    #expect(told(first + item(3, 2, set)) == "items[1]|expected|expected_required")
    #expect(told(first + item(5, 2)) == "items[1]|expected|expected_required")
    #expect(told(first + item(0, 2)) == "items[1]|kind|write_kind")
    #expect(told(first + item(99, 2)) == "items[1]|kind|write_kind")
    #expect(told(first + item(2, 2, id: "")) == "items[1]|id|entity_id")
    #expect(told(first + item(5, 2, id: "", expected)) == "items[1]|id|entity_id")
    #expect(told(first + item(1, 1)) == "call items[1]|operation_id|operation_id_duplicate")
    #expect(told(space + Raw.bytes(2, Raw.number(1, 1) + Raw.text(2, "t"))) == "call items[0]|operation_id|operation_id")
    #expect(told(first + item(3, 2, set, after(1))) == "items[1]|after_item|item_reference")
    #expect(told(first + item(3, 2, set, after(.max))) == "items[1]|after_item|item_reference")
    #expect(told(first + item(1, 2, reference(1))) == "items[1]|references|item_reference")
    #expect(told(first + item(5, 2, expected, reference(0))) == "items[1]|references|reference_kind")
    #expect(told(first + item(1, 2, expected)) == "items[1]|expected|expected_kind")
    #expect(told(first + item(1, 2, set)) == "items[1]|operations|operations_kind")
    #expect(told(first + item(5, 2, expected, field)) == "items[1]|fields|fields_kind")
    #expect(told(first + item(1, 2, Raw.text(9, String(repeating: "g", count: 64)))) == "call items[1]|group|group_label")
    for (kind, onConflict) in [(1, 2), (2, 2), (1, 3), (2, 3)] as [(UInt64, UInt64)] {
      #expect(told(first + item(kind, 2, Raw.number(10, onConflict))) == "items[1]|on_conflict|on_conflict_kind")
    }
    #expect(told(first + item(5, 2, expected, Raw.number(10, 2))) == "items[1]|on_conflict|on_conflict_kind")
    #expect(told(first + item(1, 2, Raw.number(10, 9))) == "items[1]|on_conflict|on_conflict")
    #expect(told(first + Raw.number(3, 9)) == "call |mode|bulk_mode")
    #expect(told(space + item(1, 1, field, field)) == "items[0]|f|field_duplicate")
  }

  /// What is wrong with one item is wrong with no other.
  @Test func anItemThatBreaksARuleLeavesTheOthersAlone() throws {
    let bytes =
      space + item(1, 1, field) + item(1, 2, id: "", field, field, Raw.text(9, "g"))
      + Raw.bytes(2, Raw.number(1, 1) + Raw.text(2, "no type") + Raw.text(3, "x") + operation(3)) + item(3, 4, expected, set)
    let items = try bytes.withUnsafeBytes { try BulkWriteRequest.decode($0, using: arena) }.items
    #expect(items.map { $0.fault?.rule } == [nil, "field_duplicate", "type_name", nil])
    #expect(items.map { $0.operation.rawValue.low } == [1, 2, 3, 4])
    #expect(items.map { $0.type.text } == ["t", "t", "_", "t"] && items.map { $0.id?.text } == ["i", nil, "x", "i"])
    // It still belongs to its group, and means nothing else.
    #expect(items[1].group == "g" && items[1].action == .create(Fields()))
  }

  @Test func aStatusNamesTheItemInItsTextAndItsDetails() throws {
    let status = RPCStatus(try #require(refusal(space + item(1, 1) + item(1, 1))))
    #expect(status.message.hasPrefix("items[1]: "))
    let detail = try #require(status.details.first)
    #expect(String(decoding: detail.value, as: UTF8.self).contains("items[1].operation_id"))
  }

  @Test func theNumberOfItemsAndOfElementsIsBounded() {
    let thousand = (0..<Limits.itemsPerRequestMax).flatMap { item(1, $0) }
    #expect(refusal(space + thousand) == nil)
    #expect(named(refusal(space + thousand + item(1, 1_000))) == "|items|items_max")
    // Empty sub-messages: 2 bytes each.
    let empty = [[UInt8]](repeating: [2 << 3 | 2, 0], count: WireLimits.messageBytesMax / 2 - 64).flatMap { $0 }
    #expect(named(refusal(space + empty)) == "|items|items_max")
    let fields = [[UInt8]](repeating: [7 << 3 | 2, 0], count: 600).flatMap { $0 }
    #expect(told(space + item(1, 1, fields))?.hasPrefix("items[0]") == true)
    // Unknown fields count for all items together.
    let unknown = [[UInt8]](repeating: [13 << 3 | 2, 0], count: 1_500).flatMap { $0 }
    #expect(refusal(space + (0..<200).flatMap { item(1, $0, unknown) }) == nil)
    #expect(refusal(space + (0..<500).flatMap { item(1, $0, unknown) })?.message == WireError.tooManyElements.message)
    let list = [[UInt8]](repeating: Raw.bytes(1, Raw.number(2, 1)), count: 9_000).flatMap { $0 }
    let listField = Raw.bytes(7, Raw.text(1, "f") + Raw.bytes(2, Raw.bytes(8, list)))
    #expect(refusal(space + (0..<60).flatMap { item(1, $0, listField) })?.message == WireError.tooManyElements.message)
  }

  @Test func everyPrefixAndEveryChangeOfABulkIsAnsweredWithoutATrap() throws {
    var random = RandomValues(seed: freshSeed("everyPrefixAndEveryChangeOfABulkIsAnsweredWithoutATrap"))
    for _ in 0..<20 {
      let bytes = try BulkWriteRequest(space: random.space(), items: random.items(2...3)).encode(using: arena)
      for end in 0..<bytes.count { _ = refusal(Array(bytes[..<end])) }
      for _ in 0..<200 {
        var changed = bytes
        for _ in 0..<random.number(1...4) {
          changed[random.number(0...bytes.count - 1)] = UInt8.random(in: 0...255, using: &random.random)
        }
        _ = refusal(changed)
        _ = undoRefusal(changed)
      }
    }
  }

  @Test func anUndoNamesEachWriteOnceAndNeverOverwrites() {
    func undo(_ write: Int, _ back: Int) -> [UInt8] {
      func text(_ field: UInt64, _ number: Int) -> [UInt8] {
        Raw.text(field, OperationID(rawValue: Bytes16(high: 7, low: UInt64(number))).description)
      }
      return Raw.bytes(2, text(1, write) + text(2, back))
    }
    #expect(undoRefusal(space + undo(1, 2) + undo(3, 4)) == nil)
    #expect(named(undoRefusal(space)) == "|items|items_max")
    #expect(named(undoRefusal(space + undo(1, 2) + undo(1, 4))) == "items[1]|operation_id|operation_id_duplicate")
    #expect(named(undoRefusal(space + undo(1, 2) + undo(3, 2))) == "items[1]|undo_operation_id|operation_id_duplicate")
    #expect(named(undoRefusal(space + undo(1, 2) + Raw.number(3, 3))) == "|on_conflict|on_conflict_kind")
    #expect(named(undoRefusal(space + Raw.bytes(2, []))) == "items[0]|operation_id|operation_id")
  }
}
