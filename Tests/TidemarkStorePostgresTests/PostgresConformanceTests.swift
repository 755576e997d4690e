import Testing
import TidemarkStore
import TidemarkTesting
import TidemarkTestTraits

@testable import TidemarkStorePostgres

@Suite(needsPostgres) struct PostgresConformanceTests {
  @Test(arguments: Conformance.claims) func postgresEngineKeepsTheContract(_ claim: Conformance) throws {
    try claim.check(.postgres(makeSchema()))
  }

  @Test(arguments: Conformance.claims) func storeThatWasOfFormat1KeepsTheContract(_ claim: Conformance) throws {
    let url = try makeSchema()
    _ = try PostgresMigrator(url: url, migrations: [.format1]).up()
    try claim.check(.postgres(url))
    #expect(try PostgresMigrator(url: url).status().current == Migration.latest)
  }
}

@Suite(needsPostgres, .ownThreads) struct PostgresRandomHistoryTests {
  @Test(arguments: [1, 2, 3, 4]) func enginesAgreeOnAKnownHistory(_ seed: UInt64) throws {
    try run(seed)
  }

  @Test func enginesAgreeOnAFreshHistory() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("random history with seed \(seed)")
    try run(seed)
  }

  private func run(_ seed: UInt64) throws {
    var history = try RandomHistory(seed: seed, stores: [.memory(), .postgres(makeSchema())])
    try history.run(steps: 400)
    #expect(history.changeCount > 300)
  }
}
