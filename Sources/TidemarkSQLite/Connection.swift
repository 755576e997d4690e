internal import CTidemarkSQLite

/// One connection to a database file. Used by one thread at a time (it is opened with `SQLITE_OPEN_NOMUTEX`).
///
/// Closed when it and its statements are released.
public final class Connection {
  /// How the file is opened.
  public enum Mode: Sendable {
    /// Reads and writes; the file is made when it is missing.
    case readWriteCreate
    /// Reads and writes a file that must exist.
    case readWrite
    /// Reads. Such a connection never checkpoints, also not when it is the last to close.
    case readOnly
  }

  /// Called once, after the connection is closed.
  public var onClose: (() -> Void)?

  let handle: OpaquePointer
  private let busyTimeoutMS: Int32
  /// Written by `sqlite3_wal_hook` on the connection's thread.
  private let walPagesCounter: UnsafeMutablePointer<Int32>

  /// Opens a file.
  ///
  /// - Parameters:
  ///   - busyTimeoutMS: how long a statement waits for a lock, in milliseconds.
  ///   - vfs: the registered name of what stands for the file system (https://www.sqlite.org/vfs.html); `nil` for the machine's.
  /// - Throws: `SQLiteError`, usually `cannotOpen`. A file that is no database is found by the first statement.
  public init(path: String, mode: Mode, busyTimeoutMS: Int32 = 5_000, vfs: String? = nil) throws(SQLiteError) {
    _ = Connection.configured
    let flags: Int32 =
      switch mode {
      case .readWriteCreate: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
      case .readWrite: SQLITE_OPEN_READWRITE
      case .readOnly: SQLITE_OPEN_READONLY
      }
    var opened: OpaquePointer?
    let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs)
    guard code == SQLITE_OK, let opened else {
      let message = opened.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "out of memory"
      sqlite3_close_v2(opened)
      throw SQLiteError(code: ResultCode(rawValue: code), message: "\(path): \(message)")
    }
    handle = opened
    self.busyTimeoutMS = busyTimeoutMS
    walPagesCounter = .allocate(capacity: 1)
    walPagesCounter.initialize(to: 0)
    sqlite3_busy_timeout(handle, busyTimeoutMS)
    if mode == .readOnly { neverCheckpointOnClose() }
    // The hook takes the place of the automatic checkpoint, also of a reader: from here on a checkpoint happens only when it is
    // asked for. `PRAGMA wal_autocheckpoint` would take the hook away.
    _ = sqlite3_wal_hook(
      handle,
      { counter, _, _, pages in
        counter?.assumingMemoryBound(to: Int32.self).pointee = pages
        return SQLITE_OK
      }, walPagesCounter)
  }

  deinit {
    sqlite3_close_v2(handle)
    walPagesCounter.deallocate()
    onClose?()
  }

  /// The version of the library, such as `3.51.3`.
  public static var libraryVersion: String { String(cString: sqlite3_libversion()) }

  /// The version of the library as one number: 3.51.3 is 3051003.
  public static var libraryVersionNumber: Int { Int(sqlite3_libversion_number()) }

  /// True between a successful BEGIN and its end. Some errors end a transaction on their own.
  public var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// How many rows the latest statement inserted, updated or deleted.
  public var changes: Int { Int(sqlite3_changes(handle)) }

  /// How many pages the write-ahead log had after this connection's latest commit or checkpoint.
  public var walPages: Int { Int(walPagesCounter.pointee) }

  /// Closing this connection leaves the write-ahead log as it is, also when it is the last one.
  public func neverCheckpointOnClose() { _ = tidemark_sqlite_disable_checkpoint_on_close(handle) }

  /// Compiles a statement that is kept and used many times.
  public func prepare(_ sql: String) throws(SQLiteError) -> Statement {
    var compiled: OpaquePointer?
    let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil)
    guard code == SQLITE_OK, let compiled else { throw failure(code, sql) }
    return Statement(compiled, of: self)
  }

  /// Runs one or more statements without parameters and ignores their rows.
  public func execute(_ sql: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code, sql) }
  }

  /// The first column of the first row as an integer; `nil` when there is no row.
  public func integer(_ sql: String) throws(SQLiteError) -> Int64? {
    let statement = try prepare(sql)
    return try statement.step() ? statement.integer(at: 0) : nil
  }

  /// The first column of the first row as text; `nil` when there is no row, or it is not valid UTF-8.
  public func text(_ sql: String) throws(SQLiteError) -> String? {
    let statement = try prepare(sql)
    return try statement.step() ? statement.text(at: 0) : nil
  }

  /// Moves what it can of the write-ahead log into the database file (`SQLITE_CHECKPOINT_PASSIVE`).
  ///
  /// - Parameter waitsForReaders: wait, at most 200 ms, for those that read from the log now, so that the next commit begins it anew
  ///   (`SQLITE_CHECKPOINT_RESTART`). Otherwise nobody is waited for.
  /// - Returns: true when all of it was moved, so that the next commit starts the log anew.
  public func checkpoint(waitsForReaders: Bool = false) throws(SQLiteError) -> Bool {
    var pages: Int32 = 0
    var moved: Int32 = 0
    var code = SQLITE_BUSY
    if waitsForReaders {
      // SQLite waits for a lock that later readers may come to share, and so in vain. Each attempt sees the readers of its own time.
      sqlite3_busy_timeout(handle, 20)
      defer { sqlite3_busy_timeout(handle, busyTimeoutMS) }
      for _ in 0..<10 where code & 0xFF == SQLITE_BUSY {
        code = sqlite3_wal_checkpoint_v2(handle, "main", SQLITE_CHECKPOINT_RESTART, &pages, &moved)
      }
    } else {
      code = sqlite3_wal_checkpoint_v2(handle, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &moved)
    }
    guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else { throw failure(code, "checkpoint") }
    let isComplete = code == SQLITE_OK && moved >= pages
    walPagesCounter.pointee = isComplete ? 0 : max(pages, 0)
    return isComplete
  }

  func failure(_ code: Int32, _ sql: String) -> SQLiteError {
    // The message belongs to the latest call on the connection; when that was another one, the code's own text is better than a
    // wrong one.
    let current = sqlite3_extended_errcode(handle)
    let message = current == code ? sqlite3_errmsg(handle) : sqlite3_errstr(code)
    return SQLiteError(code: ResultCode(rawValue: code), message: message.map { String(cString: $0) } ?? "unknown", sql: sql)
  }

  /// Settings of the whole library, made once before the first connection.
  private static let configured: Bool = tidemark_sqlite_disable_memory_statistics() == SQLITE_OK
}
