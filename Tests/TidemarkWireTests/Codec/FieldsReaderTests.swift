import CTidemarkProtobufC
import CTidemarkWire
import Testing
import TidemarkCore

@testable import TidemarkWire

/// Reading fields without protobuf-c gives what reading them with it gives, for good messages and bad ones.
@Suite struct FieldsReaderTests {
  let arena = MessageArena()
  let other = MessageArena()

  /// The fields and the type of an entity, both ways; `nil` when refused.
  private func bothWays(_ bytes: [UInt8]) -> (split: (Fields, String)?, whole: (Fields, String)?) {
    let split = try? withBytes(bytes) { (raw) throws(WireError) in
      try arena.decode(raw, as: .entity, fields: 15) { (entity, fields) throws(WireError) in (fields, try entity.type.text()) }
    }
    let whole = try? withBytes(bytes) { (raw) throws(WireError) in
      try other.decode(raw, as: .entity) { (entity) throws(WireError) in
        (try Fields(entity.n_fields, entity.fields), try entity.type.text())
      }
    }
    return (split, whole)
  }

  private func agree(_ bytes: [UInt8]) -> Bool {
    let (split, whole) = bothWays(bytes)
    return split?.0 == whole?.0 && split?.1 == whole?.1
  }

  @Test func bothWaysAgreeOnGoodMessages() throws {
    var random = RandomValues(seed: freshSeed("bothWaysAgreeOnGoodMessages"))
    for _ in 0..<1_000 {
      let fields = random.fields()
      let bytes = Raw.text(1, "before") + CanonicalFields(fields).bytes + Raw.text(1, "after")
      #expect(bothWays(bytes).split?.0 == fields)
      #expect(bothWays(bytes).split?.1 == "after")
      #expect(agree(bytes))
    }
  }

  @Test func bothWaysAgreeOnDamagedMessages() throws {
    var random = RandomValues(seed: freshSeed("bothWaysAgreeOnDamagedMessages"))
    for _ in 0..<5_000 {
      var bytes = CanonicalFields(random.fields()).bytes + Raw.text(1, "t")
      for _ in 0..<random.number(1...3) {
        let place = random.number(0...bytes.count - 1)
        switch random.number(0...2) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random.random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(UInt8(random.number(0...80)), at: place)
        }
        if bytes.isEmpty { break }
      }
      #expect(agree(bytes), "\(bytes)")
    }
  }

  @Test func bothWaysAgreeOnOddButLegalMessages() {
    func field(_ value: [UInt8]) -> [UInt8] { Raw.bytes(15, Raw.text(1, "f") + Raw.bytes(2, value)) }
    let list = Raw.bytes(8, Raw.bytes(1, Raw.number(3, 7)))
    for value in [
      Raw.number(3, 1) + Raw.text(5, "x"), Raw.text(5, "x") + Raw.number(3, 1), Raw.text(9, "{") + Raw.number(3, 1),
      list + Raw.number(3, 1), Raw.number(3, 1) + list, list + list, Raw.bytes(5, [0xFF]) + Raw.number(2, 5), Raw.number(2, 300),
      Raw.number(2, 0), Raw.number(99, 1), Raw.number(3, 1) + Raw.number(99, 1), Raw.bytes(8, []), Raw.bytes(8, Raw.number(9, 9)),
      Raw.bytes(8, Raw.bytes(1, Raw.number(3, 7) + Raw.text(5, "y"))), Raw.number(1, 1 << 40), Raw.number(2, 1 << 63),
    ] { #expect(agree(field(value)), "\(value)") }
    #expect(agree(Raw.bytes(15, Raw.bytes(2, Raw.number(3, 1)) + Raw.text(1, "f"))))
    #expect(agree(Raw.bytes(15, Raw.text(1, "e") + Raw.text(1, "f") + Raw.bytes(2, Raw.number(3, 1)))))
    #expect(agree(Raw.bytes(15, [])))
    #expect(agree([15 << 3 | 5, 0, 0, 0, 0]))
  }
}
