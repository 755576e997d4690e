import Testing
import TidemarkTesting

@testable import TidemarkCore

/// A compiled schema finds what breaks its rules, and nothing else.
@Suite struct CompiledSchemaTests {
  @Test func aCompletedEntityThatObeysTheSchemaHasNoViolations() throws {
    var random = RandomSchemas("aCompletedEntityThatObeysTheSchemaHasNoViolations")
    for _ in 0..<300 {
      let schema = try random.schema()
      #expect(schema.problems() == [])
      let compiled = CompiledSchema(schema)
      for type in schema.types {
        let rules = try #require(compiled[type.name])
        let fields = rules.complete(try random.entity(type))
        #expect(try rules.violations(of: CanonicalFields(fields)) == [])
        #expect(rules.complete(fields) == fields)
      }
    }
  }

  @Test func anyChangeOfAValidEntityIsJudgedAlikeAsAPatchAndAsAWhole() throws {
    var random = RandomSchemas("anyChangeOfAValidEntityIsJudgedAlikeAsAPatchAndAsAWhole")
    for _ in 0..<1_000 {
      let type = try random.pick(try random.schema().types)
      let rules = CompiledType(type)
      let before = CanonicalFields(rules.complete(try random.entity(type)))
      guard let patch = try patch(type, &random), case .success(let after) = try before.patched(by: patch) else { continue }
      let whole = Set(try rules.violations(of: after))
      let touched = Set(try rules.violations(of: patch, before: before, after: after))
      #expect(whole == touched)
    }
  }

  private func patch(_ type: TypeSchema, _ random: inout RandomSchemas) throws -> Patch? {
    var names = type.fields.map(\.name)
    for other in ["name.first", "count", "start", "unheard"] { names.append(try #require(FieldPath(other))) }
    let entries = try (0..<random.number(1...4)).map { _ in
      let value = RandomValues.value(&random.random)
      return Patch.Entry(try random.pick(names), random.flag(4) ? .unset : .set(value))
    }
    return try? Patch(entries)
  }

  /// Against a plain statement of each rule, on random names that often lie above or below each other.
  @Test func touchedFieldsAndDefaultsAreFoundInOneWalk() throws {
    var random = SeededGenerator(seed: 7)
    let names = try ["a", "a.b", "a.b.c", "a.c", "a0", "ab", "b", "b.a", "b_c", "c"].map {
      try RandomValues.require(FieldPath($0))
    }
    func some() -> [FieldPath] {
      names.shuffled(using: &random).reduce(into: []) { kept, name in
        if Bool.random(using: &random), !kept.contains(where: { $0.overlaps(name) }) { kept.append(name) }
      }
    }
    let typeName = try RandomValues.require(TypeName("t"))
    for round in 0..<2_000 {
      let (described, inKeys, given) = (some(), some(), some())
      let type = TypeSchema(
        name: typeName,
        fields: described.map {
          FieldSchema(name: $0, type: .string, defaultValue: .string("d"), reference: Reference(target: typeName))
        },
        allowsOtherFields: true,
        uniqueKeys: inKeys.isEmpty ? [] : [UniqueKey(name: inKeys[0], fields: inKeys)])
      let compiled = try #require(CompiledSchema(Schema(types: [type]))[typeName])
      var wanted = try Fields(given.map { Field($0, .int(1)) })
      for name in described where !given.contains(where: { $0.overlaps(name) }) { wanted.set(name, .string("d")) }
      #expect(compiled.complete(try Fields(given.map { Field($0, .int(1)) })) == wanted, "round \(round)")
      guard !given.isEmpty else { continue }
      let patch = try Patch(given.map { Patch.Entry($0, .unset) })
      let touches = { (fields: [FieldPath]) in fields.contains { field in given.contains { $0.overlaps(field) } } }
      #expect(compiled.touchesKeys(patch) == touches(inKeys), "round \(round)")
      #expect(compiled.touchesReferences(patch) == touches(described), "round \(round)")
    }
  }

  // MARK: Each rule

  private func name(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }

  private func rules(_ field: FieldSchema, isInKey: Bool = false) throws -> CompiledType {
    let keys = isInKey ? [UniqueKey(name: try name("k"), fields: [field.name])] : []
    return CompiledType(TypeSchema(name: try #require(TypeName("t")), fields: [field], uniqueKeys: keys))
  }

  /// The rules that a value of `f` breaks, whether it came as a whole or as a patch.
  private func broken(_ field: FieldSchema, _ value: Value?, isInKey: Bool = false) throws -> [String] {
    let compiled = try rules(field, isInKey: isInKey)
    var fields = Fields()
    if let value { fields.set(field.name, value) }
    let after = CanonicalFields(fields)
    let whole = try compiled.violations(of: after)
    var old = Fields()
    old.set(field.name, .string("something else before"))
    let patch = try Patch([.init(field.name, value.map { .set($0) } ?? .unset)])
    #expect(try compiled.violations(of: patch, before: CanonicalFields(old), after: after) == whole)
    #expect(whole.allSatisfy { $0.field == field.name && $0.message.contains("'f'") })
    return whole.map(\.rule)
  }

  @Test func everySingleBrokenRuleIsFound() throws {
    let f = try name("f")
    func int(_ change: (inout FieldSchema) -> Void) -> FieldSchema {
      var field = FieldSchema(name: f, type: .int)
      change(&field)
      return field
    }
    #expect(try broken(int { _ in }, .string("1")) == ["type"])
    #expect(try broken(int { _ in }, .null) == [])
    #expect(try broken(int { _ in }, nil) == [])
    #expect(try broken(int { $0.isRequired = true }, nil) == ["required"])
    #expect(try broken(int { $0.isRequired = true }, .null) == ["required"])
    #expect(try broken(int { $0.allowedValues = [.int(1), .int(2)] }, .int(3)) == ["enum"])
    #expect(try broken(int { $0.allowedValues = [.int(1), .int(2)] }, .int(2)) == [])
    #expect(try broken(int { $0.minimum = .int(1) }, .int(0)) == ["min"])
    #expect(try broken(int { $0.minimum = .int(1) }, .int(1)) == [])
    #expect(try broken(int { $0.maximum = .int(1) }, .int(2)) == ["max"])
    let number = FieldSchema(name: f, type: .double, minimum: .double(0), maximum: .double(1))
    #expect(try broken(number, .double(.nan)) == ["min", "max"])
    #expect(try broken(number, .double(-0.0)) == [])
    let text = FieldSchema(name: f, type: .string, lengthMin: 2, lengthMax: 3)
    #expect(try broken(text, .string("日")) == ["length_min"])
    #expect(try broken(text, .string("日本の祝")) == ["length_max"])
    #expect(try broken(text, .string("日本の")) == [])
    let list = FieldSchema(name: f, type: .stringList, allowedValues: [.string("a")], lengthMax: 1)
    #expect(try broken(list, .list([.string("a"), .string("b")])) == ["enum", "length_max"])
    #expect(try broken(list, .list([.int(1)])) == ["type"])
    #expect(try broken(list, .list([.null])) == ["type"])
    #expect(try broken(list, .string("a")) == ["type"])
    #expect(try broken(FieldSchema(name: f, type: .any), .list([.int(1)])) == [])
  }

  @Test func aReferenceThatIsNoIDAndATooLongKeyAreFound() throws {
    let f = try name("f")
    let target = Reference(target: try #require(TypeName("t")))
    #expect(try broken(FieldSchema(name: f, type: .string, reference: target), .string("")) == ["type"])
    #expect(
      try broken(FieldSchema(name: f, type: .stringList, reference: target), .list([.string("a"), .string("\n")])) == ["type"])
    #expect(try broken(FieldSchema(name: f, type: .string, reference: target), .string("a")) == [])
    let long = String(repeating: "k", count: Limits.keyFieldBytesMax)
    #expect(try broken(FieldSchema(name: f, type: .string), .string(long), isInKey: true) == [])
    #expect(try broken(FieldSchema(name: f, type: .string), .string(long + "k"), isInKey: true) == ["length_max"])
    #expect(try broken(FieldSchema(name: f, type: .string), .string(long + "k")) == [])
  }

  @Test func unknownFieldsAndTypesAreFoundUnlessOthersAreAllowed() throws {
    let other = try name("g")
    var type = try rules(FieldSchema(name: try name("f"), type: .int)).type
    var fields = Fields()
    fields.set(other, .int(1))
    let after = CanonicalFields(fields)
    let patch = try Patch([.init(other, .set(.int(1)))])
    for (allows, expected) in [(false, ["unknown_field"]), (true, [])] {
      type.allowsOtherFields = allows
      let compiled = CompiledType(type)
      #expect(try compiled.violations(of: after).map(\.rule) == expected)
      #expect(try compiled.violations(of: patch, before: .empty, after: after).map(\.rule) == expected)
    }
    #expect(CompiledSchema.unknownType(type.name).rule == "unknown_type")
    #expect(CompiledSchema(Schema())[type.name] == nil)
  }

  @Test func aFieldThatWasWrongBeforeAndIsNotChangedIsNotHeldAgainstAPatch() throws {
    let f = try name("f")
    let g = try name("g")
    let compiled = CompiledType(
      TypeSchema(
        name: try #require(TypeName("t")),
        fields: [FieldSchema(name: f, type: .int, maximum: .int(9)), FieldSchema(name: g, type: .int)]))
    let before = CanonicalFields(try Fields([Field(f, .int(10)), Field(g, .int(1))]))
    func rules(_ entries: [Patch.Entry]) throws -> [String] {
      let patch = try Patch(entries)
      return try compiled.violations(of: patch, before: before, after: try before.patched(by: patch).get()).map(\.rule)
    }
    #expect(try rules([.init(g, .set(.int(2)))]) == [])
    #expect(try rules([.init(g, .set(.int(2))), .init(f, .set(.int(10)))]) == [])
    #expect(try rules([.init(f, .set(.int(11)))]) == ["max"])
    #expect(try compiled.violations(of: before).map(\.rule) == ["max"])
  }

  @Test func aDefaultNeverPushesAFieldAside() throws {
    let field = FieldSchema(name: try name("a.b"), type: .int, defaultValue: .int(1))
    let compiled = CompiledType(
      TypeSchema(name: try #require(TypeName("t")), fields: [field], allowsOtherFields: true))
    let given = try Fields([Field(try name("a"), .int(7))])
    #expect(compiled.complete(given) == given)
    #expect(compiled.complete(Fields())[field.name] == .int(1))
    let null = try Fields([Field(field.name, .null)])
    #expect(compiled.complete(null) == null)
  }

  @Test func damagedBytesAreAnErrorAndNoTrap() throws {
    var random = RandomSchemas("damagedBytesAreAnErrorAndNoTrap")
    for _ in 0..<2_000 {
      let type = try random.pick(try random.schema().types)
      let rules = CompiledType(type)
      var bytes = CanonicalFields(rules.complete(try random.entity(type))).bytes
      guard !bytes.isEmpty else { continue }
      bytes[random.number(0...bytes.count - 1)] = UInt8.random(in: 0...255, using: &random.random)
      if random.flag() { bytes.removeLast(random.number(1...bytes.count)) }
      let damaged = CanonicalFields(unchecked: bytes)
      _ = try? rules.violations(of: damaged)
      _ = try? rules.uniqueKeys(of: damaged)
      _ = try? rules.indexKeys(of: damaged)
      _ = try? rules.references(of: damaged)
    }
    let cut = CanonicalFields(unchecked: [0x7A, 0x05, 0x0A])
    let rules = CompiledType(TypeSchema(name: try #require(TypeName("t"))))
    #expect(throws: CorruptFields.self) { try rules.violations(of: cut) }
  }
}
