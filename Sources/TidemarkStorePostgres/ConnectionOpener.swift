internal import Synchronization
internal import TidemarkPostgres
internal import TidemarkStore

/// Opens connections, and sets on each what every transaction needs.
final class ConnectionOpener: Sendable {
  private let url: String
  private let options: PostgresStoreOptions
  private let hasWarned = Mutex(false)

  init(url: String, options: PostgresStoreOptions) {
    self.url = url
    self.options = options
  }

  func open() throws(StoreError) -> PostgresConnection {
    let password = if let file = options.passwordFile { try PasswordFile.read(file) } else { nil as String? }
    do throws(PostgresError) {
      let connection = try connect(password)
      warnOnce(connection)
      return connection
    } catch {
      throw StoreError(error)
    }
  }

  private func connect(_ password: String?) throws(PostgresError) -> PostgresConnection {
    let connection = try PostgresConnection(
      url: url, password: password, connectTimeoutSeconds: options.connectTimeoutSeconds,
      answerTimeoutMS: options.statementTimeoutMS + options.answerMarginMS)
    let timeoutMS = Int32(clamping: options.connectTimeoutSeconds &* 1_000)
    try connection.execute(
      """
      SET statement_timeout = \(options.statementTimeoutMS); SET lock_timeout = \(options.lockTimeoutMS);
      SET idle_in_transaction_session_timeout = \(options.silenceTimeoutMS)
      """, timeoutMS: timeoutMS)
    // Other databases that speak this protocol need not know these. A commit that is not on the disk is none.
    try? connection.execute(
      """
      SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
      ELSE current_setting('synchronous_commit') END, false)
      """,
      timeoutMS: timeoutMS)
    try? connection.execute(SQL.planSettings, timeoutMS: timeoutMS)
    if connection.isLost { throw PostgresError.lostAtStart }
    return connection
  }

  private func warnOnce(_ connection: PostgresConnection) {
    guard !connection.isEncrypted, !ConnectionOpener.staysOnThisMachine(connection.host) else { return }
    let isFirst = hasWarned.withLock { hasWarned in
      defer { hasWarned = true }
      return !hasWarned
    }
    guard isFirst else { return }
    options.warn(
      "the connection to the database at \(connection.host) is not encrypted: others can read and change what is sent; "
        + "add sslmode=verify-full to the URL of the store")
  }

  /// Whether what is sent to a host reaches no network.
  ///
  /// - Parameter host: an address, a name, or the folder of a socket.
  static func staysOnThisMachine(_ host: String) -> Bool {
    host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || host.hasPrefix("127.") || host == "::1" || host == "localhost"
  }
}
