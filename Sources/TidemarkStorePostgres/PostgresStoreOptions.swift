/// How long a `PostgresStore` waits for the database. The defaults fit a daemon.
public struct PostgresStoreOptions: Sendable {
  /// How long connecting to one address may take, in seconds; at least 2.
  public var connectTimeoutSeconds = 5
  /// How long one statement may take on the server, in milliseconds (`statement_timeout`).
  public var statementTimeoutMS: Int32 = 30_000
  /// How long a statement waits for a lock, mostly that of a space, in milliseconds (`lock_timeout`).
  public var lockTimeoutMS: Int32 = 10_000
  /// The server undoes a transaction of a process that says nothing for this long, in milliseconds, so that it holds up nobody else
  /// (`idle_in_transaction_session_timeout`).
  public var silenceTimeoutMS: Int32 = 60_000
  /// How much longer than `statementTimeoutMS` an answer may be on its way before the connection counts as lost, in milliseconds.
  public var answerMarginMS: Int32 = 5_000

  public init() {}
}
