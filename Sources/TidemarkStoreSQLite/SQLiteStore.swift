internal import Synchronization
internal import TidemarkSQLite
public import TidemarkStore

/// The engine for one machine: a data folder with a SQLite database in it.
///
/// ```
/// tidemark.db       the database, in WAL mode; its tables are those of `Migration.all`
/// tidemark.db-wal   commits that are not yet in the database file. Part of the data
/// tidemark.db-shm   an index of it, made anew when needed
/// tidemark.lock     `FolderLock`
/// ```
/// Exactly one connection, the writer's, writes and checkpoints: SQLite before 3.51.3 can lose commits when two do it at the same
/// moment (https://www.sqlite.org/wal.html#walresetbug). All others are read-only.
public final class SQLiteStore: EntityStore {
  /// The data folder.
  public let folder: String
  private let options: SQLiteStoreOptions
  /// `nil` in a simulation, where nobody else is.
  private let lock: FolderLock?
  private let hasWriter = Mutex(false)

  /// The version of the SQLite library in use, such as `3.51.3`.
  public static var sqliteVersion: String { Connection.libraryVersion }

  /// True when the library has the WAL-reset bug, fixed in 3.51.3, 3.50.7 and 3.44.6.
  ///
  /// This engine does not meet it. Another program that writes or checkpoints the file at the same time does: worth a line in the
  /// log.
  public static var hasWALResetBug: Bool { hasWALResetBug(Connection.libraryVersionNumber) }

  static func hasWALResetBug(_ version: Int) -> Bool {
    switch version {
    case 3_051_003...: false
    case 3_050_007..<3_051_000, 3_044_006..<3_045_000: false
    default: version >= 3_007_000
    }
  }

  public var engineName: String { "sqlite" }
  public var hasOneWriter: Bool { true }
  public var connections: ConnectionCounts? { nil }

  /// Opens the store in a folder. Makes the folder and an empty store when there is none.
  ///
  /// - Throws: `StoreError` with code `locked` when another process has it open, `unknownFormat` when a later program made it
  /// (the
  ///   store is then untouched), `corrupt`, `full` or `failed`.
  public static func open(folder: String, options: SQLiteStoreOptions = SQLiteStoreOptions()) throws -> SQLiteStore {
    try SQLiteStore(folder: folder, options: options, migrations: Migration.all)
  }

  init(folder: String, options: SQLiteStoreOptions, migrations: [Migration]) throws {
    self.folder = folder
    self.options = options
    if options.disk == nil {
      try FolderLock.makeFolder(folder)
      lock = try FolderLock(folder: folder)
    } else {
      lock = nil
    }
    let path = SQLiteStore.databasePath(in: folder)
    try translatingErrors {
      let connection = try Connection(
        path: path, mode: .readWriteCreate, busyTimeoutMS: options.busyTimeoutMS, vfs: options.disk?.vfs)
      // What a crash left in the write-ahead log is the writer's to checkpoint, not this connection's when it closes.
      connection.neverCheckpointOnClose()
      let format = try SQLiteMigrator.format(of: connection, known: migrations)
      guard format > 0 else {
        guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
          throw StoreError(.failed, "\(path): the file system does not support SQLite's WAL mode")
        }
        return try SQLiteMigrator.migrateUp(connection, migrations)
      }
      guard format < migrations.count else { return try SQLiteStore.syncLog(connection, format) }
      guard options.migratesOnOpen else {
        throw StoreError(.unknownFormat, "the store has format \(format) and is to be migrated to \(migrations.count) first")
      }
      try SQLiteMigrator.migrateUp(connection, migrations)
    }
    if let disk = options.disk { try disk.syncFolder() } else { try FolderLock.sync(folder) }
  }

  /// Makes durable what the write-ahead log shows before anybody is shown it: the process before this one may have been killed, or met
  /// an I/O error, between writing a commit and syncing it. A commit that changes nothing syncs all of the log.
  ///
  /// Without room for that commit a checkpoint does it: it syncs the log before it writes to the database.
  private static func syncLog(_ connection: Connection, _ format: Int) throws(SQLiteError) {
    do {
      try connection.execute("PRAGMA synchronous = FULL; BEGIN IMMEDIATE; PRAGMA user_version = \(format); COMMIT")
    } catch {
      if connection.isInTransaction { try? connection.execute("ROLLBACK") }
      guard error.code.primary == .full else { throw error }
      do { _ = try connection.checkpoint() } catch  where error.code.primary == .full {}
    }
  }

  public func openWriter() throws -> any StoreWriter { try openSQLiteWriter() }

  func openSQLiteWriter() throws -> SQLiteWriter {
    let isTaken = hasWriter.withLock { hasWriter in
      defer { hasWriter = true }
      return hasWriter
    }
    guard !isTaken else { throw StoreError(.failed, "the store already has its writer") }
    let connection: Connection
    do { connection = try makeConnection(.readWrite) } catch {
      hasWriter.withLock { $0 = false }
      throw error
    }
    connection.onClose = { self.hasWriter.withLock { $0 = false } }
    return SQLiteWriter(connection, options)
  }

  public func openReader() throws -> any StoreReader {
    let connection = try makeConnection(.readOnly)
    // Each connection keeps the store, and so the lock of the folder, until it is closed.
    connection.onClose = { withExtendedLifetime(self) {} }
    return SQLiteReader(connection)
  }

  static func databasePath(in folder: String) -> String { "\(folder)/tidemark.db" }

  private func makeConnection(_ mode: Connection.Mode) throws -> Connection {
    try translatingErrors {
      let path = SQLiteStore.databasePath(in: folder)
      let connection = try Connection(path: path, mode: mode, busyTimeoutMS: options.busyTimeoutMS, vfs: options.disk?.vfs)
      try connection.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY")
      guard mode != .readOnly else {
        try connection.execute("PRAGMA query_only = ON; PRAGMA cache_size = -\(options.readerCacheKiB)")
        return connection
      }
      // Debian builds SQLite with SECURE_DELETE on, which writes zeros over every page it frees.
      try connection.execute("PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF")
      try connection.execute("PRAGMA cache_size = -\(options.writerCacheKiB); PRAGMA journal_size_limit = \(64 << 20)")
      guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
        throw StoreError(.failed, "\(path): the store is not in WAL mode")
      }
      if let pagesMax = options.pagesMax { try connection.execute("PRAGMA max_page_count = \(pagesMax)") }
      return connection
    }
  }
}
