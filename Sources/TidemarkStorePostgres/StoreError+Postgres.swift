internal import TidemarkPostgres
internal import TidemarkStore

extension StoreError {
  /// What an error of PostgreSQL means for a store, when it came before the commit: nothing of the transaction is kept.
  ///
  /// A broken constraint is damage: callers never ask for a row that exists, so the store contradicts itself. Two that make a space of one name
  /// at once are told apart before there is an error.
  init(_ error: PostgresError) {
    let code: Code =
      switch error.state {
      case "53100": .full
      // data_corrupted, index_corrupted
      case "XX001", "XX002": .corrupt
      // undefined_table, undefined_column: a migration took away what this program uses.
      case "42P01", "42703": .unknownFormat
      default: error.stateClass == "23" ? .corrupt : .unavailable
      }
    self.init(code, "postgres: \(error)")
  }

  static func corrupt(_ message: String) -> StoreError { StoreError(.corrupt, message) }
}

extension PostgresError {
  /// The transaction met another one, and may be run again at once: serialization_failure, deadlock_detected.
  var isTransient: Bool { state == "40001" || state == "40P01" }

  /// The server takes no writes: another one took its place, and is reached by a new connection (read_only_sql_transaction; BEGIN READ WRITE during
  /// recovery is feature_not_supported).
  var comesFromStandby: Bool { state == "25006" || state == "0A000" }

  /// After this answer to a commit nobody knows what became of it: the connection was lost, or the server says that it does not know
  /// (transaction_resolution_unknown, statement_completion_unknown).
  var leavesOutcomeUnknown: Bool { isConnectionLost || state == "08007" || state == "40003" }
}

/// Runs `body` and gives errors of PostgreSQL their meaning.
func translatingErrors<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as PostgresError { throw StoreError(error) }
}
