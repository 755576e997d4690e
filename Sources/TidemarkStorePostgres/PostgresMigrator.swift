internal import Glibc
internal import TidemarkPostgres
public import TidemarkStore

/// Brings the tables in a database to another format, also while daemons serve them.
///
/// ```
/// a step   BEGIN; lock the row 'format' of `store`; is it still the format before? the step; note it; COMMIT
/// ```
/// Of several that start at once one makes the step, and the others find it done. No statement of a step waits for a lock longer than
/// `migrationLockMS`: who asks for a table that somebody reads in a long transaction makes everybody behind it wait, too. A step that met a lock is
/// undone and tried again after a pause, until `migrationPatienceMS` have passed.
public struct PostgresMigrator: StoreMigrator {
  private let url: String
  private let options: PostgresStoreOptions
  let migrations: [Migration]

  /// - Parameter url: as for `PostgresStore.open`.
  public init(url: String, options: PostgresStoreOptions = PostgresStoreOptions()) {
    self.init(url: url, options: options, migrations: Migration.all)
  }

  init(url: String, options: PostgresStoreOptions = PostgresStoreOptions(), migrations: [Migration]) {
    self.url = url
    self.options = options
    self.migrations = migrations
  }

  /// - Throws: `StoreError` with code `unavailable` or `unknownFormat`.
  public func status() throws -> StoreFormat {
    try translatingErrors {
      let found = try read(try connect())
      try refuseUnknown(found)
      return format(found)
    }
  }

  /// - Throws: `StoreError` with code `unavailable`, also when others held what it needs for too long; `unknownFormat`, `full` or `corrupt`.
  public func up() throws -> StoreFormat {
    try translatingErrors { format(try migrateUp(try connect(), contracts: true)) }
  }

  /// Daemons that know only later formats must have ended: their statements fail from the step on.
  ///
  /// - Throws: like `up`; `unknownFormat` also when the earlier format cannot hold what is stored.
  public func down(to format: Int) throws -> StoreFormat {
    try translatingErrors {
      let connection = try connect()
      var found = try read(connection)
      try refuseUnknown(found)
      guard (0...found.format).contains(format) else {
        throw StoreError(.unknownFormat, "the store has format \(found.format), format \(format) is not below it")
      }
      guard found.format <= migrations.count || found.format == format else {
        throw StoreError(.unknownFormat, "the store has format \(found.format), and the way back from it is in a later version")
      }
      if format == 0, found.format > 0 {
        // Refused as a whole: no step back is made before it is known that the last one can be.
        let held = try connection.run([
          .init(number: -90, text: "SELECT 1 FROM (SELECT 1 FROM log UNION ALL SELECT 1 FROM receipt) AS held LIMIT 1")
        ])
        guard held.first?.count == 0 else {
          throw StoreError(.unknownFormat, "format 0 cannot hold entities, and the store has some; nothing was changed")
        }
      }
      let patience = Patience(options)
      while found.format > format, let step = migrations.first(where: { $0.number == found.format }) {
        try patience.meetingLocks(connection) { try make(step, forward: false, connection) }
        found = try read(connection)
      }
      return self.format(found)
    }
  }

  /// Makes sure, before a store is served, that this program and the tables fit, and that there are tables.
  ///
  /// What older programs may go on with is brought up to date; a step that shuts them out is left to `up`, unless there are no tables yet.
  ///
  /// - Throws: `StoreError` with code `unknownFormat` when they do not fit; otherwise like `up`.
  func prepare(_ connection: PostgresConnection, served: Int = Migration.served) throws {
    var found = try read(connection)
    if options.migratesOnOpen || found.format == 0 {
      found = try migrateUp(connection, contracts: found.format == 0)
    } else {
      try refuseUnknown(found)
    }
    guard found.format >= served else {
      throw StoreError(
        .unknownFormat,
        "the store has format \(found.format), this program needs format \(served): `tidemarkd migrate up` makes it")
    }
  }

  // MARK: The format

  /// What the tables say of themselves; 0 where there are none.
  private struct Found: Equatable {
    var format: Int
    var lowest: Int
  }

  private func read(_ connection: PostgresConnection) throws -> Found {
    do throws(PostgresError) {
      let text = "SELECT key, value FROM store WHERE key IN ('format', 'lowest_format')"
      var values: [String: Int] = [:]
      for row in try connection.run([.init(number: -11, text: text)]).first?.all.map({ $0 }) ?? [] {
        values[row.text(at: 0) ?? ""] = row.integer(at: 1).flatMap { Int(exactly: $0) }
      }
      guard let format = values["format"], format > 0 else { return Found(format: -1, lowest: .max) }
      return Found(format: format, lowest: values["lowest_format"] ?? format)
    } catch {
      // There is no such table, or it has no such columns.
      if error.state == "42P01" { return Found(format: 0, lowest: 0) }
      if error.state == "42703" { return Found(format: -1, lowest: .max) }
      throw error
    }
  }

  private func refuseUnknown(_ found: Found) throws {
    guard found.format >= 0 else { throw StoreError(.unknownFormat, "the database has a table 'store' of another program") }
    guard found.lowest <= migrations.count else {
      throw StoreError.tooOld(lowest: found.lowest, known: migrations.count, of: found.format)
    }
  }

  private func format(_ found: Found) -> StoreFormat {
    StoreFormat(
      current: found.format, lowest: found.lowest, latest: migrations.count,
      pending: migrations.dropFirst(found.format).map { "\($0.number): \($0.summary)" })
  }

  // MARK: Steps

  /// - Parameter contracts: whether steps are made that shut out programs which may work with the tables now.
  private func migrateUp(_ connection: PostgresConnection, contracts: Bool) throws -> Found {
    let patience = Patience(options)
    var wasRefused = false
    while true {
      let found = try read(connection)
      try refuseUnknown(found)
      guard let step = migrations.first(where: { $0.number == found.format + 1 }) else { return found }
      if !contracts, step.lowest > found.lowest { return found }
      do {
        try patience.meetingLocks(connection) { try make(step, forward: true, connection) }
        wasRefused = false
      } catch let error as PostgresError where found.format == 0 && ["42P07", "42710", "23505"].contains(error.state) {
        // A table, type or row of that name exists: another one was made the tables at the same moment, or they are not of this program.
        if wasRefused { throw StoreError(.unknownFormat, "the database has tables of another program: \(error)") }
        wasRefused = true
      }
    }
  }

  /// Makes one step, unless another has made it meanwhile.
  private func make(_ step: Migration, forward: Bool, _ connection: PostgresConnection) throws {
    let before = forward ? step.number - 1 : step.number
    let after = forward ? step.number : step.number - 1
    do {
      try connection.execute(
        "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = \(options.migrationLockMS)")
      if before > 0 {
        let lock = "SELECT value FROM store WHERE key = 'format' FOR UPDATE"
        let format = try connection.run([.init(number: -12, text: lock)]).first?.first?.integer(at: 0)
        guard format == Int64(before) else { return try connection.execute("ROLLBACK") }
      }
      let lowest = after > 0 ? migrations[after - 1].lowest : 0
      let shutsOut = after > 1 && before > 1 && lowest != migrations[before - 1].lowest
      if shutsOut {
        // Who writes holds the row of its space, or that of the highest number, or reads that of the lowest format for update. So all who wrote
        // before have committed, and all who write after this commit find the mark.
        try connection.execute(
          "SELECT id FROM space ORDER BY name FOR UPDATE; SELECT key FROM store ORDER BY key FOR UPDATE")
      }
      try (forward ? step.forward : step.back)(connection)
      if after > 0 { try connection.execute("UPDATE store SET value = \(after) WHERE key = 'format'") }
      if shutsOut {
        try connection.execute(
          "UPDATE space SET lowest_format = \(lowest); UPDATE store SET value = \(lowest) WHERE key = 'lowest_format'")
      }
      // Format 1 has no list.
      if after > 1 { try note(after, step, forward: forward, connection) }
      try connection.execute("COMMIT")
    } catch {
      if connection.isInTransaction { try? connection.execute("ROLLBACK") }
      throw error
    }
  }

  private func note(_ after: Int, _ step: Migration, forward: Bool, _ connection: PostgresConnection) throws {
    var parameters = Parameters()
    parameters.add(Int64(after))
    parameters.add(forward ? step.summary : "back from \(step.number): \(step.summary)")
    parameters.add(options.program)
    let text = """
      INSERT INTO migration (applied_at_us, format, summary, program)
      VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::int8, $1, $2, $3)
      """
    _ = try connection.run([.init(number: -13, text: text, parameters: parameters)])
  }

  private func connect() throws -> PostgresConnection { try ConnectionOpener(url: url, options: options).open() }
}

/// How long is left to meet no lock.
private struct Patience {
  private let end: ContinuousClock.Instant
  private let totalMS: Int32

  init(_ options: PostgresStoreOptions) {
    totalMS = options.migrationPatienceMS
    end = .now + .milliseconds(totalMS)
  }

  /// Runs a step again and again until it meets no lock of others. The pauses grow to a second, so that others come through.
  func meetingLocks(_ connection: PostgresConnection, _ body: () throws -> Void) throws {
    var pauseMS: Int32 = 20
    while true {
      do { return try body() } catch let error as PostgresError {
        // lock_not_available, or the transaction met another one.
        guard error.state == "55P03" || error.isTransient else { throw error }
        guard ContinuousClock.now < end else {
          throw StoreError(
            .unavailable,
            "others held what the step needs for \(totalMS) ms; end long transactions on these tables, and try again: \(error)")
        }
      }
      _ = poll(nil, 0, Int32.random(in: pauseMS / 2...pauseMS))
      pauseMS = min(pauseMS * 2, 1_000)
    }
  }
}

extension StoreError {
  /// The tables are for programs that know a later format than this one.
  static func tooOld(lowest: Int, known: Int, of format: Int? = nil) -> StoreError {
    StoreError(
      .unknownFormat,
      "the store has \(format.map { "format \($0)" } ?? "a later format"), for programs that know format \(lowest) or a later one; "
        + "this program knows formats up to \(known)")
  }
}
