import Testing
import TidemarkCore

/// A diff names every place that differs, and what the difference means for data.
@Suite struct SchemaDiffTests {
  private struct Place: Hashable {
    var type: TypeName?
    var field: FieldPath?
    var key: FieldPath?
  }

  private func places(_ diff: SchemaDiff) -> Set<Place> {
    Set(diff.changes.map { Place(type: $0.type, field: $0.field, key: $0.key) })
  }

  @Test func equalSchemasDoNotDifferAndBothDirectionsNameTheSamePlaces() throws {
    var random = RandomSchemas("equalSchemasDoNotDifferAndBothDirectionsNameTheSamePlaces")
    for _ in 0..<300 {
      let (a, b) = (try random.schema(), try random.schema())
      #expect(SchemaDiff(from: a, to: a).isEmpty)
      let forth = SchemaDiff(from: a, to: b)
      #expect(places(forth) == places(SchemaDiff(from: b, to: a)))
      #expect(forth.isEmpty == (a == b))
      #expect(forth.changes.allSatisfy { !$0.message.isEmpty })
    }
  }

  /// What a compatible change promises: no entity that obeyed the old schema breaks the new one.
  @Test func entitiesOfTheOldSchemaObeyACompatibleOne() throws {
    var random = RandomSchemas("entitiesOfTheOldSchemaObeyACompatibleOne")
    var compatible = 0
    for _ in 0..<3_000 {
      let old = try random.pick(try random.schema().types)
      var new = old
      new.fields = try new.fields.map { random.flag(3) ? try random.field($0.name, targets: [old.name]) : $0 }
      if random.flag(4) { new.allowsOtherFields.toggle() }
      guard SchemaDiff(from: Schema(types: [old]), to: Schema(types: [new])).compatibility == .compatible else { continue }
      compatible += 1
      let entity = CanonicalFields(CompiledSchema(Schema(types: [old])).complete(try random.entity(old), old.name))
      #expect(try CompiledSchema(Schema(types: [new]))[new.name]?.violations(of: entity) == [])
    }
    #expect(compatible > 50)
  }

  @Test func whatIsAddedIsLookedAtBecauseItMayHaveBeenThereBefore() throws {
    let (f, g) = (FieldSchema(name: try name("f"), type: .int), FieldSchema(name: try name("g"), type: .int))
    let (t, u) = (try #require(TypeName("t")), try #require(TypeName("u")))
    let old = Schema(types: [TypeSchema(name: t, fields: [f])])
    let new = Schema(types: [TypeSchema(name: t, fields: [f, g]), TypeSchema(name: u, fields: [f])])
    let diff = SchemaDiff(from: old, to: new)
    #expect(diff.compatibility == .compatible)
    #expect(diff.typesToCheck == [u])
    #expect(diff.fieldsToCheck == [t: [g.name]])
  }

  // MARK: Each kind

  private func name(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }

  private func diff(_ change: (inout TypeSchema) throws -> Void) throws -> [String] {
    let old = TypeSchema(
      name: try #require(TypeName("t")),
      fields: [
        FieldSchema(
          name: try name("f"), type: .int, allowedValues: [.int(1), .int(2)], minimum: .int(0), maximum: .int(9)),
        FieldSchema(name: try name("g"), type: .string, lengthMin: 1, lengthMax: 5),
      ], uniqueKeys: [UniqueKey(name: try name("k"), fields: [try name("f")])])
    var new = old
    try change(&new)
    return SchemaDiff(from: Schema(types: [old]), to: Schema(types: [new])).changes.map {
      "\($0.kind.rawValue) \($0.compatibility)"
    }
  }

  @Test func everyChangeHasItsMeaning() throws {
    #expect(try diff { $0.summary = "x" } == ["type_summary compatible"])
    #expect(try diff { $0.allowsOtherFields = true } == ["other_fields compatible"])
    #expect(try diff { $0.conflictPolicy = .serverWins } == ["type_conflict_policy compatible"])
    #expect(try diff { $0.deletePolicy = .deleteWins } == ["delete_policy compatible"])
    #expect(try diff { $0.isOwnerOnly = true } == ["owner_rule compatible"])
    #expect(try diff { $0.retention.historySeconds = 1 } == ["retention compatible"])
    #expect(try diff { $0.fields.removeLast() } == ["field_removed breaking"])
    #expect(try diff { $0.fields.append(FieldSchema(name: try name("h"), type: .int)) } == ["field_added compatible"])
    #expect(
      try diff { $0.fields.append(FieldSchema(name: try name("h"), type: .int, isRequired: true)) } == ["field_added needsCheck"])
    #expect(try diff { $0.fields[1].isRequired = true } == ["required needsCheck"])
    #expect(try diff { $0.fields[0].defaultValue = .int(1) } == ["default compatible"])
    #expect(try diff { $0.fields[0].allowedValues = [.int(2), .int(1)] } == ["enum compatible"])
    #expect(try diff { $0.fields[0].allowedValues = [.int(1), .int(2), .int(3)] } == ["enum compatible"])
    #expect(try diff { $0.fields[0].allowedValues = [.int(1)] } == ["enum needsCheck"])
    #expect(try diff { $0.fields[0].minimum = .int(-1) } == ["min compatible"])
    #expect(try diff { $0.fields[0].minimum = .int(1) } == ["min needsCheck"])
    #expect(try diff { $0.fields[0].maximum = nil } == ["max compatible"])
    #expect(try diff { $0.fields[0].maximum = .int(8) } == ["max needsCheck"])
    #expect(try diff { $0.fields[1].lengthMin = nil } == ["length_min compatible"])
    #expect(try diff { $0.fields[1].lengthMax = 4 } == ["length_max needsCheck"])
    #expect(try diff { $0.fields[1].type = .any } == ["value_type compatible"])
    #expect(try diff { $0.fields[1].type = .bytes } == ["value_type breaking"])
    #expect(try diff { $0.fields[1].merge = .text } == ["merge compatible"])
    #expect(try diff { $0.fields[1].conflictPolicy = .manual } == ["field_conflict_policy compatible"])
    #expect(try diff { $0.fields[1].reference = Reference(target: $0.name) } == ["reference needsCheck"])
    #expect(try diff { $0.uniqueKeys = [] } == ["unique_key_removed compatible"])
    #expect(try diff { $0.uniqueKeys[0].fields = [try name("g")] } == ["unique_key_changed needsCheck"])
    #expect(try diff { $0.indexes = [IndexKey(name: try name("i"), fields: [try name("f")])] } == ["index_added compatible"])
    #expect(try diff { $0.indexes = [IndexKey(name: try name("i"), fields: [try name("g")])] } == ["index_added needsCheck"])
  }

  @Test func aFirstSchemaChecksEverything() throws {
    let type = TypeSchema(name: try #require(TypeName("t")))
    let first = SchemaDiff(from: nil, to: Schema(types: [type]))
    #expect(first.changes.map(\.kind) == [.schemaAdded, .typeAdded])
    #expect(first.compatibility == .needsCheck)
    #expect(first.typesToCheck == nil)
    let added = SchemaDiff(from: Schema(), to: Schema(types: [type]))
    #expect(added.changes.map(\.kind) == [.typeAdded])
    #expect(added.compatibility == .compatible)
    #expect(added.typesToCheck == [type.name])
    let removed = SchemaDiff(from: Schema(types: [type]), to: Schema())
    #expect(removed.compatibility == .breaking)
    #expect(removed.typesToCheck == [type.name])
  }
}

extension CompiledSchema {
  fileprivate func complete(_ fields: Fields, _ type: TypeName) -> Fields { self[type]?.complete(fields) ?? fields }
}
