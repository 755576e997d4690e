public import TidemarkTesting

/// What keeps the store of a simulation.
public enum SimulatedEngine: Sendable {
  /// SQLite on a disk that fails.
  case sqlite
  /// The engine in memory. Servers end and start again, and what they stored is still there.
  case memory
  /// Two servers on one database of a real PostgreSQL server, whose connections are cut, and which crashes. It must be nobody else's.
  case postgres(PostgresServer)

  /// How many servers share the store.
  var nodes: Int {
    switch self {
    case .sqlite, .memory: 1
    case .postgres: 2
    }
  }
}
