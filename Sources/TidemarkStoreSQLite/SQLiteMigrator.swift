internal import TidemarkSQLite
public import TidemarkStore

/// Brings the store in a data folder to another format, while no server uses it.
public struct SQLiteMigrator: StoreMigrator {
  /// The data folder.
  public let folder: String
  let migrations: [Migration]

  public init(folder: String) { self.init(folder: folder, migrations: Migration.all) }

  init(folder: String, migrations: [Migration]) {
    self.folder = folder
    self.migrations = migrations
  }

  /// Reads the format of the store.
  ///
  /// - Throws: `StoreError` with code `locked`, `unknownFormat`, `corrupt` or `failed`.
  public func status() throws -> StoreFormat {
    guard FolderLock.exists(path) else { return status(at: 0) }
    return try owning { status(at: try SQLiteMigrator.format(of: $0, known: migrations)) }
  }

  /// Brings the store to the latest format. Each step is durable by itself.
  ///
  /// - Throws: `StoreError` with code `locked`, `unknownFormat`, `full`, `corrupt` or `failed`.
  public func up() throws -> StoreFormat {
    try FolderLock.makeFolder(folder)
    return try owning { connection in
      try SQLiteMigrator.migrateUp(connection, migrations)
      return status(at: migrations.count)
    }
  }

  /// Brings the store back to an earlier format. Each step is durable by itself.
  ///
  /// - Throws: `StoreError` with code `unknownFormat` when the earlier format cannot hold what is stored; otherwise like `up`.
  public func down(to format: Int) throws -> StoreFormat {
    guard FolderLock.exists(path) else { return status(at: 0) }
    return try owning { connection in
      let current = try SQLiteMigrator.format(of: connection, known: migrations)
      guard (0...current).contains(format) else {
        throw StoreError(.unknownFormat, "the store has format \(current), format \(format) is not below it")
      }
      for migration in migrations[format..<current].reversed() {
        try SQLiteMigrator.step(connection, to: migration.number - 1, migration.back)
      }
      return status(at: format)
    }
  }

  private var path: String { SQLiteStore.databasePath(in: folder) }

  private func status(at format: Int) -> StoreFormat {
    StoreFormat(
      current: format, latest: migrations.count,
      pending: migrations.dropFirst(format).map { "\($0.number): \($0.summary)" })
  }

  private func owning<Result>(_ body: (Connection) throws -> Result) throws -> Result {
    let lock = try FolderLock(folder: folder)
    return try withExtendedLifetime(lock) {
      try translatingErrors {
        let connection = try Connection(path: path, mode: .readWriteCreate)
        connection.neverCheckpointOnClose()
        return try body(connection)
      }
    }
  }

  // MARK: Steps

  /// `TDMK`, kept as `PRAGMA application_id`.
  static let applicationID: Int64 = 0x5444_4D4B

  /// The format of an open store, without changing it.
  ///
  /// - Throws: `StoreError` with code `unknownFormat` when this program does not know it.
  static func format(of connection: Connection, known migrations: [Migration]) throws -> Int {
    let application = try connection.integer("PRAGMA application_id") ?? 0
    let format = try connection.integer("PRAGMA user_version") ?? 0
    if application == 0, format == 0,
      try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name <> 'sqlite_sequence'") == 0
    {
      return 0
    }
    guard application == applicationID else { throw StoreError(.unknownFormat, "the file is a database of another program") }
    guard let number = Int(exactly: format), (1...migrations.count).contains(number) else {
      throw StoreError(.unknownFormat, "the store has format \(format), this program knows formats up to \(migrations.count)")
    }
    return number
  }

  static func migrateUp(_ connection: Connection, _ migrations: [Migration]) throws {
    for migration in migrations.dropFirst(try format(of: connection, known: migrations)) {
      try step(connection, to: migration.number, migration.forward)
    }
  }

  private static func step(_ connection: Connection, to format: Int, _ body: (Connection) throws -> Void) throws {
    try connection.execute("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")
    do {
      try body(connection)
      try connection.execute("PRAGMA application_id = \(format == 0 ? 0 : applicationID); PRAGMA user_version = \(format)")
      try connection.execute("COMMIT")
    } catch {
      if connection.isInTransaction { try? connection.execute("ROLLBACK") }
      throw error
    }
  }
}
