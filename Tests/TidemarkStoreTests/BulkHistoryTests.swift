import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkStoreSQLite
import TidemarkTesting
import TidemarkTestTraits

/// 300 random histories of bulks, with a schema: SQLite and memory answer every item as the plainly written rules say.
@Suite(.ownThreads) struct BulkHistoryTests {
  private static let historiesPerCase: UInt64 = 30
  private static let stepsPerHistory = 20

  @Test(arguments: 0..<10) func everyEngineAnswersEveryBulkAsTheRulesSay(chunk: UInt64) throws {
    let folder = try TemporaryFolder()
    let rules = try BulkRules()
    let first = chunk * BulkHistoryTests.historiesPerCase
    for seed in first..<first + BulkHistoryTests.historiesPerCase {
      let engines = [
        try WriterHarness(MemoryStore(), seed: seed, schema: rules.schema),
        try WriterHarness(SQLiteStore.open(folder: "\(folder.path)/\(seed)"), seed: seed, schema: rules.schema),
      ]
      var model = BulkModel(rules: rules)
      let difference = try difference(seed, engines, &model)
      try #require(difference == nil)
      for engine in engines {
        try checkEnd(engine, model, seed)
        engine.writer.close()
      }
    }
  }

  /// Fewer, since each history has its own tables on a server.
  @Test(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)), arguments: 0..<4)
  func postgresAnswersEveryBulkAsTheRulesSay(chunk: UInt64) throws {
    let server = try #require(PostgresServer.shared)
    let rules = try BulkRules()
    for seed in chunk * 10..<(chunk + 1) * 10 {
      let engine = try WriterHarness(PostgresStore.open(url: server.makeSchema()), seed: seed, schema: rules.schema)
      var model = BulkModel(rules: rules)
      let difference = try difference(seed, [engine], &model)
      try #require(difference == nil)
      try checkEnd(engine, model, seed)
      engine.writer.close()
    }
  }

  @Test func aMistakeInTheRulesIsNoticed() throws {
    let rules = try BulkRules()
    let noticed = try (UInt64(0)..<30).count { seed in
      let engine = try WriterHarness(MemoryStore(), seed: seed, schema: rules.schema)
      defer { engine.writer.close() }
      var model = BulkModel(rules: rules)
      model.isWrong = true
      return try difference(seed, [engine], &model) != nil
    }
    #expect(noticed > 0)
  }

  /// Every kind of outcome happens: histories that only fail would agree, too.
  @Test func historiesMeetEveryKindOfOutcome() throws {
    var codes: Set<OutcomeCode> = []
    for seed in UInt64(0)..<60 {
      var model = BulkModel(rules: try BulkRules())
      var maker = BulkMaker(seed: seed, rules: model.rules)
      for _ in 0..<BulkHistoryTests.stepsPerHistory {
        codes.formUnion(model.apply(maker.next(model.world.past), mode: .partial, validatesOnly: false).map(\.code))
      }
    }
    let wanted: Set<OutcomeCode> = [
      .applied, .unchanged, .merged, .conflict, .notFound, .alreadyExists, .uniqueViolation, .referenceViolation, .invalid,
      .aborted,
    ]
    #expect(codes == wanted)
  }

  /// Where an engine first answers otherwise than the model; `nil` when it never does.
  private func difference(_ seed: UInt64, _ engines: [WriterHarness], _ model: inout BulkModel) throws -> String? {
    var maker = BulkMaker(seed: seed, rules: model.rules)
    for step in 0..<BulkHistoryTests.stepsPerHistory {
      let items = maker.next(model.world.past)
      let (mode, validatesOnly) = maker.mode()
      let expected = model.apply(items, mode: mode, validatesOnly: validatesOnly)
      for engine in engines {
        guard case .outcomes(let outcomes)? = engine.submit(items, mode: mode, validatesOnly: validatesOnly) else {
          return "seed \(seed) step \(step): no outcomes"
        }
        let answers = outcomes.map { BulkModel.Answer($0) }
        guard let index = expected.indices.first(where: { answers[$0] != expected[$0] }) else { continue }
        return """
          seed \(seed) step \(step) item \(index) of \(items.count) on \(engine.store.engineName): \
          \(answers[index]) in place of \(expected[index]) for \(items[index])
          """
      }
    }
    return nil
  }

  private func checkEnd(_ engine: WriterHarness, _ model: BulkModel, _ seed: UInt64) throws {
    #expect(try engine.faults() == [], "seed \(seed) on \(engine.store.engineName)")
    #expect(try engine.relationFaults() == [], "seed \(seed) on \(engine.store.engineName)")
    try engine.reader.read { snapshot in
      let space = try #require(try snapshot.space(named: .default))
      #expect(space.revision.rawValue == model.world.revision, "seed \(seed)")
      for (key, past) in model.world.past {
        let state = try #require(past.last)
        let entity = try #require(try snapshot.entities([key], in: space.id).first ?? nil)
        let stored = try BulkModel.State(entity)
        #expect(stored == state, "seed \(seed) \(key)")
      }
    }
  }
}
