import ArgumentParser
import TidemarkSimulator
import TidemarkTesting

/// Runs simulations: many seeds, one seed with its trace, or every planted bug.
@main
struct TidemarkSim: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tidemark-sim",
    abstract: "Runs random clients against the real judge, writer and engine, on what fails below them.",
    discussion: """
      One thread, a virtual clock, and every choice from the seed: on SQLite and in memory a seed always does the same. On PostgreSQL it does the
      same to a real server, which is started for that. Without --seed, many seeds are run and the first that breaks a promise is told with
      the command that shows it again.

      Exit status: 0 when every promise was kept, or every planted bug was caught; 1 otherwise; 64 for wrong usage.
      """)

  @Option(help: "Run this seed, and print what happens in it.")
  var seed: UInt64?
  @Option(help: "How many seeds to run.")
  var seeds: UInt64 = 1_000
  @Option(help: "The first of them; a random one when it is not given.")
  var firstSeed: UInt64?
  @Option(help: "What keeps the store: sqlite, memory or postgres.")
  var engine = EngineName.sqlite
  @Option(help: "How many events happen in a seed.")
  var events = 400
  @Option(
    help: "Make a mistake on purpose: \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")).",
    transform: { text in
      guard let bug = PlantedBug(rawValue: text) else { throw ValidationError("There is no planted bug \(text).") }
      return bug
    })
  var plant: PlantedBug?
  @Flag(help: "Do not compare with the plainly written rules; look only at what follows from the promises.")
  var withoutModel = false
  @Flag(help: "With --seed: print every step of the disk, too.")
  var steps = false
  @Flag(help: "With --seed: let a power loss, a kill and an I/O error come at each step of the disk in turn, and nothing else.")
  var everyStep = false
  @Flag(help: "Plant every bug in turn, and tell after how many seeds it is caught.")
  var planted = false

  enum EngineName: String, ExpressibleByArgument { case sqlite, memory, postgres }

  func validate() throws {
    guard engine == .sqlite || !everyStep && !steps else { throw ValidationError("Only SQLite has a disk with steps.") }
  }

  func run() throws {
    var options = Simulation.Options()
    switch engine {
    case .sqlite: break
    case .memory: options.engine = .memory
    case .postgres:
      guard let server = PostgresServer.make() else { throw ExitCode(1) }
      options.engine = .postgres(server)
    }
    options.eventsMax = events
    options.planted = plant
    options.usesModel = !withoutModel
    if planted { return try runPlanted(options) }
    if let seed { return everyStep ? try failAtEveryStep(seed, options) : try replay(seed, options) }
    try runMany(options)
  }

  private func replay(_ seed: UInt64, _ options: Simulation.Options) throws {
    var options = options
    options.traceLinesMax = 1_000_000
    options.tracesDisk = steps
    let report = try Simulation(seed: seed, options: options).run()
    for line in report.tail { print(line) }
    print("seed \(seed): \(report.events) events, \(report.counts.text), trace \(String(report.traceDigest, radix: 16))")
    guard let violation = report.violation else { return print("Every promise was kept.") }
    print("seed \(seed), event \(report.events): \(violation)")
    throw ExitCode(1)
  }

  private func runMany(_ options: Simulation.Options) throws {
    let first = firstSeed ?? UInt64.random(in: 0..<1_000_000_000)
    print("seeds \(first) to \(first &+ seeds &- 1)")
    var counts: [SimulationReport.Counts] = []
    for seed in first..<first &+ seeds {
      let report = try Simulation(seed: seed, options: options).run()
      counts.append(report.counts)
      guard let violation = report.violation else { continue }
      for line in report.tail { print(line) }
      print("seed \(seed), event \(report.events): \(violation)")
      print("again with: \(command(seed, plant: plant))")
      throw ExitCode(1)
    }
    print("\(seeds) seeds: \(SimulationReport.Counts.sum(counts).text)")
    print("Every promise was kept.")
  }

  private func failAtEveryStep(_ seed: UInt64, _ options: Simulation.Options) throws {
    var options = options
    options.onlyFault = .init(.powerLoss, step: .max / 2)
    let steps = try Simulation(seed: seed, options: options).run().counts.diskSteps
    for kind in Simulation.OnlyFault.Kind.allCases {
      for step in 1...max(steps, 1) {
        options.onlyFault = .init(kind, step: step)
        let report = try Simulation(seed: seed, options: options).run()
        guard let violation = report.violation else { continue }
        for line in report.tail { print(line) }
        print("seed \(seed), \(kind.rawValue) at step \(step): \(violation)")
        throw ExitCode(1)
      }
      print("seed \(seed): \(kind.rawValue) at each of \(steps) steps: every promise was kept.")
    }
  }

  private func runPlanted(_ options: Simulation.Options) throws {
    let first = firstSeed ?? 1
    var missed = 0
    for bug in PlantedBug.all(on: options.engine) {
      for usesModel in [true, false] {
        var options = options
        options.planted = bug
        options.usesModel = usesModel
        let how = usesModel ? "" : " by its invariants alone"
        guard let caught = try catchBug(options, from: first) else {
          print("\(bug.rawValue): NOT caught\(how) within \(seeds) seeds")
          missed += 1
          continue
        }
        print("\(bug.rawValue): caught\(how) after \(caught.seed - first + 1) seeds, event \(caught.events): \(caught.text)")
        if usesModel { print("  again with: \(command(caught.seed, plant: bug))") }
      }
    }
    guard missed == 0 else { throw ExitCode(1) }
  }

  private func catchBug(_ options: Simulation.Options, from first: UInt64) throws -> (seed: UInt64, events: Int, text: String)? {
    for seed in first..<first &+ seeds {
      let report = try Simulation(seed: seed, options: options).run()
      if let violation = report.violation { return (seed, report.events, violation.claim.rawValue) }
    }
    return nil
  }

  private func command(_ seed: UInt64, plant: PlantedBug?) -> String {
    let more =
      (engine == .sqlite ? "" : " --engine \(engine.rawValue)") + (plant.map { " --plant \($0.rawValue)" } ?? "")
      + (events == 400 ? "" : " --events \(events)")
    return more.isEmpty ? "make sim SEED=\(seed)" : "tidemark-sim --seed \(seed)\(more)"
  }
}

extension SimulationReport.Counts {
  /// In one line.
  fileprivate var text: String {
    "\(requests) requests (\(resent) sent again, \(lost) messages lost, \(repeated) repeated), \(commits) commits, \(changes) changes, "
      + "\(replays) replays, \(reads) reads, \(diskSteps) disk steps, \(powerLosses) power losses, \(kills) kills, "
      + "\(ioErrors) I/O errors, \(fullDisks) full disks, \(cuts) connections cut, \(unknowns) unknown outcomes, "
      + "\(unavailable) not executed, \(restarts) restarts, \(checks) checks"
  }
}
