internal import Glibc
internal import Synchronization
internal import TidemarkCore
internal import TidemarkWire

/// One measurement: its load threads, and the server's own counters around it.
struct Run {
  private let options: Options

  init(_ options: Options) { self.options = options }

  /// Measures. Any call that does not succeed fails the whole run.
  func json() throws -> String {
    switch options.mode {
    case .raw:
      let bytes = FrameHeader.bytes + (try BenchEntities().echo(using: MessageArena())).count
      return report(try measure { _ in RawLoad(frameBytes: bytes) })
    case .echo:
      let message = try BenchEntities().echo(using: MessageArena())
      return report(try measure { _ in EchoLoad(message: message, token: options.token) })
    case .get: return report(try measure { try GetLoad(options, thread: $0) })
    case .fill:
      var options = options
      options.calls = options.entities
      try prepareSpaces()
      return report(try Run(options).measure { try FillLoad(options, thread: $0) })
    case .pull: return try jsonOfPulls()
    case .watch:
      var run = try WatchRun(options)
      return json(try run.run())
    case .update: return try jsonOfWrites { state, thread in try UpdateLoad(options, thread: thread, state: state) }
    case .bulk: return try jsonOfWrites { state, _ in try BulkLoad(options, state: state) }
    }
  }

  /// Measures pulls, with the rate of the entities in them.
  private func jsonOfPulls() throws -> String {
    let results: [Measurement]
    if options.behind > 0 {
      let control = try ControlConnection(options)
      let now: PullResponse = try control.call(.pull, PullRequest(space: .default, start: .now))
      var change = options
      (change.calls, change.connections) = (options.behind, 1)
      let state = try EntityStates(change, control)
      _ = try Run(change).measure { try UpdateLoad(change, thread: $0, state: state) }
      results = try measure { _ in PullLoad(options, cursor: now.cursor) }
    } else {
      results = try measure { _ in PullLoad(options) }
    }
    let seconds = Double(results.map(\.wall).max() ?? 0) / 1e9
    let items = Double(results.map(\.items).reduce(0, +))
    return report(results, [("items", items), ("items_per_s", seconds > 0 ? items / seconds : 0)])
  }

  /// Measures writes, with the server's own count of commits and changes.
  private func jsonOfWrites<L: Load>(_ makeLoad: (EntityStates, Int) throws -> L) throws -> String {
    let control = try ControlConnection(options)
    let state = try EntityStates(options, control)
    let before: GetServerInfoResponse = try control.call(.getServerInfo, GetServerInfoRequest())
    let result = try measure { try makeLoad(state, $0) }
    let after: GetServerInfoResponse = try control.call(.getServerInfo, GetServerInfoRequest())
    return report(
      result,
      [
        ("commits", Double(after.commits - before.commits)),
        ("changes", Double(after.changesCommitted - before.changesCommitted)),
      ])
  }

  /// Makes the spaces to fill, and gives the typed one its schema.
  private func prepareSpaces() throws {
    let entities = try BenchEntities(options)
    let control = try ControlConnection(options)
    for space in entities.spaces where space != .default {
      let _: SpaceResponse = try control.call(.createSpace, SpaceRequest(name: space))
    }
    guard options.isTyped else { return }
    let request = ApplySchemaRequest(space: entities.spaces[0], schema: try entities.schema(), expectedVersion: 0)
    let response: ApplySchemaResponse = try control.call(.applySchema, request)
    guard response.isApplied else { throw BenchError("the schema was not applied: \(response.message) \(response.problems)") }
  }

  private func measure<L: Load>(_ makeLoad: (Int) throws -> L) throws -> [Measurement] {
    var loops: [LoadLoop<L>] = []
    for thread in 0..<options.threads {
      let connections = options.connections / options.threads + (thread < options.connections % options.threads ? 1 : 0)
      let calls = options.calls / options.threads + (thread < options.calls % options.threads ? 1 : 0)
      loops.append(
        try LoadLoop(makeLoad(thread), connections: connections, lanes: options.pipeline, port: options.port, calls: calls))
    }
    let results = ResultBox()
    let options = options
    let threads = loops.map { loop in
      Thread {
        var loop = loop
        do { results.add(.success(try loop.run(warmUpSeconds: options.warmUpSeconds, seconds: options.seconds))) } catch {
          results.add(.failure(error as? BenchError ?? BenchError("\(error)")))
        }
      }
    }
    for thread in threads { thread.join() }
    return try results.all.map { try $0.get() }
  }

  private func report(_ measurements: [Measurement], _ more: [(String, Double)] = []) -> String {
    var latencies = Histogram()
    for measurement in measurements { latencies.merge(measurement.latencies) }
    let wall = Double(measurements.map(\.wall).max() ?? 0) / 1e9
    func share(_ part: KeyPath<Measurement, UInt64>) -> Double {
      let shares = measurements.map { $0.wall == 0 ? 0 : Double($0[keyPath: part]) / Double($0.wall) }
      return shares.max() ?? 0
    }
    let values: [(String, Double)] = [
      ("connections", Double(options.connections)), ("threads", Double(options.threads)), ("calls", Double(latencies.count)),
      ("all_calls", Double(measurements.map(\.calls).reduce(0, +))),
      ("seconds", wall), ("calls_per_s", wall > 0 ? Double(latencies.count) / wall : 0),
      ("p50_us", latencies.percentile(0.5)), ("p99_us", latencies.percentile(0.99)),
      ("busy_share", share(\.processor)), ("waiting_share", share(\.waiting)),
      ("calls_per_wake", Double(latencies.count) / Double(max(1, measurements.map(\.wakes).reduce(0, +)))),
    ]
    return json(values + more)
  }

  private func json(_ values: [(String, Double)]) -> String {
    let pairs = values.map { "\"\($0.0)\": \(($0.1 * 1_000).rounded() / 1_000)" }
    return "{\"mode\": \"\(options.mode.rawValue)\", \(pairs.joined(separator: ", "))}"
  }
}

/// Gathers what the threads measured.
private final class ResultBox: Sendable {
  private let results = Mutex<[Result<Measurement, BenchError>]>([])
  func add(_ result: Result<Measurement, BenchError>) { results.withLock { $0.append(result) } }
  var all: [Result<Measurement, BenchError>] { results.withLock { $0 } }
}

/// A thread that runs one body.
struct Thread {
  private var handle = pthread_t()

  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  init(_ run: @escaping () -> Void) {
    let body = Unmanaged.passRetained(Body(run))
    let failure = pthread_create(
      &handle, nil,
      { raw in
        if let raw { Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    precondition(failure == 0, "the system has no thread left")
  }

  func join() { pthread_join(handle, nil) }
}
