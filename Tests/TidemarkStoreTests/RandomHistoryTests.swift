import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkStoreSQLite
import TidemarkTesting
import TidemarkTestTraits

/// 1,000 random histories an engine: both answer every item as the plainly written rules say, and so as each other.
@Suite(.ownThreads) struct RandomHistoryTests {
  private static let historiesPerCase: UInt64 = 100
  private static let stepsPerHistory = 12

  @Test(arguments: 0..<10) func everyEngineAnswersEveryItemAsTheRulesSay(chunk: UInt64) throws {
    let folder = try TemporaryFolder()
    for index in 0..<RandomHistoryTests.historiesPerCase {
      let seed = chunk * RandomHistoryTests.historiesPerCase + index
      let memory = try WriterHarness(MemoryStore(), seed: seed)
      let sqlite = try WriterHarness(SQLiteStore.open(folder: "\(folder.path)/\(seed)"), seed: seed)
      try runHistory(seed: seed, [memory, sqlite])
    }
  }

  /// Fewer, since each history has its own tables on a server.
  @Test(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)), arguments: 0..<4)
  func postgresAnswersEveryItemAsTheRulesSay(chunk: UInt64) throws {
    let server = try #require(PostgresServer.shared)
    for seed in chunk * 25..<(chunk + 1) * 25 {
      try runHistory(seed: seed, [WriterHarness(PostgresStore.open(url: server.makeSchema()), seed: seed)])
    }
  }

  private func runHistory(seed: UInt64, _ engines: [WriterHarness]) throws {
    var model = ReferenceModel()
    var maker = HistoryMaker(seed: seed)
    for step in 0..<RandomHistoryTests.stepsPerHistory {
      let items = maker.next(model)
      var answers: [[Outcome]] = []
      for engine in engines {
        guard case .outcomes(let outcomes)? = engine.submit(items) else {
          Issue.record("no outcomes, seed \(seed) step \(step) on \(engine.store.engineName)")
          return
        }
        answers.append(outcomes)
      }
      for (index, item) in items.enumerated() {
        guard let id = item.id else { continue }
        let expected = model.apply(item, EntityKey(type: item.type, id: id))
        for outcomes in answers {
          let outcome = outcomes[index]
          #expect(outcome.code == expected.code, "seed \(seed) step \(step) item \(index)")
          #expect(outcome.version?.rawValue == expected.version, "seed \(seed) step \(step) item \(index)")
          #expect(outcome.isReplay == expected.isReplay, "seed \(seed) step \(step) item \(index)")
        }
      }
      #expect(answers.first == answers.last, "the engines differ, seed \(seed) step \(step)")
    }
    for engine in engines { try checkEnd(engine, model, seed) }
    for engine in engines { engine.writer.close() }
  }

  private func checkEnd(_ engine: WriterHarness, _ model: ReferenceModel, _ seed: UInt64) throws {
    #expect(try engine.faults() == [], "seed \(seed) on \(engine.store.engineName)")
    try engine.reader.read { snapshot in
      let space = try #require(try snapshot.space(named: .default))
      #expect(space.revision.rawValue == model.revision, "seed \(seed)")
      #expect(space.aliveCount == UInt64(model.states.values.count { $0.isAlive }), "seed \(seed)")
      for (key, state) in model.states {
        let entity = try #require(try snapshot.entities([key], in: space.id).first ?? nil)
        #expect(entity.version.rawValue == state.version, "seed \(seed) \(key)")
        #expect((entity.life == .alive) == state.isAlive, "seed \(seed) \(key)")
        let fields = try entity.fields.decoded()
        #expect(Dictionary(fields.sorted.map { ($0.name, $0.value) }) { $1 } == state.fields, "seed \(seed) \(key)")
      }
    }
  }
}
