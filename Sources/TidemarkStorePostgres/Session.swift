internal import TidemarkPostgres
internal import TidemarkStore

/// A connection that is opened anew when it was lost, and the transaction on it. Used by one thread at a time.
///
/// ```
/// idle      start -> started
/// started   the first statement goes to the server together with BEGIN -> begun, or broken. A connection that turns out to be lost here
///           is opened anew once: nothing has been done on it
/// begun     each further statement -> begun, or broken
/// broken    every statement throws the error that broke it; rollBack -> idle
/// ```
/// Statements whose answer nobody waits for are kept until one is waited for, and go to the server together with it.
final class Session {
  /// The transaction is undone and may be run again at once: it met another one.
  private(set) var mayRunAgain = false

  private let open: () throws(PostgresError) -> PostgresConnection
  private let begin: SQL
  private var connection: PostgresConnection?
  private var hasBegun = false
  private var broken: StoreError?
  private var waiting: [Statement] = []

  private struct Statement {
    var command: PostgresConnection.Command
    var check: (Rows) throws(StoreError) -> Void
  }

  /// - Parameter begin: the statement that begins a transaction.
  init(begin: SQL, open: @escaping () throws(PostgresError) -> PostgresConnection) {
    self.begin = begin
    self.open = open
  }

  /// Connects, so that an error shows now.
  func connect() throws { connection = try translatingErrors { try open() } }

  /// Begins a transaction. Nothing is sent.
  func start() {
    hasBegun = false
    broken = nil
    mayRunAgain = false
    waiting = []
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
      if let error = error as? PostgresError, error.isTransient { mayRunAgain = true }
      broken = failure
      throw failure
    }
  }

  private func send(_ commands: [PostgresConnection.Command]) throws(PostgresError) -> [Rows] {
    if hasBegun, let connection { return try connection.run(commands) }
    let all = [PostgresConnection.Command(begin)] + commands
    let wasOpen = connection.map { !$0.isLost } ?? false
    var answers: [Rows]
    do throws(PostgresError) { answers = try live().run(all) } catch {
      // It may have been lost long ago: the server was started anew meanwhile.
      guard wasOpen, error.isConnectionLost else {
        hasBegun = connection?.isInTransaction ?? false
        throw error
      }
      connection = nil
      answers = try live().run(all)
    }
    hasBegun = true
    answers.removeFirst()
    return answers
  }

  /// The connection, opened anew when there is none.
  private func live() throws(PostgresError) -> PostgresConnection {
    if let connection, !connection.isLost { return connection }
    connection = nil
    let opened = try open()
    connection = opened
    return opened
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
    guard hasBegun, let connection else { return }
    do throws(PostgresError) {
      let answer = try connection.run([.init(.commit)]).first
      // A server that undoes a transaction in place of committing it says so, and not as an error.
      if answer?.command == "ROLLBACK" { breakOff(StoreError(.unavailable, "the server undid the transaction")) }
    } catch {
      if error.isTransient { mayRunAgain = true }
      if error.leavesOutcomeUnknown {
        self.connection = nil
        broken = StoreError(.outcomeUnknown, "postgres: no answer to the commit: \(error)")
      } else {
        broken = StoreError(error)
      }
    }
    hasBegun = false
    if let broken { throw broken }
  }

  /// Undoes what was not committed. A server that cannot be told undoes it when the connection ends.
  func rollBack() {
    waiting = []
    hasBegun = false
    guard let connection, connection.isLost || connection.isInTransaction else { return }
    if connection.isLost {
      self.connection = nil
    } else {
      do { _ = try connection.run([.init(.rollback)]) } catch { self.connection = nil }
    }
  }
}

extension PostgresConnection.Command {
  init(_ sql: SQL, _ parameters: Parameters = Parameters()) {
    self.init(number: sql.rawValue, text: sql.text, parameters: parameters)
  }
}
