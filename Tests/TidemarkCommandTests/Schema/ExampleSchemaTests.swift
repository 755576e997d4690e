import Foundation
import Testing
import TidemarkCore

@testable import tidemark

/// The schemas under Examples/schemas can be used as they are.
@Suite struct ExampleSchemaTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Examples/schemas")

  private static let planner = [
    "actual", "portfolio", "program", "project", "project_phase", "rate", "resource", "resource_assignment", "scope_assignment",
    "user", "user_role", "worker", "worker_type",
  ]

  private func schema(_ name: String) throws -> Schema {
    let text = try String(contentsOf: ExampleSchemaTests.folder.appendingPathComponent("\(name).yaml"), encoding: .utf8)
    return try SchemaText.read(text)
  }

  @Test(arguments: [("monitoring", 2), ("commerce", 42), ("planner", 13), ("records", 4), ("classroom", 7)])
  func everyExampleIsSoundAndComesBackFromItsCanonicalText(name: String, types: Int) throws {
    let schema = try schema(name)
    #expect(schema.problems() == [])
    #expect(schema.types.count == types)
    #expect(try SchemaText.read(SchemaText.write(schema)) == schema)
    #expect(SchemaDiff(from: schema, to: schema).isEmpty)
  }

  @Test func noExampleIsLeftOut() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: ExampleSchemaTests.folder.path)
    #expect(files.count == 5)
  }

  @Test func thePlannerHasItsTypesAndTheClassroomItsKeys() throws {
    #expect(try schema("planner").types.map(\.name.text) == ExampleSchemaTests.planner)
    let classroom = try schema("classroom")
    let asset = try #require(TypeName("asset"))
    #expect(classroom[asset]?.uniqueKeys.map { $0.fields.map(\.text) } == [["md5", "type"]])
    let share = try #require(TypeName("share"))
    #expect(classroom[share]?.uniqueKeys.map { $0.fields.map(\.text) } == [["project", "group"]])
  }
}
