import Testing
import TidemarkCore

@testable import tidemark

/// Schemas as people write them come back as they were, and mistakes are told with their place.
@Suite struct SchemaTextTests {
  private func name(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }
  private func typeName(_ text: String) throws -> TypeName { try #require(TypeName(text)) }

  /// A schema that uses everything there is.
  private func everything() throws -> Schema {
    let asset = try typeName("asset")
    let texts = [
      "", "plain", "no", "Null", "12", "a: b", "x\ny\t\u{85}\u{2028}", "ends ", "日本 👩‍👩‍👧", "\"q\" \\ #", "- a", "e\u{301}",
    ]
    let fields = [
      FieldSchema(
        name: try name("a.any"), type: .any, defaultValue: .list([.null, .bool(true), .int(1), .double(1), .string("1")])),
      FieldSchema(name: try name("a.json"), type: .any, defaultValue: .json("{\"a\":[1,\"b\"]}")),
      FieldSchema(name: try name("a.time"), type: .any, defaultValue: .timestamp(Timestamp(rawValue: 1_000_001))),
      FieldSchema(name: try name("b"), type: .bool, isRequired: true, defaultValue: .bool(false)),
      FieldSchema(
        name: try name("c"), summary: "How many: # of \"them\"", type: .int, defaultValue: .int(.max), minimum: .int(.min),
        maximum: .int(.max), merge: .counter),
      FieldSchema(name: try name("d"), type: .double, minimum: .double(-0.5), maximum: .double(1e300), merge: .max),
      FieldSchema(name: try name("e"), type: .string, allowedValues: texts.map { .string($0) }, conflictPolicy: .clientWins),
      FieldSchema(name: try name("f"), type: .bytes, defaultValue: .bytes([0, 0xFF]), lengthMin: 0, lengthMax: 9),
      FieldSchema(name: try name("g"), type: .timestamp, minimum: .timestamp(Timestamp(rawValue: -1)), merge: .lastWriter),
      FieldSchema(name: try name("h"), type: .json, defaultValue: .json("[1, 2]")),
      FieldSchema(
        name: try name("i"), type: .stringList, isRequired: true, merge: .set,
        reference: Reference(target: asset, onDelete: .setNull)),
      FieldSchema(name: try name("j"), type: .string, reference: Reference(target: asset)),
      FieldSchema(name: try name("k"), type: .timestampList, defaultValue: .list([.timestamp(Timestamp(rawValue: 0))])),
    ]
    let type = TypeSchema(
      name: try typeName("thing"), summary: "- all of it", fields: fields, allowsOtherFields: true,
      uniqueKeys: [
        UniqueKey(name: try name("z"), fields: [try name("e"), try name("b")]),
        UniqueKey(name: try name("y"), fields: [try name("c")]),
      ],
      indexes: [IndexKey(name: try name("x"), fields: [try name("j")])], conflictPolicy: .clientWins, deletePolicy: .updateWins,
      isOwnerOnly: true, retention: Retention(historySeconds: 7_776_000, tombstoneSeconds: 61))
    return Schema(types: [type, TypeSchema(name: asset)])
  }

  @Test func everythingASchemaCanSayComesBack() throws {
    let schema = try everything()
    #expect(schema.problems() == [])
    let text = SchemaText.write(schema)
    #expect(try SchemaText.read(text) == schema, "\(text)")
    #expect(SchemaText.write(try SchemaText.read(text)) == text)
    #expect(text.contains("  asset: {}\n"))
    #expect(text.contains("history: 90d\n"))
    #expect(text.contains("tombstones: 61s\n"))
    #expect(text.contains("      i:\n        type: string[]! -> asset set_null\n"))
    #expect(try SchemaText.read(SchemaText.write(Schema())) == Schema())
  }

  @Test func shortAndLongFormsSayTheSame() throws {
    let short = try SchemaText.read("types:\n  t:\n    fields:\n      a: string! -> t cascade\n")
    let long = try SchemaText.read(
      "types: {t: {fields: {a: {type: string, required: true, references: t cascade}}}}")
    #expect(short == long)
    #expect(short[try typeName("t")]?[try name("a")]?.reference?.onDelete == .cascade)
  }

  /// The place and the message of a refusal.
  private func refusal(_ text: String) -> String {
    do throws(SchemaTextError) {
      _ = try SchemaText.read(text)
      return "none"
    } catch {
      return error.description
    }
  }

  @Test func mistakesAreToldWithLineAndPath() {
    func field(_ text: String) -> String { refusal("types:\n  t:\n    fields:\n      f: \(text)\n") }
    let place = "line 4, types.t.fields.f"
    #expect(refusal("") == "there is no schema; it starts with 'types:'")
    #expect(refusal("tpyes: {}") == "line 1, tpyes: there is no key 'tpyes'; is 'types' meant?")
    #expect(refusal("types:\n  t:\n    feilds: {}\n") == "line 3, types.t.feilds: there is no key 'feilds'; is 'fields' meant?")
    #expect(refusal("types:\n  9t: {}\n").hasPrefix("line 2, types.9t: '9t' is no type name"))
    #expect(refusal("types:\n  t:\n    conflict: server\n").hasPrefix("line 3, types.t.conflict: there is no word 'server'"))
    #expect(refusal("types:\n  t:\n    history: 9 weeks\n").hasPrefix("line 3, types.t.history: '9 weeks' is no time"))
    #expect(refusal("types:\n  t: [\n").contains(": this is not YAML: "))
    #expect(refusal("types:\n  t: {}\n  t: {}\n").contains("a key twice: 't'"))
    #expect(field("strng") == "\(place): there is no type 'strng'; is 'string' meant?")
    #expect(field("string t") == "\(place): after the type stands nothing, or '-> type' for a reference")
    #expect(field("string -> t casacde") == "\(place): there is no rule 'casacde'; is 'cascade' meant?")
    #expect(field("{summary: x}") == "\(place): the field does not say its type")
    #expect(field("{type: int, deflaut: 1}") == "\(place).deflaut: there is no key 'deflaut'; is 'default' meant?")
    #expect(field("{type: int, default: x}") == "\(place).default: 'x' is no whole number of 64 bits")
    #expect(field("{type: string, default: null}").hasPrefix("\(place).default: there is no value"))
    #expect(field("{type: int, enum: [1, x]}") == "\(place).enum[1]: 'x' is no whole number of 64 bits")
    #expect(field("{type: bool, required: maybe}") == "\(place).required: 'maybe' is neither true nor false")
    #expect(field("{type: string, merge: counterr}") == "\(place).merge: there is no word 'counterr'; is 'counter' meant?")
  }

  @Test func textNeedsNoQuotesWhereTextIsAskedFor() throws {
    let schema = try SchemaText.read("types: {t: {fields: {f: {type: string, enum: [no, 1.10, true], default: no}}}}")
    let field = try #require(schema.types.first?.fields.first)
    #expect(field.allowedValues == [.string("no"), .string("1.10"), .string("true")])
    #expect(field.defaultValue == .string("no"))
  }
}
