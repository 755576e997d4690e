internal import TidemarkPostgres
public import TidemarkStore

/// The engine for a database that several processes may share.
///
/// Who writes to a space holds the space's row until the commit, so the revisions of a space are in commit order without gaps, whoever
/// writes them; different spaces do not wait for each other. docs/decisions/postgres-statements.md lists the statements and what they need.
///
/// When the database goes away, what is under way throws `StoreError` with code `unavailable`, or `outcomeUnknown` when the answer to a commit was
/// lost. Later reads and writes connect anew.
///
/// Connections are shared by the threads that read and write: each transaction leases one (`ConnectionPool`).
public final class PostgresStore: EntityStore {
  private let options: PostgresStoreOptions
  private let pool: ConnectionPool

  public var engineName: String { "postgres" }
  public var hasOneWriter: Bool { false }
  public var connections: ConnectionCounts? { pool.counts }

  /// Opens the store in a database. Makes its tables when there are none, and brings them to this program's format where older programs may go on.
  ///
  /// - Parameter url: as libpq takes it. The password comes from `PostgresStoreOptions.passwordFile`, from `PGPASSWORD`, or from the file
  ///   that `PGPASSFILE` or `passfile` names.
  /// - Throws: `StoreError` with code `unavailable` when the database cannot be reached or refuses, `unknownFormat`, `full` or `corrupt`.
  public static func open(url: String, options: PostgresStoreOptions = PostgresStoreOptions()) throws -> PostgresStore {
    let opener = ConnectionOpener(url: url, options: options)
    let pool = ConnectionPool(options: options.pool, random: options.random, warn: options.warn) { () throws(StoreError) in
      try opener.open()
    }
    let lease = try pool.lease()
    defer { pool.giveBack(lease) }
    try translatingErrors {
      let encoding = try lease.connection.run([.init(number: -2, text: "SELECT current_setting('server_encoding')")])
      guard encoding.first?.first?.text(at: 0) == "UTF8" else {
        throw StoreError(.unknownFormat, "the database does not keep text as UTF8; make one with ENCODING 'UTF8'")
      }
      try PostgresMigrator(url: url, options: options).prepare(lease.connection)
    }
    return PostgresStore(options: options, pool: pool)
  }

  private init(options: PostgresStoreOptions, pool: ConnectionPool) {
    self.options = options
    self.pool = pool
  }

  public func openWriter() throws -> any StoreWriter {
    let session = makeSession(.beginWrite)
    try session.connect()
    return PostgresWriter(session)
  }

  public func openReader() throws -> any StoreReader {
    let session = makeSession(.beginRead)
    try session.connect()
    return PostgresReader(session)
  }

  private func makeSession(_ begin: SQL) -> Session {
    Session(begin: begin, pool: pool, checkTimeoutMS: Int32(clamping: options.connectTimeoutSeconds &* 1_000))
  }
}
