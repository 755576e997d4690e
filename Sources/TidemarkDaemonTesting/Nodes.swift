public import TidemarkTesting

/// What keeps the store of running daemons.
public enum EngineUnderTest: String, Sendable, CustomStringConvertible {
  case sqlite = "SQLite"
  /// Two daemons on one database.
  case postgres = "PostgreSQL, two nodes"

  /// Those that this machine has.
  public static let all: [EngineUnderTest] = PostgresServer.shared == nil ? [.sqlite] : [.sqlite, .postgres]

  public var description: String { rawValue }
}

/// The daemons on one store: one on SQLite, two on PostgreSQL.
public final class Nodes {
  /// Says that there is no PostgreSQL.
  public struct NoServer: Error {}

  public let daemons: [DaemonProcess]
  /// The URL of the store.
  public let store: String
  private let folder: TemporaryFolder
  private var connected = 0

  /// Starts them on an empty store.
  public init(_ engine: EngineUnderTest, arguments: [String] = []) throws {
    folder = try TemporaryFolder()
    switch engine {
    case .sqlite: store = "sqlite:\(folder.path)"
    case .postgres:
      guard let server = PostgresServer.shared else { throw NoServer() }
      store = try server.makeSchema()
    }
    let url = store
    daemons = try (0..<(engine == .sqlite ? 1 : 2)).map { _ in try DaemonProcess(store: url, arguments: arguments) }
  }

  /// Starts two, one after the other, on an empty schema of a server.
  public init(_ server: PostgresServer, isDevelopment: Bool = true) throws {
    folder = try TemporaryFolder()
    store = try server.makeSchema()
    let url = store
    daemons = try (0..<2).map { _ in try DaemonProcess(store: url, isDevelopment: isDevelopment) }
  }

  /// Whether none has ended.
  public var areRunning: Bool { daemons.allSatisfy(\.isRunning) }

  /// A connection to one daemon after the other, the first one first.
  public func connect() throws -> FramedConnection {
    defer { connected += 1 }
    return try FramedConnection(port: daemons[connected % daemons.count].port)
  }

  public func connect(_ count: Int) throws -> [FramedConnection] { try (0..<count).map { _ in try connect() } }
}

// MARK: Tokens

extension Nodes {
  /// A connection to one daemon.
  public func connect(to node: Int, token: String? = nil) throws -> FramedConnection {
    try FramedConnection(port: daemons[node].port, token: token)
  }

  /// The administrator's token that the first start showed.
  public var firstToken: String? { daemons.lazy.compactMap { Nodes.tokens(in: $0.log).first }.first }

  /// The tokens in a daemon's log.
  public static func tokens(in log: String) -> [String] {
    log.split(whereSeparator: \.isWhitespace).filter { $0.hasPrefix("tmk_") }.map(String.init)
  }
}
