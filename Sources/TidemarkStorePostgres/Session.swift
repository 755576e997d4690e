internal import TidemarkPostgres
internal import TidemarkStore

/// The transactions of one thread, each on a connection that is leased for it.
///
/// ```
/// idle      start -> started
/// started   the first statement leases a connection and goes to the server together with BEGIN -> begun, or broken. A connection that turns out
///           to be lost here is replaced: nothing has been done on it
/// begun     each further statement -> begun, or broken
/// broken    every statement throws the error that broke it
/// any       commit, rollBack -> idle: the connection is given back
/// ```
/// Statements whose answer nobody waits for are kept until one is waited for, and go to the server together with it.
final class Session {
  /// The transaction is undone and may be run again at once: it met another one.
  private(set) var mayRunAgain = false

  private let pool: ConnectionPool
  private let begin: SQL
  private let checkTimeoutMS: Int32
  private var lease: ConnectionPool.Lease?
  private var hasBegun = false
  private var broken: StoreError?
  private var waiting: [Statement] = []

  private struct Statement {
    var command: PostgresConnection.Command
    var check: (Rows) throws(StoreError) -> Void
  }

  /// - Parameters:
  ///   - begin: the statement that begins a transaction.
  ///   - checkTimeoutMS: how long the answer to it may take on a connection that may have been lost.
  init(begin: SQL, pool: ConnectionPool, checkTimeoutMS: Int32) {
    self.begin = begin
    self.pool = pool
    self.checkTimeoutMS = checkTimeoutMS
  }

  deinit { giveBack() }

  /// Leases a connection and gives it back, so that an error shows now.
  func connect() throws { pool.giveBack(try pool.lease()) }

  /// Begins a transaction. Nothing is sent.
  func start() {
    rollBack()
    broken = nil
    mayRunAgain = false
  }

  // MARK: Statements

  /// Runs a statement after all that wait.
  func run(_ sql: SQL, _ parameters: Parameters = Parameters()) throws -> Rows {
    guard let rows = try flush(sql, parameters).last else { throw StoreError(.failed, "a statement was not answered") }
    return rows
  }

  /// Leaves a statement for the next time that an answer is waited for. `check` sees its answer then, and throws when it is not as it must be.
  func queue(
    _ sql: SQL, _ parameters: Parameters = Parameters(), check: @escaping (Rows) throws(StoreError) -> Void = { _ in }
  ) {
    waiting.append(Statement(command: .init(sql, parameters), check: check))
  }

  /// Sends what waits, and one more.
  private func flush(_ sql: SQL? = nil, _ parameters: Parameters = Parameters()) throws -> [Rows] {
    if let broken { throw broken }
    let checks = waiting
    waiting = []
    var commands = checks.map(\.command)
    if let sql { commands.append(.init(sql, parameters)) }
    guard !commands.isEmpty else { return [] }
    do {
      let answers = try send(commands)
      for (statement, rows) in zip(checks, answers) { try statement.check(rows) }
      return answers
    } catch {
      let failure = (error as? PostgresError).map { StoreError($0) } ?? error as? StoreError ?? StoreError(.failed, "\(error)")
      if let error = error as? PostgresError {
        if error.isTransient { mayRunAgain = true }
        if error.comesFromStandby { lease?.connection.giveUp() }
      }
      broken = failure
      throw failure
    }
  }

  private func send(_ commands: [PostgresConnection.Command]) throws -> [Rows] {
    if hasBegun, let lease { return try lease.connection.run(commands) }
    let all = [PostgresConnection.Command(begin)] + commands
    var current = try lease ?? pool.lease()
    lease = current
    while true {
      do throws(PostgresError) {
        var answers = try current.connection.run(all, firstAnswerTimeoutMS: current.isStale ? checkTimeoutMS : nil)
        hasBegun = true
        answers.removeFirst()
        return answers
      } catch {
        hasBegun = current.connection.isInTransaction
        // It may have been lost long ago: the server was started anew meanwhile. One that was just opened cannot.
        guard current.isUsed, error.isConnectionLost else { throw error }
      }
      lease = nil
      current = try pool.replace(current)
      lease = current
    }
  }

  // MARK: The end

  /// Makes a body's error its own, so that the transaction cannot be committed.
  func breakOff(_ error: StoreError, mayRunAgain: Bool = false) {
    guard broken == nil else { return }
    broken = error
    self.mayRunAgain = mayRunAgain
  }

  /// Commits. Throws the error that broke the transaction, and `outcomeUnknown` when the answer to the commit was lost.
  func commit() throws {
    _ = try flush()
    guard hasBegun, let lease else { return }
    do throws(PostgresError) {
      let answer = try lease.connection.run([.init(.commit)]).first
      // A server that undoes a transaction in place of committing it says so, and not as an error.
      if answer?.command == "ROLLBACK" { breakOff(StoreError(.unavailable, "the server undid the transaction")) }
    } catch {
      if error.isTransient { mayRunAgain = true }
      if error.leavesOutcomeUnknown {
        lease.connection.giveUp()
        broken = StoreError(.outcomeUnknown, "postgres: no answer to the commit: \(error)")
      } else {
        broken = StoreError(error)
      }
    }
    rollBack()
    if let broken { throw broken }
  }

  /// Undoes what was not committed, and gives the connection back. A server that cannot be told undoes it when the connection ends.
  func rollBack() {
    waiting = []
    hasBegun = false
    if let connection = lease?.connection, !connection.isLost, connection.isInTransaction {
      // One on which this fails is lost.
      _ = try? connection.run([.init(.rollback)])
      if connection.isInTransaction { connection.giveUp() }
    }
    giveBack()
  }

  private func giveBack() {
    guard let lease else { return }
    self.lease = nil
    pool.giveBack(lease)
  }
}

extension PostgresConnection.Command {
  init(_ sql: SQL, _ parameters: Parameters = Parameters()) {
    self.init(number: sql.rawValue, text: sql.text, parameters: parameters)
  }
}
