internal import TidemarkSQLite
internal import TidemarkStore

extension StoreError {
  /// What an error of SQLite means for a store.
  ///
  /// A broken constraint is damage: callers never ask for a row that exists, so the store contradicts itself.
  init(_ error: SQLiteError) {
    let code: Code =
      switch error.code {
      case .full: .full
      case .corrupt, .notADatabase, .constraint: .corrupt
      default: .failed
      }
    self.init(code, "sqlite: \(error)")
  }

  static func corrupt(_ message: String) -> StoreError { StoreError(.corrupt, message) }
}

/// Runs `body` and gives errors of SQLite their meaning.
func translatingErrors<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as SQLiteError { throw StoreError(error) }
}
