internal import TidemarkSQLite
internal import TidemarkStore

/// A read-only connection with one snapshot after another.
final class SQLiteReader: StoreReader {
  private let snapshot: SQLiteSnapshot

  init(_ connection: Connection) { snapshot = SQLiteSnapshot(connection) }

  func read<Result>(_ body: (any StoreSnapshot) throws -> Result) throws -> Result {
    precondition(!snapshot.isValid, "a read began inside a read")
    // The state is fixed by the first statement in the body, which is after this call began.
    try translatingErrors { try snapshot.statements[.begin].run() }
    snapshot.isValid = true
    defer {
      snapshot.isValid = false
      // Nothing was changed, so there is nothing to lose. Should the end fail, the next begin fails and says so.
      try? snapshot.statements[.commit].run()
    }
    return try body(snapshot)
  }
}
