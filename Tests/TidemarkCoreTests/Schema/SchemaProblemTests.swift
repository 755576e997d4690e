import Testing
import TidemarkCore

/// Every fault of a schema is named, and a sound one has none.
@Suite struct SchemaProblemTests {
  private func name(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }
  private func typeName(_ text: String) throws -> TypeName { try #require(TypeName(text)) }

  private func problems(_ fields: [FieldSchema], keys: [UniqueKey] = [], indexes: [IndexKey] = []) throws -> [SchemaProblem.Rule]
  {
    let type = TypeSchema(name: try typeName("t"), fields: fields, uniqueKeys: keys, indexes: indexes)
    let problems = Schema(types: [type]).problems()
    #expect(problems.allSatisfy { $0.type == type.name && !$0.message.isEmpty })
    return problems.map(\.rule)
  }

  private func problems(_ type: ValueType, _ change: (inout FieldSchema) throws -> Void) throws -> [SchemaProblem.Rule] {
    var field = FieldSchema(name: try name("f"), type: type)
    try change(&field)
    return try problems([field])
  }

  @Test func namesAreUniqueAndDoNotOverlap() throws {
    let (a, ab, aa) = (try name("a"), try name("a.b"), try name("aa"))
    #expect(try problems([FieldSchema(name: a, type: .int), FieldSchema(name: aa, type: .int)]) == [])
    #expect(try problems([FieldSchema(name: a, type: .int), FieldSchema(name: a, type: .int)]) == [.fieldDuplicate])
    #expect(
      try problems([FieldSchema(name: ab, type: .int), FieldSchema(name: aa, type: .int), FieldSchema(name: a, type: .int)]) == [
        .fieldOverlap
      ])
    let t = TypeSchema(name: try typeName("t"))
    #expect(Schema(types: [t, t]).problems().map(\.rule) == [.typeDuplicate])
  }

  @Test func rulesFitTheValueType() throws {
    #expect(try problems(.int) { $0.allowedValues = [.string("a")] } == [.enumType])
    #expect(try problems(.int) { $0.allowedValues = [.null] } == [.enumType])
    #expect(try problems(.json) { $0.allowedValues = [.string("a")] } == [.enumType])
    #expect(try problems(.intList) { $0.allowedValues = [.int(1), .int(1)] } == [.enumDuplicate])
    #expect(try problems(.string) { $0.minimum = .string("a") } == [.rangeType])
    #expect(try problems(.int) { $0.maximum = .double(1) } == [.rangeType])
    #expect(try problems(.int) { ($0.minimum, $0.maximum) = (.int(2), .int(1)) } == [.rangeOrder])
    #expect(try problems(.double) { $0.minimum = .double(.nan) } == [.rangeOrder])
    #expect(try problems(.doubleList) { ($0.minimum, $0.maximum) = (.double(1), .double(1)) } == [])
    #expect(try problems(.int) { $0.lengthMax = 1 } == [.lengthType])
    #expect(try problems(.any) { $0.lengthMax = 1 } == [.lengthType])
    #expect(try problems(.string) { $0.lengthMin = -1 } == [.lengthOrder])
    #expect(try problems(.string) { ($0.lengthMin, $0.lengthMax) = (2, 1) } == [.lengthOrder])
    #expect(try problems(.string) { $0.summary = String(repeating: "s", count: 1_001) } == [.summaryLength])
  }

  @Test func mergeKindsFitTheValueType() throws {
    let fitting: [MergeKind: [ValueType]] = [
      .register: ValueType.allCases, .lastWriter: ValueType.allCases, .counter: [.int, .double],
      .set: ValueType.allCases.filter(\.isList), .max: [.int, .double, .timestamp, .string],
      .min: [.int, .double, .timestamp, .string], .text: [.string],
    ]
    for merge in MergeKind.allCases {
      for type in ValueType.allCases {
        let isFitting = fitting[merge]?.contains(type) ?? false
        #expect(try problems(type) { $0.merge = merge } == (isFitting ? [] : [.mergeType]), "\(merge) \(type)")
      }
    }
  }

  @Test func referencesPointToDescribedTypes() throws {
    let t = try typeName("t")
    #expect(try problems(.string) { $0.reference = Reference(target: t) } == [])
    #expect(try problems(.stringList) { $0.reference = Reference(target: t, onDelete: .setNull) } == [])
    #expect(try problems(.int) { $0.reference = Reference(target: t) } == [.referenceType])
    #expect(try problems(.string) { $0.reference = Reference(target: try typeName("u")) } == [.referenceTarget])
    let rules = try problems(.string) {
      $0.isRequired = true
      $0.reference = Reference(target: t, onDelete: .setNull)
    }
    #expect(rules == [.referenceSetNull])
  }

  @Test func defaultsObeyTheirOwnField() throws {
    #expect(try problems(.int) { $0.defaultValue = .int(1) } == [])
    #expect(try problems(.int) { $0.defaultValue = .null } == [.defaultValue])
    #expect(try problems(.int) { $0.defaultValue = .string("a") } == [.defaultValue])
    #expect(try problems(.int) { ($0.maximum, $0.defaultValue) = (.int(1), .int(2)) } == [.defaultValue])
    #expect(
      try problems(.stringList) { ($0.allowedValues, $0.defaultValue) = ([.string("a")], .list([.string("b")])) } == [
        .defaultValue
      ])
  }

  @Test func keysNameDescribedFieldsThatHaveAnOrder() throws {
    let (f, g, list) = (try name("f"), try name("g"), try name("list"))
    let fields = [FieldSchema(name: f, type: .int), FieldSchema(name: list, type: .intList)]
    func unique(_ key: String, _ names: [FieldPath]) throws -> UniqueKey { UniqueKey(name: try name(key), fields: names) }
    #expect(try problems(fields, keys: [try unique("k", [f])]) == [])
    #expect(try problems(fields, keys: [try unique("k.l", [f])]) == [.keyName])
    #expect(try problems(fields, keys: [try unique("k", [])]) == [.keyFieldsCount])
    #expect(try problems(fields, keys: [try unique("k", [f, f])]) == [.keyFieldDuplicate])
    #expect(try problems(fields, keys: [try unique("k", [f, g])]) == [.keyFieldUnknown])
    #expect(try problems(fields, keys: [try unique("k", [list])]) == [.keyFieldType])
    #expect(
      try problems(fields, keys: [try unique("k", [f])], indexes: [IndexKey(name: try name("k"), fields: [f])]) == [.keyDuplicate]
    )
    let many = try (0..<17).map { try unique("k\($0)", [f]) }
    #expect(try problems(fields, keys: many) == [.keysMax])
    let nine = try (0..<9).map { try name("n\($0)") }
    #expect(
      try problems(nine.map { FieldSchema(name: $0, type: .int) }, keys: [UniqueKey(name: f, fields: nine)]) == [.keyFieldsCount])
  }

  @Test func countsAreBounded() throws {
    #expect(try problems((0..<512).map { FieldSchema(name: try name("f\($0)"), type: .int) }) == [])
    #expect(try problems((0..<513).map { FieldSchema(name: try name("f\($0)"), type: .int) }) == [.fieldsMax])
    let types = try (0..<501).map { TypeSchema(name: try typeName("t\($0)")) }
    #expect(Schema(types: types).problems().map(\.rule) == [.typesMax])
    let values = FieldSchema(name: try name("f"), type: .int, allowedValues: (0..<50_000).map { .int($0) })
    #expect(Schema(types: [TypeSchema(name: try typeName("t"), fields: [values])]).problems().map(\.rule) == [.partsMax])
  }

  @Test func valuesAreBounded() throws {
    let (fits, long) = (
      String(repeating: "x", count: Limits.schemaValueBytesMax), String(repeating: "x", count: Limits.schemaValueBytesMax + 1)
    )
    #expect(try problems(.string) { $0.allowedValues = [.string(fits)] } == [])
    #expect(try problems(.string) { $0.allowedValues = [.string("a"), .string(long)] } == [.valueLength])
    #expect(try problems(.string) { $0.defaultValue = .string(long) } == [.valueLength])
    #expect(try problems(.stringList) { $0.defaultValue = .list([.string("a"), .string(long)]) } == [.valueLength])
    #expect(try problems(.stringList) { $0.defaultValue = .list([.string(fits), .string(fits)]) } == [])
    #expect(try problems(.json) { $0.defaultValue = .json("\"\(fits)\"") } == [.valueLength])
  }
}
