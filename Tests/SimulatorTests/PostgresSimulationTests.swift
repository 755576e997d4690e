import Testing
import TidemarkSimulator
import TidemarkTestTraits
import TidemarkTesting

/// The same clients and checks with two servers on a real PostgreSQL server. One test at a time: the server crashes.
@Suite(.serialized, .ownThreads, .enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)))
struct PostgresSimulationTests {
  /// A server that no other test uses: it crashes.
  private static let server = PostgresServer.make()

  @Test func everyPromiseIsKeptByTwoNodesOnPostgreSQL() throws {
    var options = Simulation.Options()
    options.engine = .postgres(try #require(PostgresSimulationTests.server))
    var counts: [SimulationReport.Counts] = []
    let first = UInt64.random(in: 0..<1_000_000_000)
    print("on PostgreSQL: seeds from \(first)")
    for seed in first..<first + 12 {
      let report = try Simulation(seed: seed, options: options).run()
      counts.append(report.counts)
      #expect(report.violation == nil, "seed \(seed): \(report.tail.suffix(10).joined(separator: "\n"))")
    }
    let sum = SimulationReport.Counts.sum(counts)
    #expect(sum.cuts > 10 && sum.unknowns > 5 && sum.unavailable > 5 && sum.kills > 5 && sum.restarts > 2, "\(sum)")
    #expect(sum.replays > 10 && sum.changes > 50 && sum.reads > 50)
  }

  @Test(arguments: [PlantedBug.lostAnswerIsRefusal, .remembersWhatOthersChange, .ackBeforeCommit], [true, false])
  func whatOnlyADatabaseCanShowIsCaught(bug: PlantedBug, usesModel: Bool) throws {
    let server = try #require(PostgresSimulationTests.server)
    #expect(try isCaught(bug, .postgres(server), usesModel: usesModel, within: 60))
  }
}

/// Whether a planted bug is found within a number of seeds.
func isCaught(_ bug: PlantedBug, _ engine: SimulatedEngine, usesModel: Bool, within seeds: UInt64) throws -> Bool {
  var options = Simulation.Options()
  options.engine = engine
  options.planted = bug
  options.usesModel = usesModel
  return try (1...seeds).contains { try Simulation(seed: $0, options: options).run().violation != nil }
}
