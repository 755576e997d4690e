internal import Synchronization
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkStoreSQLite
internal import TidemarkTesting

/// The process that serves: the real store with its writer and a reader, on the simulation's thread.
final class Server {
  private(set) var runner: BatchRunner?
  private(set) var reader: (any StoreReader)?
  /// What reads may be answered from without the store; `nil` where others write to it, too.
  let recent: RecentEntities?
  let answers = AnswerSink()

  init(_ simulation: Simulation, randomSeed: UInt64) throws {
    let store = try Server.open(simulation)
    let schema = simulation.rules.schema
    let remembers = store.hasOneWriter || simulation.options.planted == .remembersWhatOthersChange
    recent = remembers ? RecentEntities(bytesMax: 1 << 20) : nil
    runner = try BatchRunner(
      store: WatchedStore(store, simulation.hooks), clock: simulation.clock.storeClock, random: SeededGenerator(seed: randomSeed),
      options: GroupCommitWriter.Options(), recent: recent, decodeSchema: { _ in schema }, health: WriterHealth { _ in })
    reader = try store.openReader()
  }

  private static func open(_ simulation: Simulation) throws -> any EntityStore {
    switch simulation.options.engine {
    case .sqlite: try SQLiteStore.open(folder: "disk", options: simulation.storeOptions)
    case .memory: simulation.memory
    case .postgres: try simulation.database?.open() ?? simulation.memory
    }
  }

  /// Ends in order. The last connection to close moves the log into the database, when it is the writer's.
  func close(writerFirst: Bool) {
    if writerFirst { runner = nil }
    reader = nil
    runner = nil
  }
}

/// Keeps the answers of one commit until they are taken.
final class AnswerSink: WriteSink {
  private let answers = Mutex<[WriteAnswer]>([])

  func deliver(_ new: [WriteAnswer]) { answers.withLock { $0 += new } }

  func take() -> [WriteAnswer] {
    answers.withLock { answers in
      defer { answers = [] }
      return answers.sorted { $0.ticket < $1.ticket }
    }
  }
}
