import Testing
import TidemarkCore
import TidemarkTesting

@testable import tidemark

@Suite struct FieldTests {
  private func path(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }

  @Test func eachSignHasItsKind() throws {
    let name = try path("a.b")
    #expect(try FieldArgument("a.b=x=y") == .set(name, .string("x=y")))
    #expect(try FieldArgument("a.b=") == .set(name, .string("")))
    #expect(try FieldArgument("a.b:=7") == .set(name, .int(7)))
    #expect(try FieldArgument("a.b:=7.0") == .set(name, .double(7)))
    #expect(try FieldArgument("a.b:=true") == .set(name, .bool(true)))
    #expect(try FieldArgument("a.b:=null") == .set(name, .null))
    #expect(try FieldArgument("a.b:=\"t\"") == .set(name, .string("t")))
    #expect(try FieldArgument("a.b:=[1,\"x\",null]") == .set(name, .list([.int(1), .string("x"), .null])))
    #expect(try FieldArgument("a.b:={ \"k\": 1 }") == .set(name, .json("{ \"k\": 1 }")))
    #expect(try FieldArgument("a.b:=[[1]]") == .set(name, .json("[[1]]")))
    #expect(try FieldArgument("a.b@=1970-01-01T00:00:01Z") == .set(name, .timestamp(Timestamp(rawValue: 1_000_000))))
    #expect(try FieldArgument("a.b%=AQI=") == .set(name, .bytes([1, 2])))
    #expect(try FieldArgument("a.b+=1") == .increment(name, .int(1)))
    #expect(try FieldArgument("a.b+=-0.5") == .increment(name, .double(-0.5)))
    #expect(try FieldArgument("a.b!") == .unset(name))
  }

  @Test(arguments: [
    "a", "=x", "1a=x", "a..b=x", "a:=", "a:=x", "a:=9223372036854775808", "a@=yesterday", "a+=x", "a+=\"1\"", "a%=%", "a!x", "!",
  ])
  func wrongArgumentsAreAWrongUsage(_ text: String) {
    let failure = #expect(throws: CommandFailure.self) { try FieldArgument(text) }
    #expect(failure?.status == .usage)
  }

  @Test func anIdIsToldFromAField() {
    for id in ["17", "a:b", "room+1", "é", "a@b", "x%", "wow!!"] { #expect(!FieldArgument.isLikely(id), "\(id)") }
    for field in ["a=b", "a:=1", "a+=1", "a!", "a@=x"] { #expect(FieldArgument.isLikely(field), "\(field)") }
  }

  @Test func aCreateTakesNoIncrement() {
    #expect(throws: CommandFailure.self) { try Fields(arguments: ["a+=1"]) }
    #expect(throws: CommandFailure.self) { try Fields(arguments: ["a=1", "a=2"]) }
    #expect(throws: CommandFailure.self) { try Patch(arguments: []) }
  }

  private func randomScalar(_ random: inout SeededGenerator) -> Scalar {
    switch Int.random(in: 0..<7, using: &random) {
    case 0: .null
    case 1: .bool(.random(using: &random))
    case 2: .int(.random(in: .min ... .max, using: &random))
    case 3:
      .double([0.0, -0.0, .infinity, -.infinity, .nan, 1e300, .leastNonzeroMagnitude, 7].randomElement(using: &random) ?? 0)
    case 4: .string(["", "x", "\u{0}\n", "é"].randomElement(using: &random) ?? "")
    case 5: .bytes((0..<Int.random(in: 0...5, using: &random)).map { UInt8($0) })
    default: .timestamp(Timestamp(rawValue: .random(in: -1_000_000_000...1_000_000_000_000_000, using: &random)))
    }
  }

  @Test func everyValueSurvivesTheExportedForm() throws {
    var random = SeededGenerator(printing: "values as JSON")
    let documents = ["{\"a\":[1]}", "{ \"a\" : 1 }", "5", "[\n1]", "\"\\u0041\"", "\"x\""]
    for _ in 0..<2_000 {
      let value: Value =
        switch Int.random(in: 0..<3, using: &random) {
        case 0: randomScalar(&random).value
        case 1: .list((0..<Int.random(in: 0...4, using: &random)).map { _ in randomScalar(&random) })
        default: .json(documents.randomElement(using: &random) ?? "null")
        }
      let name = try path("f")
      let (fields, kinds) = try Fields([Field(name, value)]).json
      let line = JSON.object([.init("id", .string("1")), .init("fields", fields)] + (kinds.map { [.init("kinds", $0)] } ?? []))
      #expect(!line.compact.contains("\n"))
      let splitter = LineSplitter.Line(bytes: Array(line.compact.utf8), number: 1)
      let map = try ColumnMap(maps: [], columns: [])
      let row = try JSONRowMaker(idName: "id", map: map).make(splitter).content.get()
      #expect(row.fields[name] == value, "\(line.compact)")
    }
  }

  @Test func theConflictTextNamesTheExactCommands() throws {
    let type = try #require(TypeName("booking"))
    let id = try #require(EntityID("17"))
    let ann = Mark(at: Timestamp(rawValue: 0), by: try #require(PrincipalName("front desk")))
    let entity = Entity(
      key: EntityKey(type: type, id: id), version: EntityVersion(rawValue: 5), revision: Revision(rawValue: 9), life: .alive,
      created: ann, updated: ann, fields: .empty)
    let title = try path("title")
    let change = FieldChange(
      name: title, before: .string("A"), after: .string("B"), version: EntityVersion(rawValue: 5), changed: ann)
    let conflict = Conflict(
      expected: Expected(version: .first), current: entity, base: nil, changes: [change], overlapping: [title])
    let outcome = Outcome(
      code: .conflict, type: type, id: id, operation: OperationID(rawValue: Bytes16(high: 0, low: 0)),
      version: EntityVersion(rawValue: 5), epoch: Epoch(rawValue: Bytes16(high: 0, low: 0)), conflict: conflict, message: "M.")
    let text = try ConflictText.text(
      outcome, arguments: ["tidemark", "patch", "booking", "17", "title=My day", "--expected=1", "--url", "tidemark://h/s"])
    #expect(
      text == """
        conflict: M.
          version 5 was changed by front desk at 1970-01-01T00:00:00Z
          title: "A" -> "B"  (version 5 by front desk at 1970-01-01T00:00:00Z)  you change it too
        To see it as it is:        tidemark get booking 17 --url tidemark://h/s
        To write on top of it:     tidemark patch booking 17 'title=My day' --url tidemark://h/s --expected 5
        """)
  }
}
