internal import Synchronization
internal import TidemarkPostgres
public import TidemarkStore

/// The engine for a database that several processes may share.
///
/// Who writes to a space holds the space's row until the commit, so the revisions of a space are in commit order without gaps, whoever
/// writes them; different spaces do not wait for each other. docs/decisions/postgres-statements.md lists the statements and what they need.
///
/// When the database goes away, what is under way throws `StoreError` with code `unavailable`, or `outcomeUnknown` when the answer to a commit was
/// lost. Every later read and write connects anew.
public final class PostgresStore: EntityStore {
  private let url: String
  private let options: PostgresStoreOptions
  private let hasWriter = Mutex(false)

  public var engineName: String { "postgres" }
  public var hasOneWriter: Bool { false }

  /// Opens the store in a database. Makes its tables when there are none.
  ///
  /// - Parameter url: as libpq takes it. The password comes from `PGPASSWORD`, or from the file that `PGPASSFILE` or `passfile` names.
  /// - Throws: `StoreError` with code `unavailable` when the database cannot be reached or refuses, `unknownFormat`, `full` or `corrupt`.
  public static func open(url: String, options: PostgresStoreOptions = PostgresStoreOptions()) throws -> PostgresStore {
    let store = PostgresStore(url: url, options: options)
    try translatingErrors {
      let connection = try store.connect()
      let encoding = try connection.run([.init(number: -2, text: "SELECT current_setting('server_encoding')")])
      guard encoding.first?.first?.text(at: 0) == "UTF8" else {
        throw StoreError(.unknownFormat, "the database does not keep text as UTF8; make one with ENCODING 'UTF8'")
      }
      try Tables.prepare(connection)
    }
    return store
  }

  private init(url: String, options: PostgresStoreOptions) {
    self.url = url
    self.options = options
  }

  public func openWriter() throws -> any StoreWriter {
    let isTaken = hasWriter.withLock { hasWriter in
      defer { hasWriter = true }
      return hasWriter
    }
    guard !isTaken else { throw StoreError(.failed, "the store already has its writer") }
    let session = makeSession(.beginWrite)
    do { try session.connect() } catch {
      hasWriter.withLock { $0 = false }
      throw error
    }
    return PostgresWriter(session) { self.hasWriter.withLock { $0 = false } }
  }

  public func openReader() throws -> any StoreReader {
    let session = makeSession(.beginRead)
    try session.connect()
    return PostgresReader(session)
  }

  private func makeSession(_ begin: SQL) -> Session {
    Session(begin: begin) { [self] () throws(PostgresError) in try connect() }
  }

  private func connect() throws(PostgresError) -> PostgresConnection {
    let connection = try PostgresConnection(
      url: url, connectTimeoutSeconds: options.connectTimeoutSeconds,
      answerTimeoutMS: options.statementTimeoutMS + options.answerMarginMS)
    try connection.execute(
      """
      SET statement_timeout = \(options.statementTimeoutMS); SET lock_timeout = \(options.lockTimeoutMS);
      SET idle_in_transaction_session_timeout = \(options.silenceTimeoutMS)
      """)
    // Other databases that speak this protocol need not know these. A commit that is not on the disk is none.
    try? connection.execute(
      "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
    try? connection.execute(SQL.planSettings)
    if connection.isLost { throw PostgresError.lostAtStart }
    return connection
  }
}
