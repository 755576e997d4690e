import Testing
import TidemarkSimulator
import TidemarkTestTraits
import TidemarkTesting

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

  @Test(arguments: PlantedBug.all(on: .sqlite), [true, false])
  func everyPlantedBugIsCaught(bug: PlantedBug, usesModel: Bool) throws {
    #expect(try isCaught(bug, .sqlite, usesModel: usesModel, within: 1_000))
  }

  // MARK: In memory

  @Test func everyPromiseIsKeptInMemory() throws {
    var options = Simulation.Options()
    options.engine = .memory
    var counts: [SimulationReport.Counts] = []
    for seed in UInt64(0)..<40 {
      let report = try Simulation(seed: seed, options: options).run()
      counts.append(report.counts)
      #expect(report.violation == nil, "seed \(seed): \(report.tail.suffix(10).joined(separator: "\n"))")
      #expect(try Simulation(seed: seed, options: options).run().traceDigest == report.traceDigest)
    }
    let sum = SimulationReport.Counts.sum(counts)
    #expect(sum.kills > 10 && sum.restarts > 10 && sum.replays > 10 && sum.changes > 200 && sum.reads > 100)
  }

  @Test(arguments: PlantedBug.all(on: .memory), [true, false])
  func everyPlantedBugIsCaughtInMemory(bug: PlantedBug, usesModel: Bool) throws {
    #expect(try isCaught(bug, .memory, usesModel: usesModel, within: 1_000))
  }
}
