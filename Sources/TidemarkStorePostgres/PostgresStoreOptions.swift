/// How a `PostgresStore` uses its database. The defaults fit a daemon beside several others on a small server.
public struct PostgresStoreOptions: Sendable {
  /// How many connections are kept, at least 1.
  public var poolSize = 8
  /// How many more may be open while they are needed; they are closed when they are given back.
  public var poolOverflow = 4
  /// How long a transaction waits for a connection while all are in use, in milliseconds.
  public var poolWaitMS: Int32 = 5_000
  /// A connection is replaced once it is this old, in seconds, give or take an eighth, so that not all are replaced at once.
  public var connectionAgeSeconds: Int32 = 1_800
  /// A connection on which nothing ran for this long, in seconds, has to answer within `connectTimeoutSeconds` when it is used again, or is replaced.
  public var checkAfterIdleSeconds: Int32 = 30
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
  /// A file that holds the password and nothing else, read anew for every connection; `nil` to leave the password to libpq.
  public var passwordFile: String?
  /// Is told what an operator should know of, in a sentence: a connection that others can read, a database that goes away and returns.
  public var warn: @Sendable (String) -> Void = { _ in }
  /// Spreads ages and back-offs.
  public var random: @Sendable () -> UInt64 = { UInt64.random(in: 0...UInt64.max) }

  /// Makes, when a store is opened, the steps to a later format that leave older programs able to serve. When false, a store of a format
  /// that this program cannot work with is refused.
  public var migratesOnOpen = true
  /// How long a statement of a migration waits for a lock, in milliseconds; whoever comes behind it waits as long.
  public var migrationLockMS: Int32 = 100
  /// How long a migration is tried again when it meets locks, in milliseconds.
  public var migrationPatienceMS: Int32 = 60_000
  /// Which program this is, for the list of the steps made.
  public var program = "tidemark"

  public init() {}

  var pool: PoolState.Options {
    PoolState.Options(
      size: poolSize, overflow: poolOverflow, waitMax: .milliseconds(poolWaitMS), ageMax: .seconds(connectionAgeSeconds),
      checkAfterIdle: .seconds(checkAfterIdleSeconds))
  }
}
