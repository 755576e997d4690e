internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkStorePostgres
internal import TidemarkTesting

/// A schema of a real PostgreSQL server with a proxy before it, and what goes wrong there.
///
/// The server has no virtual clock, and what it does is not from the seed; what is done to it is.
final class SimulatedDatabase {
  /// What can go wrong.
  enum Fault: Hashable {
    /// The connection ends before the commit reaches the server.
    case loseCommit
    /// The connection ends after the commit, before its answer.
    case loseAnswer
    /// The connection ends in place of a message to the server.
    case loseMessage(after: Int)
    /// The server ends all connections between judging and commit.
    case endConnections
    /// The server crashes between judging and commit, and starts again.
    case crash

    var text: String {
      switch self {
      case .loseCommit: "a commit is lost"
      case .loseAnswer: "the answer to a commit is lost"
      case .loseMessage(let count): "the connection ends after \(count) messages"
      case .endConnections: "the database ends all connections"
      case .crash: "the database crashes"
      }
    }
  }

  private let server: PostgresServer
  private let proxy: CutProxy
  /// A way around the proxy.
  private let directURL: String
  private let url: String
  private let application: String
  /// What is to go wrong.
  private(set) var armed: Fault?
  /// What went wrong since `beginBatch`.
  private(set) var happened: Fault? { didSet { if happened != nil { lastFault = .now } } }
  private var lastFault: ContinuousClock.Instant?
  /// A fault is to come, or came a moment ago: callers may still be told of it.
  var isShaken: Bool { armed != nil || lastFault.map { .now - $0 < .seconds(3) } ?? false }

  init(_ server: PostgresServer, seed: UInt64) throws {
    self.server = server
    proxy = try CutProxy(to: server.folder)
    application = "sim\(seed)"
    directURL = try server.makeSchema()
    let schema = directURL.split(separator: "%3D").last.map(String.init) ?? ""
    url = server.url(schema: schema, folder: proxy.folder.path) + "&application_name=\(application)"
  }

  deinit { proxy.close() }

  func open() throws -> any EntityStore { try PostgresStore.open(url: url) }

  // MARK: Faults

  /// Lets a fault come in the next batch that meets it.
  func arm(_ fault: Fault) {
    guard armed == nil else { return }
    armed = fault
    happened = nil
  }

  func disarm() { armed = nil }

  /// Something begins that may meet the fault.
  func begin() {
    happened = nil
    switch armed {
    case .loseCommit: proxy.set(.loseCommit)
    case .loseAnswer: proxy.set(.loseAnswer)
    case .loseMessage(let count): proxy.set(.loseMessage(after: count))
    case .endConnections, .crash, nil: break
    }
  }

  /// It has ended; says whether the fault came.
  func end() {
    switch (proxy.reset(), armed) {
    case (.loseMessage(let count), .loseMessage): armed = .loseMessage(after: count)
    case (.pass, .loseCommit?), (.pass, .loseAnswer?), (.pass, .loseMessage?):
      happened = armed
      armed = nil
    default: break
    }
  }

  /// Between judging and commit.
  func willCommit() throws {
    switch armed {
    case .endConnections:
      try PostgresServer.execute(
        directURL,
        """
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '\(application)'
        """)
    case .crash:
      server.stop()
      server.start()
    case .loseCommit, .loseAnswer, .loseMessage, nil: return
    }
    happened = armed
    armed = nil
  }

  /// Does something that meets no fault.
  func undisturbed<Result>(_ body: () throws -> Result) rethrows -> Result {
    let mode = proxy.reset()
    defer { proxy.set(mode) }
    return try reached(body)
  }

  /// Runs something until the database can be reached: after a fault each caller is told of it for a moment, without another attempt.
  func reached<Result>(_ body: () throws -> Result) rethrows -> Result {
    let end = ContinuousClock.now + .seconds(30)
    while true {
      do { return try body() } catch let error as StoreError where error.code == .unavailable && ContinuousClock.now < end {
        continue
      }
    }
  }
}
