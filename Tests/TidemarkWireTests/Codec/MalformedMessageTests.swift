import Testing
import TidemarkCore

@testable import TidemarkWire

/// Everything a hostile or broken peer may send is answered by an error, never by a trap or by memory without end.
@Suite struct MalformedMessageTests {
  let arena = MessageArena()

  private func getRefusal(_ bytes: [UInt8]) -> WireError? {
    refusal(bytes) { (raw) throws(WireError) in try GetRequest.decode(raw, using: arena) }
  }
  private func createRefusal(_ bytes: [UInt8]) -> WireError? {
    refusal(bytes) { (raw) throws(WireError) in
      try WriteRequest.decode(raw, kind: .create, using: arena) { OperationID(rawValue: Bytes16(high: 1, low: 1)) }
    }
  }
  private func updateRefusal(_ operation: [UInt8], expected: [UInt8]? = Raw.number(1, 1)) -> WireError? {
    let bytes = get + Raw.bytes(4, operation) + (expected.map { Raw.bytes(5, $0) } ?? [])
    return refusal(bytes) { (raw) throws(WireError) in
      try WriteRequest.decode(raw, kind: .update, using: arena) { OperationID(rawValue: Bytes16(high: 1, low: 1)) }
    }
  }
  /// A create with one field of this value.
  private func create(_ value: [UInt8], name: String = "f") -> [UInt8] {
    Raw.text(1, "s") + Raw.text(2, "t") + Raw.bytes(4, Raw.text(1, name) + Raw.bytes(2, value))
  }

  private let get = Raw.text(1, "s") + Raw.text(2, "t") + Raw.text(3, "i")

  @Test func groupsAndUnassignedWireTypesAreRefused() {
    #expect(getRefusal(get) == nil)
    for type: UInt8 in [3, 4, 6, 7] {
      #expect(getRefusal(get + [7 << 3 | type]) == .badWireType)
      #expect(getRefusal(get + [7 << 3 | type, 0, 0, 0, 0, 0, 0, 0, 0]) == .badWireType)
    }
  }

  @Test func fieldNumberZeroIsRefused() {
    #expect(getRefusal(get + [0, 0]) == .badTag)
    #expect(getRefusal(get + [2, 0]) == .badTag)
    #expect(getRefusal(get + [0x80, 0x00]) == .badTag)
  }

  @Test func overlongNumbersAreRefused() {
    let ten = [UInt8](repeating: 0xFF, count: 9)
    #expect(getRefusal(get + [4 << 3] + ten + [0x01]) == nil)
    #expect(getRefusal(get + [4 << 3] + ten + [0x02]) == .varintTooLong)
    #expect(getRefusal(get + [4 << 3] + ten + [0x80, 0x00]) == .varintTooLong)
    #expect(getRefusal(get + [4 << 3] + [UInt8](repeating: 0x80, count: 100)) == .varintTooLong)
    #expect(getRefusal(get + [UInt8](repeating: 0xFF, count: 5)) == .truncated)
    #expect(getRefusal(get + [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]) == .badTag)
  }

  @Test func lengthsPastTheEndAndNegativeOnesAreRefused() {
    #expect(getRefusal([1 << 3 | 2, 2, 0x61]) == .truncated)
    #expect(getRefusal([1 << 3 | 2] + Raw.varint(UInt64.max)) == .truncated)
    #expect(getRefusal([1 << 3 | 2] + Raw.varint(UInt64(Int64.max)) + [1]) == .truncated)
    #expect(getRefusal([1 << 3 | 2] + Raw.varint(0x8000_0000) + [1]) == .truncated)
    #expect(getRefusal([5 << 3 | 1, 0, 0]) == .truncated)
    #expect(getRefusal([6 << 3 | 5, 0, 0, 0]) == .truncated)
  }

  @Test func everyPrefixOfAMessageIsAnsweredWithoutATrap() throws {
    var random = RandomValues(seed: freshSeed("everyPrefixOfAMessageIsAnsweredWithoutATrap"))
    for _ in 0..<20 {
      let request = WriteRequest(space: random.space(), item: random.item())
      let bytes = try request.encode(using: arena)
      for end in 0..<bytes.count {
        for kind in WriteRequest.Kind.allCases {
          _ = refusal(Array(bytes[..<end])) { (raw) throws(WireError) in
            try WriteRequest.decode(raw, kind: kind, using: arena) { OperationID(rawValue: Bytes16(high: 1, low: 1)) }
          }
        }
      }
    }
  }

  @Test func aNumberWhereTextBelongsIsRefused() {
    #expect(getRefusal(Raw.number(1, 5) + get) == .unparsable)
    #expect(getRefusal(get + Raw.text(4, "x")) == .unparsable)
    #expect(getRefusal(get + [4 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 1]) == .unparsable)
  }

  @Test func deepNestingIsBounded() {
    // Unknown fields nest as deep as they like, unread. Known messages cannot nest: see ProtoFileTests and MessagePrescanTests.
    var bomb: [UInt8] = []
    for _ in 0..<10_000 { bomb = Raw.bytes(2, bomb) }
    #expect(getRefusal(Raw.bytes(9, bomb) + get) == nil)
    #expect(createRefusal(Raw.bytes(4, bomb)) != nil)
  }

  @Test func millionsOfEmptyElementsStayUnderTheCap() {
    let half = WireLimits.messageBytesMax / 2
    // 2 bytes each: empty fields of an entity, empty keys, empty unknown fields, empty scalars of a list.
    let emptyFields = [[UInt8]](repeating: [4 << 3 | 2, 0], count: half).flatMap { $0 }
    #expect(createRefusal(emptyFields)?.violations.first?.rule == "field_name")
    let unknownInField = [[UInt8]](repeating: [9 << 3 | 2, 0], count: half - 64).flatMap { $0 }
    #expect(createRefusal(Raw.bytes(4, unknownInField)) == .tooManyElements)
    let emptyKeys = [[UInt8]](repeating: [2 << 3 | 2, 0], count: half).flatMap { $0 }
    #expect(refusal(emptyKeys) { (raw) throws(WireError) in try BatchGetRequest.decode(raw, using: arena) } == .tooManyElements)
    let unknown = [[UInt8]](repeating: [9 << 3 | 2, 0], count: half).flatMap { $0 }
    #expect(getRefusal(unknown) == .tooManyElements)
    let scalars = [[UInt8]](repeating: [1 << 3 | 2, 0], count: half - 64).flatMap { $0 }
    #expect(createRefusal(create(Raw.bytes(8, scalars))) == .tooManyElements)
    // The same number given again and again is no element, but protobuf-c notes each place: the arena's cap holds.
    let flags = [[UInt8]](repeating: [4 << 3, 1], count: half).flatMap { $0 }
    #expect(getRefusal(flags) == .tooMuchMemory)
    // And the arena is as good as new afterwards.
    #expect(getRefusal(get) == nil)
  }

  @Test func oversizeMessagesAreRefusedUnread() {
    let bytes = [UInt8](repeating: 0, count: WireLimits.messageBytesMax + 1)
    #expect(getRefusal(bytes) == .tooLarge)
  }

  @Test func invalidUTF8IsRefusedEverywhere() {
    for bad: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] {
      #expect(getRefusal(Raw.bytes(1, bad) + Raw.text(2, "t") + Raw.text(3, "i")) == .notUTF8)
      #expect(getRefusal(Raw.text(1, "s") + Raw.text(2, "t") + Raw.bytes(3, bad)) == .notUTF8)
      #expect(createRefusal(create(Raw.bytes(5, bad))) == .notUTF8)
      #expect(createRefusal(create(Raw.bytes(9, bad))) == .notUTF8)
      #expect(refusal(Raw.bytes(2, bad)) { (raw) throws(WireError) in try CallMeta.decode(raw) } == .notUTF8)
    }
  }

  @Test func nulIsKeptInTextValuesAndRefusedInNames() throws {
    let bytes = create(Raw.text(5, "a\0b"))
    let request = try withBytes(bytes) { (raw) throws(WireError) in
      try WriteRequest.decode(raw, kind: .create, using: arena) { OperationID(rawValue: Bytes16(high: 1, low: 1)) }
    }
    guard case .create(let fields) = request.item.action, let name = FieldPath("f") else {
      Issue.record("not a create")
      return
    }
    #expect(fields[name] == .string("a\0b"))
    for part: [UInt8] in [
      Raw.text(1, "s\0") + Raw.text(2, "t") + Raw.text(3, "i"), Raw.text(1, "s") + Raw.text(2, "t\0") + Raw.text(3, "i"),
      Raw.text(1, "s") + Raw.text(2, "t") + Raw.text(3, "i\0"),
    ] { #expect(getRefusal(part)?.code == .invalid) }
  }

  @Test func refusalsNameTheFieldAndTheRule() {
    func rule(_ error: WireError?) -> String? { error?.violations.first.map { "\($0.field?.text ?? "-") \($0.rule)" } }
    #expect(rule(getRefusal(Raw.text(1, "S") + Raw.text(2, "t") + Raw.text(3, "i"))) == "space space_name")
    #expect(rule(getRefusal(Raw.text(1, "s") + Raw.text(2, "t.") + Raw.text(3, "i"))) == "type type_name")
    #expect(rule(getRefusal(Raw.text(1, "s") + Raw.text(2, "t"))) == "id entity_id")
    #expect(rule(createRefusal(create([]))) == "f value_missing")
    #expect(rule(createRefusal(create(Raw.number(1, 0)))) == "f null_false")
    #expect(rule(createRefusal(create(Raw.number(2, 1), name: "1"))) == "fields field_name")
    #expect(rule(createRefusal(create(Raw.text(9, "{")))) == "f json")
    #expect(rule(createRefusal(create(Raw.number(7, UInt64(Int64.max))))) == "f timestamp_range")
    #expect(rule(createRefusal(create(Raw.bytes(8, Raw.bytes(1, []))))) == "f value_missing")
    let one = create(Raw.number(3, 1))
    func more(_ name: String) -> [UInt8] { Raw.bytes(4, Raw.text(1, name) + Raw.bytes(2, Raw.number(2, 1))) }
    #expect(rule(createRefusal(one + more("f"))) == "f field_duplicate")
    #expect(rule(createRefusal(one + more("f.g"))) == "f.g field_overlap")
    #expect(rule(createRefusal(one + Raw.bytes(5, Raw.text(1, "no-uuid")))) == "options.operation_id operation_id")
    let scalars = [[UInt8]](repeating: Raw.bytes(1, Raw.number(2, 1)), count: Limits.listElementsMax + 1).flatMap { $0 }
    let long = Raw.bytes(8, scalars)
    #expect(rule(createRefusal(create(long))) == "f list_elements_max")
    let set = Raw.text(1, "f") + Raw.bytes(2, Raw.number(2, 1))
    #expect(updateRefusal(set) == nil)
    #expect(rule(updateRefusal(set, expected: nil)) == "expected expected_required")
    #expect(rule(updateRefusal(set, expected: [])) == "expected expected_required")
    #expect(rule(updateRefusal(set, expected: Raw.number(1, .max))) == "expected.version version_range")
    #expect(rule(updateRefusal(set, expected: Raw.number(1, 1) + Raw.number(2, .max))) == "expected.revision revision_range")
    #expect(rule(updateRefusal(set, expected: Raw.number(1, 1) + Raw.bytes(3, [1]))) == "expected.epoch epoch")
    #expect(rule(updateRefusal(Raw.text(1, "f"))) == "f operation_missing")
    #expect(rule(updateRefusal(Raw.text(1, "f") + Raw.number(3, 0))) == "f unset_false")
    #expect(rule(updateRefusal(Raw.text(1, "f") + Raw.bytes(4, Raw.number(2, 1)))) == "f increment_kind")
  }

  @Test func aSingularSubmessageGivenTwiceIsRefused() {
    let value = Raw.bytes(2, Raw.number(3, 1))
    #expect(createRefusal(Raw.bytes(4, Raw.text(1, "f") + value + value)) == .repeatedSubmessage)
  }

  @Test func arbitraryChangesOfAMessageNeverTrap() throws {
    var random = RandomValues(seed: freshSeed("arbitraryChangesOfAMessageNeverTrap"))
    for _ in 0..<3_000 {
      var bytes = try WriteRequest(space: random.space(), item: random.item()).encode(using: arena)
      for _ in 0..<random.number(1...4) where !bytes.isEmpty {
        bytes[random.number(0...bytes.count - 1)] = UInt8.random(in: 0...255, using: &random.random)
      }
      for kind in WriteRequest.Kind.allCases {
        _ = refusal(bytes) { (raw) throws(WireError) in
          try WriteRequest.decode(raw, kind: kind, using: arena) { OperationID(rawValue: Bytes16(high: 1, low: 1)) }
        }
      }
    }
  }

  @Test func badMetadataIsRefused() {
    func metaRefusal(_ bytes: [UInt8]) -> WireError? { refusal(bytes) { (raw) throws(WireError) in try CallMeta.decode(raw) } }
    let entry = Raw.bytes(5, Raw.text(1, "k"))
    #expect(metaRefusal([[UInt8]](repeating: entry, count: 64).flatMap { $0 }) == nil)
    #expect(metaRefusal([[UInt8]](repeating: entry, count: 65).flatMap { $0 }) == .tooManyElements)
    #expect(metaRefusal(Raw.text(2, String(repeating: "x", count: 8_192))) == .tooLarge)
    for key in ["", "K", "a b", "a\0", "ä", String(repeating: "k", count: 65)] {
      #expect(metaRefusal(Raw.bytes(5, Raw.text(1, key)))?.code == .invalid)
    }
  }
}
