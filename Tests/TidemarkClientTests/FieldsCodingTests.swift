import Foundation
import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkClient

/// Values of programs become fields and come back the same.
@Suite struct FieldsCodingTests {
  private struct Address: Codable, Equatable {
    var city: String
    var lines: [String]
    var place: Place?
  }

  private struct Place: Codable, Equatable {
    var north: Double
    var east: Double
  }

  private enum Payment: Codable, Equatable {
    case none
    case card(number: String)
    case cash(Int)
  }

  private struct Booking: Codable, Equatable {
    var room: String
    var seats: Int
    var small: UInt8
    var price: Double
    var share: Float
    var isPaid: Bool
    var start: Date
    var photo: Data
    var note: String?
    var address: Address
    var guests: [Address]
    var days: [Date]
    var marks: [Int?]
    var table: [[Int]]
    var tags: Set<String>
    var extra: [String: Int]
    var oddNames: [String: Bool]
    var rooms: [Int: String]
    var id: UUID
    var link: URL?
    var payment: Payment
  }

  private func path(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }

  @Test func valuesComeBackTheSame() throws {
    var random = SeededGenerator(printing: "codable values")
    for _ in 0..<300 {
      let value = try booking(&random)
      let fields = try FieldsEncoder().encode(value)
      #expect(try FieldsDecoder().decode(Booking.self, from: fields) == value)
      // And over the form in which they are stored.
      #expect(try FieldsDecoder().decode(Booking.self, from: CanonicalFields(fields).decoded()) == value)
      for field in fields.sorted {
        if case .json(let text) = field.value { #expect(JSONText.isValid(text), "\(field.name)") }
      }
    }
  }

  private func booking(_ random: inout SeededGenerator) throws -> Booking {
    Booking(
      room: text(&random), seats: Int.random(in: .min ... .max, using: &random), small: .random(in: 0...255, using: &random),
      price: Double.random(in: -1e9...1e9, using: &random), share: Float.random(in: 0...1, using: &random),
      isPaid: Bool.random(using: &random), start: date(&random),
      photo: Data((0..<5).map { _ in UInt8.random(in: 0...255, using: &random) }),
      note: Bool.random(using: &random) ? text(&random) : nil, address: address(&random),
      guests: (0..<Int.random(in: 0...2, using: &random)).map { _ in address(&random) },
      days: (0..<Int.random(in: 0...2, using: &random)).map { _ in date(&random) },
      marks: [nil, Int.random(in: -5...5, using: &random)], table: [[1, 2], [], [Int.random(in: 0...9, using: &random)]],
      tags: [text(&random), text(&random)], extra: Bool.random(using: &random) ? ["a": 1, "b": 2] : [:],
      oddNames: ["with space": true, "a.b": false, "": true], rooms: [7: "seven", 8: "eight"], id: UUID(),
      link: URL(string: "https://example.org/x?y=1"),
      payment: [.none, .card(number: text(&random)), .cash(Int.random(in: 0...99, using: &random))].randomElement(using: &random)
        ?? .none)
  }

  private func address(_ random: inout SeededGenerator) -> Address {
    Address(
      city: text(&random), lines: Bool.random(using: &random) ? [] : [text(&random)],
      place: Bool.random(using: &random) ? Place(north: Double.random(in: -90...90, using: &random), east: 1e-7) : nil)
  }

  private func text(_ random: inout SeededGenerator) -> String {
    let letters = ["a", "\"", "\\", "\n", "\u{1}", "ä", "🙂", "e\u{301}", " ", "/"]
    return (0..<Int.random(in: 0...6, using: &random)).map { _ in letters.randomElement(using: &random) ?? "" }.joined()
  }

  /// Any microsecond of the years 1920 to 2080.
  private func date(_ random: inout SeededGenerator) -> Date {
    DateCoding.date(
      Timestamp(rawValue: Int64.random(in: -1_577_880_000_000_000...3_471_292_800_000_000, using: &random)))
  }

  @Test func microsecondsAreKept() {
    var random = SeededGenerator(printing: "dates")
    for _ in 0..<2_000 {
      let timestamp = Timestamp(
        rawValue: Int64.random(in: -1_577_880_000_000_000...3_471_292_800_000_000, using: &random))
      #expect(DateCoding.timestamp(DateCoding.date(timestamp)) == timestamp)
    }
  }

  @Test func membersBecomeFieldsAsTheTableSays() throws {
    struct Sample: Encodable {
      var a = Address(city: "X", lines: ["1", "2"], place: nil)
      var d = Date(timeIntervalSince1970: 1.5)
      var b = Data([1, 2])
      var n: Int?
      var o = [Place(north: 1, east: 2)]
      var e: [String: Int] = [:]
      var w = ["bad name": 1]
    }
    let fields = try FieldsEncoder().encode(Sample())
    #expect(
      fields.sorted == [
        Field(try path("a.city"), .string("X")), Field(try path("a.lines"), .list([.string("1"), .string("2")])),
        Field(try path("b"), .bytes([1, 2])), Field(try path("d"), .timestamp(Timestamp(rawValue: 1_500_000))),
        Field(try path("e"), .json("{}")), Field(try path("o"), .json("[{\"east\":2.0,\"north\":1.0}]")),
        Field(try path("w"), .json("{\"bad name\":1}")),
      ])
  }

  @Test func whatIsNoFieldNamesItsPath() throws {
    struct Large: Encodable {
      struct Inner: Encodable { var count = UInt64.max }
      var inner = Inner()
    }
    #expect(throws: FieldsCodingError.self) { try FieldsEncoder().encode(5) }
    #expect(throws: FieldsCodingError.self) { try FieldsEncoder().encode([1, 2]) }
    let name = #expect(throws: FieldsCodingError.self) { try FieldsEncoder().encode(["bad name": 1]) }
    #expect(name?.code == .badName)
    let large = #expect(throws: FieldsCodingError.self) { try FieldsEncoder().encode(Large()) }
    #expect(large?.path == "inner.count")
    #expect(large?.code == .outOfRange)
    let infinite = #expect(throws: FieldsCodingError.self) { try FieldsEncoder().encode(["a": [[Double.infinity]]]) }
    #expect(infinite?.path == "a")
    let many = Dictionary(uniqueKeysWithValues: (0..<513).map { ("f\($0)", $0) })
    #expect(throws: FieldsCodingError.self) { try FieldsEncoder().encode(many) }
  }

  @Test func fieldsThatMakeNoValueNameTheirPath() throws {
    var fields = try FieldsEncoder().encode(Address(city: "X", lines: [], place: Place(north: 1, east: 2)))
    fields.set(try path("place.north"), .string("up"))
    let kind = #expect(throws: FieldsCodingError.self) { try FieldsDecoder().decode(Address.self, from: fields) }
    #expect(kind?.path == "place.north")
    #expect(kind?.code == .wrongKind)
    fields.unset(try path("city"))
    fields.set(try path("place.north"), .int(3))
    let missing = #expect(throws: FieldsCodingError.self) { try FieldsDecoder().decode(Address.self, from: fields) }
    #expect(missing?.code == .missing)
    #expect(missing?.path == "city")
    let large = #expect(throws: FieldsCodingError.self) {
      try FieldsDecoder().decode([String: UInt8].self, from: Fields([Field(path("a"), .int(256))]))
    }
    #expect(large?.code == .outOfRange)
    let json = #expect(throws: FieldsCodingError.self) {
      try FieldsDecoder().decode([String: [Place]].self, from: Fields([Field(path("a"), .json("[{\"north\":1}]"))]))
    }
    #expect(json?.path.hasPrefix("a") == true)
    #expect(json?.code == .missing)
  }

  /// A program that knows one member changes that one.
  @Test func onlyWhatChangedIsWritten() throws {
    let old = Address(city: "X", lines: ["1"], place: Place(north: 1, east: 2))
    var new = old
    new.place?.east = 3
    let encoder = FieldsEncoder()
    #expect(
      try encoder.encode(old).changes(to: encoder.encode(new)) == [Patch.Entry(try path("place.east"), .set(.double(3)))])
    new = old
    new.place = nil
    #expect(
      try encoder.encode(old).changes(to: encoder.encode(new)).map(\.name.text) == ["place.east", "place.north"])
  }
}
