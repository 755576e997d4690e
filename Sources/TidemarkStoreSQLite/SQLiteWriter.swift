internal import TidemarkSQLite
internal import TidemarkStore

/// The one connection that writes and checkpoints.
///
/// After an error that leaves open what is on the disk it refuses all further use: the kernel may have dropped what could not be
/// written and report the next fsync as successful.
final class SQLiteWriter: StoreWriter {
  private let connection: Connection
  private let transaction: SQLiteTransaction
  private let options: SQLiteStoreOptions
  /// The pages in the write-ahead log at the latest checkpoint; 0 when the log began anew since.
  private var pagesCheckpointed = 0
  /// Why the writer stopped; always with code `failed`.
  private var stopped: StoreError? {
    // Closing must not do what the writer refuses.
    didSet { connection.neverCheckpointOnClose() }
  }

  init(_ connection: Connection, _ options: SQLiteStoreOptions) {
    self.connection = connection
    self.options = options
    transaction = SQLiteTransaction(connection, memory: WriterMemory(entityBytesMax: options.entityCacheKiB * 1024))
  }

  func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result {
    if let stopped { throw stopped }
    precondition(!transaction.isValid, "a write began inside a write")
    do { try transaction.statements[.beginImmediate].run() } catch { throw note(error) }
    transaction.begin()
    let result: Result
    do {
      result = try body(transaction)
      transaction.isValid = false
      if let failure = transaction.failure { throw failure }
      try transaction.statements[.commit].run()
    } catch {
      transaction.isValid = false
      throw rollBack(after: error)
    }
    if connection.walPages < pagesCheckpointed { pagesCheckpointed = 0 }
    checkpoint(everyPages: options.walPagesMax)
    return result
  }

  func idle() throws {
    if let stopped { throw stopped }
    checkpoint(everyPages: options.walPagesIdle)
    if let stopped { throw stopped }
  }

  /// Changes the limit of the database's size, which `SQLiteStoreOptions.pagesMax` set.
  func setPagesMax(_ pages: Int) throws {
    try translatingErrors { try connection.execute("PRAGMA max_page_count = \(pages)") }
  }

  /// Undoes the transaction and returns the error to throw.
  private func rollBack(after error: any Error) -> any Error {
    transaction.forgetAll()
    let noted = note(error)
    // After some errors SQLite has already rolled back.
    guard connection.isInTransaction else { return noted }
    do { try transaction.statements[.rollback].run() } catch {
      let failure = StoreError(.failed, "the rollback failed: \(error); it followed: \(noted)")
      stopped = failure
      return failure
    }
    return noted
  }

  /// Translates an error, and stops the writer when the error leaves open what is on the disk.
  private func note(_ error: any Error) -> any Error {
    let translated = (error as? SQLiteError).map { StoreError($0) } ?? error
    if let failure = translated as? StoreError, failure.code == .failed { stopped = failure }
    return translated
  }

  /// Moves pages from the write-ahead log to the database. What was committed stays committed when that fails, but the writer
  /// stops: a sync that failed once must not be taken for done the next time.
  ///
  /// Without room in the database nothing was synced, and the pages stay in the log for a later checkpoint.
  ///
  /// While somebody always reads, the log never begins anew by itself; from twice `walPagesMax` on, those that read now are waited for.
  private func checkpoint(everyPages pagesMin: Int) {
    let pages = connection.walPages
    guard pages - pagesCheckpointed >= pagesMin else { return }
    pagesCheckpointed = pages
    do { _ = try connection.checkpoint(waitsForReaders: pages >= 2 * options.walPagesMax) } catch {
      let failure = StoreError(error)
      if failure.code != .full { stopped = StoreError(.failed, "the checkpoint failed: \(failure.message)") }
    }
  }
}
