import Testing
import TidemarkCore

@testable import TidemarkWire

/// A schema comes back as it was, in one form of bytes, and nothing else is taken for one.
@Suite struct SchemaCodingTests {
  let arena = MessageArena()

  private func rule(_ bytes: [UInt8]) -> String? {
    let error = refusal(bytes) { (raw) throws(WireError) in try Schema.decode(raw, using: arena) }
    return error.map { "\($0.violations.first?.rule ?? "\($0.code)")" }
  }
  private func field(_ content: [UInt8]) -> [UInt8] {
    Raw.bytes(1, Raw.text(1, "t") + Raw.bytes(3, Raw.text(1, "f") + content))
  }

  @Test func everySchemaComesBackAndEqualOnesHaveEqualBytes() throws {
    var random = RandomValues(seed: freshSeed("everySchemaComesBackAndEqualOnesHaveEqualBytes"))
    for _ in 0..<300 {
      let schema = random.schema()
      let bytes = try schema.encode()
      #expect(try Schema.decode(bytes) == schema)
      var other = schema
      other.types.shuffle(using: &random.random)
      for index in other.types.indices { other.types[index].fields.shuffle(using: &random.random) }
      #expect(try other.encode() == bytes)
      #expect(try Schema.decode(bytes, using: arena).encode(using: arena) == bytes)
    }
    #expect(try Schema().encode() == [])
    #expect(try Schema.decode([UInt8]()) == Schema())
  }

  @Test func whatIsNotSaidHasItsDocumentedMeaning() throws {
    let schema = try Schema.decode(field(Raw.number(3, 5) + Raw.bytes(12, Raw.text(1, "t"))))
    let type = try #require(schema.types.first)
    #expect(type.conflictPolicy == .manual)
    #expect(type.deletePolicy == .manual)
    #expect(type.retention == Retention())
    let field = try #require(type.fields.first)
    #expect(field.merge == .register)
    #expect(field.reference?.onDelete == .restrict)
    #expect(field.conflictPolicy == nil)
    #expect(field.lengthMin == nil)
    let zero = try Schema.decode(self.field(Raw.number(3, 5) + Raw.number(9, 0) + Raw.number(10, 0)))
    #expect(zero.types.first?.fields.first?.lengthMax == 0)
    #expect(zero.types.first?.fields.first?.lengthMin == 0)
  }

  @Test func wordsOutsideTheFileAreRefused() {
    #expect(rule(field(Raw.number(3, 5))) == nil)
    #expect(rule(field([])) == "value_type")
    #expect(rule(field(Raw.number(3, 9))) == "value_type")
    #expect(rule(field(Raw.number(3, 261))) == "value_type")
    #expect(rule(field(Raw.number(3, 5) + Raw.number(11, 8))) == "merge")
    #expect(rule(field(Raw.number(3, 5) + Raw.number(13, 4))) == "conflict_policy")
    #expect(rule(field(Raw.number(3, 5) + Raw.number(9, 1 << 31))) == "length_min")
    #expect(rule(field(Raw.number(3, 5) + Raw.number(10, .max))) == "length_max")
    #expect(rule(field(Raw.number(3, 5) + Raw.bytes(5, []))) == "value_missing")
    #expect(rule(field(Raw.number(3, 5) + Raw.bytes(6, []))) == "value_missing")
    #expect(rule(field(Raw.number(3, 5) + Raw.bytes(12, []))) == "type_name")
    #expect(rule(field(Raw.number(3, 5) + Raw.bytes(12, Raw.text(1, "t") + Raw.number(2, 4)))) == "on_delete")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t.u"))) == "type_name")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + Raw.bytes(3, Raw.number(3, 5)))) == "field_name")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + Raw.number(8, 9))) == "delete_policy")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + Raw.bytes(5, Raw.text(1, "k") + Raw.text(2, "")))) == "field_name")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + Raw.bytes(2, [0xFF]))) == "malformed")
  }

  @Test func countsAreBoundedBeforeAnythingIsCopied() {
    func many(_ count: Int, _ part: [UInt8]) -> [UInt8] { [[UInt8]](repeating: part, count: count).flatMap { $0 } }
    #expect(rule(many(501, Raw.bytes(1, Raw.text(1, "t")))) == "types_max")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + many(513, Raw.bytes(3, [])))) == "fields_max")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + many(17, Raw.bytes(6, [])))) == "keys_max")
    #expect(rule(Raw.bytes(1, Raw.text(1, "t") + Raw.bytes(5, Raw.text(1, "k") + many(9, Raw.text(2, "f"))))) == "key_fields_max")
    #expect(rule(many(2_000_000, [0x0A, 0])) == "limitExceeded")
    #expect(rule(field(Raw.number(3, 5) + many(200_000, Raw.bytes(6, [])))) == "limitExceeded")
  }

  @Test func prefixesAndArbitraryChangesNeverTrap() throws {
    var random = RandomValues(seed: freshSeed("prefixesAndArbitraryChangesNeverTrap"))
    for _ in 0..<30 {
      let bytes = try random.schema().encode()
      for end in 0..<min(bytes.count, 400) { _ = rule(Array(bytes[..<end])) }
      for _ in 0..<100 where !bytes.isEmpty {
        var changed = bytes
        for _ in 0..<random.number(1...4) {
          changed[random.number(0...bytes.count - 1)] = UInt8.random(in: 0...255, using: &random.random)
        }
        _ = rule(changed)
      }
    }
  }
}

extension RandomValues {
  /// Any schema that can be sent, whether or not it has problems.
  mutating func schema() -> Schema {
    var names: Set<TypeName> = []
    for _ in 0..<number(0...4) { names.insert(type()) }
    return Schema(types: names.sorted().map { typeSchema($0) })
  }

  private mutating func typeSchema(_ name: TypeName) -> TypeSchema {
    var names: Set<FieldPath> = []
    for _ in 0..<number(0...6) { names.insert(path()) }
    return TypeSchema(
      name: name, summary: text(), fields: names.sorted().map { fieldSchema($0) }, allowsOtherFields: flag(),
      uniqueKeys: many(0...3) { random in UniqueKey(name: random.path(), fields: random.many(0...8) { $0.path() }) },
      indexes: many(0...3) { random in IndexKey(name: random.path(), fields: random.many(0...8) { $0.path() }) },
      conflictPolicy: pick(ConflictPolicy.allCases), deletePolicy: pick(DeletePolicy.allCases), isOwnerOnly: flag(),
      retention: Retention(
        historySeconds: maybe { $0.pick([0, 1, UInt64.max]) }, tombstoneSeconds: maybe { $0.pick([0, 1, UInt64.max]) }))
  }

  private mutating func fieldSchema(_ name: FieldPath) -> FieldSchema {
    func scalar(_ random: inout RandomValues) -> Scalar {
      while true {
        if let scalar = Scalar(random.value()) { return scalar }
      }
    }
    return FieldSchema(
      name: name, summary: text(), type: pick(ValueType.allCases), isRequired: flag(), defaultValue: maybe { $0.value() },
      allowedValues: many(0...4) { scalar(&$0) }, minimum: maybe { scalar(&$0) }, maximum: maybe { scalar(&$0) },
      lengthMin: maybe { $0.pick([0, 1, Int(Int32.max)]) }, lengthMax: maybe { $0.pick([0, 1, Int(Int32.max)]) },
      merge: pick(MergeKind.allCases),
      reference: maybe { Reference(target: $0.type(), onDelete: $0.pick(DeleteRule.allCases)) },
      conflictPolicy: maybe { $0.pick(ConflictPolicy.allCases) })
  }
}
