import Testing
import TidemarkSimulator
import TidemarkTestTraits

/// Seeds that are run with every change; `make sim` runs more.
@Suite(.ownThreads) struct SimulationTests {
  private static let seedsPerCase: UInt64 = 20

  @Test(arguments: UInt64(0)..<8) func everyPromiseIsKept(chunk: UInt64) throws {
    var counts: [SimulationReport.Counts] = []
    for seed in chunk * SimulationTests.seedsPerCase..<(chunk + 1) * SimulationTests.seedsPerCase {
      let report = try Simulation(seed: seed).run()
      counts.append(report.counts)
      #expect(report.violation == nil, "seed \(seed): \(report.tail.suffix(10).joined(separator: "\n"))")
    }
    // Something has to have gone wrong: a calm sea proves nothing.
    let sum = SimulationReport.Counts.sum(counts)
    #expect(sum.powerLosses > 10 && sum.kills > 5 && sum.ioErrors > 3 && sum.fullDisks > 3 && sum.restarts > 10)
    #expect(sum.replays > 10 && sum.lost > 100 && sum.repeated > 100 && sum.changes > 200 && sum.reads > 100)
  }

  @Test(arguments: Simulation.OnlyFault.Kind.allCases) func noStepOfTheDiskIsTheWrongOneToFailAt(
    kind: Simulation.OnlyFault.Kind
  ) throws {
    var options = Simulation.Options()
    options.eventsMax = 120
    options.onlyFault = .init(kind, step: 1_000_000)
    let steps = try Simulation(seed: 2, options: options).run().counts.diskSteps
    #expect(steps > 80)
    for step in 1...steps {
      options.onlyFault = .init(kind, step: step)
      let report = try Simulation(seed: 2, options: options).run()
      #expect(report.violation == nil, "\(kind.rawValue) at step \(step): \(report.tail.suffix(10).joined(separator: "\n"))")
    }
  }

  @Test func aSeedAlwaysMakesTheSameTrace() throws {
    var digests: Set<UInt64> = []
    for seed in UInt64(0)..<10 {
      let first = try Simulation(seed: seed).run()
      let second = try Simulation(seed: seed).run()
      #expect(first.traceDigest == second.traceDigest && first.tail == second.tail, "seed \(seed)")
      digests.insert(first.traceDigest)
    }
    #expect(digests.count == 10)
  }

  @Test(arguments: PlantedBug.allCases, [true, false]) func everyPlantedBugIsCaught(bug: PlantedBug, usesModel: Bool) throws {
    var options = Simulation.Options()
    options.planted = bug
    options.usesModel = usesModel
    let caught = try (UInt64(1)...1_000).first { try Simulation(seed: $0, options: options).run().violation != nil }
    #expect(caught != nil)
  }
}
