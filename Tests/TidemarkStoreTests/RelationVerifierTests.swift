import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting

/// Keys and references that are not what the entities say are found, and where.
@Suite struct RelationVerifierTests {
  private let note: TypeName
  private let name: FieldPath
  private let parent: FieldPath
  private let schema: Schema

  init() throws {
    note = try #require(TypeName("note"))
    name = try #require(FieldPath("name"))
    parent = try #require(FieldPath("parent"))
    schema = Schema(types: [
      TypeSchema(
        name: note,
        fields: [
          FieldSchema(name: name, type: .string), FieldSchema(name: parent, type: .string, reference: Reference(target: note)),
        ], uniqueKeys: [UniqueKey(name: name, fields: [name])]),
      // No entity of it: the walk goes on behind it.
      TypeSchema(name: try #require(TypeName("empty"))),
    ])
  }

  private func key(_ id: String) throws -> EntityKey { EntityKey(type: note, id: try #require(EntityID(id))) }

  private func held(_ value: String) throws -> HeldKey {
    let fields = CanonicalFields(try Fields([Field(name, .string(value))]))
    let value = try #require(try CompiledSchema(schema)[note]?.uniqueKeys(of: fields).first)
    return HeldKey(type: note, key: name, value: value.bytes)
  }

  private func points(_ source: String, _ target: String) throws -> HeldReference {
    HeldReference(source: try key(source), field: parent, target: try key(target))
  }

  private func engines(_ folder: TemporaryFolder) throws -> [WriterHarness] {
    let stores: [any EntityStore] = [MemoryStore(), try SQLiteStore.open(folder: folder.path)]
    return try stores.map { store -> WriterHarness in
      let harness = try WriterHarness(store, seed: 3, schema: schema)
      let items = try (0..<9).map { number -> WriteItem in
        var fields = [Field(name, .string("n\(number)"))]
        if number > 0 { fields.append(Field(parent, .string("e\(number / 2)"))) }
        return WriteItem(
          operation: OperationID(rawValue: Bytes16(high: 1, low: UInt64(number))), type: note, id: try key("e\(number)").id,
          action: .create(try Fields(fields)))
      }
      guard case .outcomes(let outcomes)? = harness.submit(items) else { throw StoreError(.failed, "no outcomes") }
      #expect(outcomes.allSatisfy { $0.code == .applied })
      return harness
    }
  }

  @Test func whatIsMissingTooMuchOrOfAnotherHolderIsFoundAndLocated() throws {
    let (k3, k4, k5) = (try held("n3"), try held("n4"), try held("n5"))
    let (other, e3, e4) = (try held("other"), try key("e3"), try key("e4"))
    let (real, wrong) = (try points("e5", "e2"), try points("e5", "e8"))
    typealias Fault = ChainVerifier.Fault.Kind
    let cases: [(moves: ([HeldKey], [(HeldKey, EntityID)], [HeldReference], [HeldReference]), faults: [String: Set<Fault>])] = [
      (([], [], [], []), [:]),
      (([k3], [], [], []), ["e3": [.key]]),
      (([], [(other, e3.id)], [], []), ["e3": [.key]]),
      (([k3], [(k3, e4.id)], [], []), ["e3": [.key], "e4": [.key]]),
      (([k4, k5], [(k4, try key("nobody").id)], [], []), ["e4": [.key], "e5": [.key], "nobody": [.key]]),
      (([], [], [real], []), ["e5": [.reference]]),
      (([], [], [], [wrong]), ["e5": [.reference]]),
      (([], [], [], [try points("nobody", "e1")]), ["nobody": [.reference]]),
    ]
    for (index, expected) in cases.enumerated() {
      let folder = try TemporaryFolder()
      for engine in try engines(folder) {
        let moves = expected.moves
        try engine.administer { transaction, _ in
          let space = try #require(try transaction.space(named: .default)).id
          try transaction.moveKeys(released: moves.0, taken: moves.1, in: space)
          try transaction.moveReferences(released: moves.2, taken: moves.3, in: space)
        }
        let faults = try engine.relationFaults()
        let found = Dictionary(grouping: faults, by: { $0.key?.id.text ?? "" }).mapValues { Set($0.map(\.kind)) }
        #expect(found == expected.faults, "case \(index) on \(engine.store.engineName)")
        for fault in faults where fault.key?.id.text != "nobody" {
          #expect(fault.revision.rawValue > 0, "case \(index) on \(engine.store.engineName)")
        }
        // The chain does not know of keys and references.
        #expect(try engine.faults() == [], "case \(index) on \(engine.store.engineName)")
        engine.writer.close()
      }
    }
  }

  @Test func whatIsHeldWithoutASchemaIsTooMuch() throws {
    let taken = try held("n")
    let holder = try key("a")
    let harness = try WriterHarness(MemoryStore(), seed: 4)
    #expect(try harness.relationFaults() == [])
    try harness.administer { transaction, _ in
      try transaction.moveKeys(
        released: [], taken: [(taken, holder.id)], in: try #require(try transaction.space(named: .default)).id)
    }
    #expect(try harness.relationFaults().map(\.key) == [holder])
    harness.writer.close()
  }
}
