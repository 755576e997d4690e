import NIOCore
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// Schemas that are told again and again, and those that are too large to be told.
@Suite struct SchemaAnswersTests {
  @Test func aSchemaIsToldAgainFromWhatWasEncodedBefore() async throws {
    let world = try BulkWorld()
    func schema(_ type: ValueType) throws -> Schema {
      Schema(types: [TypeSchema(name: world.type, fields: [FieldSchema(name: try #require(FieldPath("n")), type: type)])])
    }
    func told(_ version: UInt64) async throws -> Schema? {
      let answer: GetSchemaResponse = try await world.get(.getSchema, GetSchemaRequest(space: .default, version: version))
      return answer.schema?.schema
    }
    #expect(try await told(0) == nil)
    for (version, type) in [ValueType.int, .string].enumerated() {
      let request = ApplySchemaRequest(
        space: .default, schema: try schema(type), expectedVersion: UInt64(version), allowsBreaking: true)
      let applied: ApplySchemaResponse = try await world.get(.applySchema, request)
      #expect(applied.isApplied)
      for _ in 0..<2 { #expect(try await told(0) == schema(type)) }
    }
    #expect(try await told(1) == schema(.int))
    world.service.close()
  }

  @Test func keptAnswersAreBounded() {
    let answers = SchemaAnswers()
    let megabyte = [UInt8](repeating: 1, count: 1024 * 1024)
    for version in UInt64(1)...20 { answers.keep(megabyte, version, in: SpaceID(rawValue: 1)) }
    let kept = (UInt64(1)...20).filter { answers.answer($0, in: SpaceID(rawValue: 1)) != nil }
    #expect(kept.count <= 8 && kept.contains(20))
    #expect(answers.answer(20, in: SpaceID(rawValue: 2)) == nil)
  }

  @Test func aSchemaThatCouldNotBeToldIsNotApplied() async throws {
    let world = try BulkWorld()
    let name = try #require(FieldPath("colour"))
    func apply(values: Int) async throws -> ApplySchemaResponse {
      let field = FieldSchema(
        name: name, type: .string,
        allowedValues: (0..<values).map { .string("\($0)" + String(repeating: "x", count: 4_000)) })
      let schema = Schema(types: [TypeSchema(name: world.type, fields: [field])])
      return try await world.get(.applySchema, ApplySchemaRequest(space: .default, schema: schema, expectedVersion: 0))
    }
    let refused = try await apply(values: 270)
    #expect(!refused.isApplied && refused.problems.map(\.rule) == ["bytes_max"])
    #expect(try await apply(values: 250).isApplied)
    let told: GetSchemaResponse = try await world.get(.getSchema, GetSchemaRequest(space: .default))
    #expect(told.schema?.schema.types.first?.fields.first?.allowedValues.count == 250)
    world.service.close()
  }
}
