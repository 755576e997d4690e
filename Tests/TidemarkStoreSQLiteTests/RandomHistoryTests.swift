import Testing
import TidemarkTesting

@Suite struct RandomHistoryTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8]) func enginesAgreeOnAKnownHistory(_ seed: UInt64) throws {
    try run(seed)
  }

  @Test func enginesAgreeOnAFreshHistory() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("random history with seed \(seed)")
    try run(seed)
  }

  private func run(_ seed: UInt64) throws {
    let folder = try TemporaryFolder()
    var history = try RandomHistory(seed: seed, stores: [.memory(), .sqlite(in: folder)])
    try history.run(steps: 400)
    #expect(history.changeCount > 300)
  }
}
