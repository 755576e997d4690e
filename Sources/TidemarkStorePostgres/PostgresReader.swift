internal import TidemarkStore

/// Reads one snapshot after another on a connection of its own.
final class PostgresReader: StoreReader {
  private let snapshot: PostgresSnapshot

  init(_ session: Session) { snapshot = PostgresSnapshot(session) }

  func read<Result>(_ body: (any StoreSnapshot) throws -> Result) throws -> Result {
    precondition(!snapshot.isValid, "a read began inside a read")
    // The state is fixed by the first statement in the body, which is after this call began.
    snapshot.session.start()
    snapshot.isValid = true
    defer {
      snapshot.isValid = false
      snapshot.session.rollBack()
    }
    return try body(snapshot)
  }
}
