import Testing
import TidemarkCore

@testable import tidemark

@Suite struct ImportTests {
  private func maker(_ header: [String], map: [String] = [], columns: [String] = [], id: String = "id") throws -> CSVRowMaker {
    try CSVRowMaker(header: header, idColumn: id, map: try ColumnMap(maps: map, columns: columns))
  }

  @Test func columnsBecomeTypedFieldsAndEmptyCellsAbsentOnes() throws {
    let maker = try maker(
      ["id", "title", "start", "seats", "note"], map: ["start:timestamp,seats:int", "note:string:info.note"])
    let row = maker.make(CSVParser.Row(cells: ["1", "T", "2025-01-01", "8", ""], line: 2))
    let content = try row.content.get()
    #expect(content.id.text == "1")
    #expect(content.fields[try #require(FieldPath("title"))] == .string("T"))
    #expect(content.fields[try #require(FieldPath("seats"))] == .int(8))
    #expect(content.fields[try #require(FieldPath("start"))] == TimeText.parse("2025-01-01").map { .timestamp($0) })
    #expect(content.cleared.map { $0.text } == ["info.note"])
  }

  @Test func aRowThatDoesNotFitIsAProblemOfThatRowOnly() throws {
    let maker = try maker(["id", "seats"], map: ["seats:int"])
    for cells in [["1", "x"], ["1"], ["", "1"], ["1", "2", "3"]] {
      let row = maker.make(CSVParser.Row(cells: cells, line: 7))
      #expect(row.line == 7)
      #expect(throws: ImportRow.Problem.self) { try row.content.get() }
    }
  }

  @Test func aMappingThatDoesNotFitTheFileIsAWrongUsage() throws {
    #expect(throws: CommandFailure.self) { try maker(["a", "b"]) }
    #expect(throws: CommandFailure.self) { try maker(["id", "id"]) }
    #expect(throws: CommandFailure.self) { try maker(["id", "First name"]) }
    #expect(throws: CommandFailure.self) { try maker(["id"], map: ["nope:int"]) }
    #expect(throws: CommandFailure.self) { try maker(["id", "a", "a.b"]) }
    for map in ["a", "a:number", ":int", "a:int,a:int"] {
      #expect(throws: CommandFailure.self) { try ColumnMap(maps: [map], columns: []) }
    }
    let renamed = try maker(["id", "First name", "x"], columns: ["First name=string:first_name", "x=skip"])
    let content = try renamed.make(CSVParser.Row(cells: ["1", "A", "y"], line: 1)).content.get()
    #expect(content.fields.sorted.map { $0.name.text } == ["first_name"])
  }

  @Test func theSameRowAlwaysHasTheSameOperationIdAndAnotherRowAnother() throws {
    let space = try #require(SpaceName("hotel"))
    let type = try #require(TypeName("booking"))
    let title = try #require(FieldPath("title"))
    func name(_ id: String, _ text: String) throws -> OperationID {
      OperationName.create(
        space: space, key: EntityKey(type: type, id: try #require(EntityID(id))),
        fields: try Fields([Field(title, .string(text))]))
    }
    #expect(try name("1", "a") == name("1", "a"))
    #expect(try name("1", "a") != name("1", "b"))
    #expect(try name("1", "a") != name("2", "a"))
    let text = try name("1", "a").description
    #expect(text.dropFirst(14).first == "8")
    #expect("89ab".contains(text.dropFirst(19).first ?? "x"))
  }

  @Test func onlyWhatDiffersIsChanged() throws {
    let names = try ["a", "b", "c", "d"].map { try #require(FieldPath($0)) }
    let current = try Fields([
      Field(names[0], .string("1")), Field(names[1], .string("2")), Field(names[2], .int(3)), Field(names[3], .int(4)),
    ])
    let content = ImportRow.Content(
      id: try #require(EntityID("1")), fields: try Fields([Field(names[0], .string("1")), Field(names[1], .string("x"))]),
      cleared: [names[2]])
    #expect(
      RowImporter.difference(content, from: current)
        == [Patch.Entry(names[1], .set(.string("x"))), Patch.Entry(names[2], .unset)])
  }
}
