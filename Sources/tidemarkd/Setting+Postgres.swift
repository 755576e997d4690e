import TidemarkStorePostgres

extension Setting {
  private static let defaults = PostgresStoreOptions()

  /// The settings of a store on PostgreSQL.
  static let postgres: [Setting] = [
    Setting(
      key: "postgres_password_file", form: "FILE",
      help: "A file with the password for the database and nothing else, which nobody else may read. It is read again for every "
        + "connection. Without it the password comes from PGPASSWORD, or from the file that PGPASSFILE names"
    ) { $1.postgres.passwordFile = try path($0) },
    Setting(
      key: "postgres_pool_size", form: "N",
      help: "Connections to the database that are kept, 1 to 1000. Default: \(defaults.poolSize)"
    ) { $1.postgres.poolSize = try int($0, 1...1_000) },
    Setting(
      key: "postgres_pool_overflow", form: "N",
      help: "Connections to the database beyond the pool's size, open only while they are needed, 0 to 1000. "
        + "Default: \(defaults.poolOverflow)"
    ) { $1.postgres.poolOverflow = try int($0, 0...1_000) },
    Setting(
      key: "postgres_pool_wait_ms", form: "MS",
      help: "How long a transaction waits for a connection while all are in use. Default: \(defaults.poolWaitMS)"
    ) { $1.postgres.poolWaitMS = try milliseconds($0) },
    Setting(
      key: "postgres_connection_age_s", form: "S",
      help: "A connection to the database is replaced once it is this old, in seconds. Default: \(defaults.connectionAgeSeconds)"
    ) { $1.postgres.connectionAgeSeconds = Int32(clamping: try int($0, 1...604_800)) },
    Setting(
      key: "postgres_check_after_idle_s", form: "S",
      help:
        "A connection to the database that was idle for this long, in seconds, has to answer within the connect timeout when it "
        + "is used again, or is replaced; 0 for every time. Default: \(defaults.checkAfterIdleSeconds)"
    ) { $1.postgres.checkAfterIdleSeconds = Int32(clamping: try int($0, 0...604_800)) },
    Setting(
      key: "postgres_connect_timeout_s", form: "S",
      help: "How long connecting to one address of the database may take, in seconds, 2 to 600. "
        + "Default: \(defaults.connectTimeoutSeconds)"
    ) { $1.postgres.connectTimeoutSeconds = try int($0, 2...600) },
    Setting(
      key: "postgres_statement_timeout_ms", form: "MS",
      help: "How long one statement may take in the database. Default: \(defaults.statementTimeoutMS)"
    ) { $1.postgres.statementTimeoutMS = try milliseconds($0) },
    Setting(
      key: "postgres_lock_timeout_ms", form: "MS",
      help: "How long one statement waits for others that write to the same space. Default: \(defaults.lockTimeoutMS)"
    ) { $1.postgres.lockTimeoutMS = try milliseconds($0) },
    Setting(
      key: "postgres_idle_in_transaction_timeout_ms", form: "MS",
      help: "The database undoes a transaction of a daemon that says nothing for this long, so that it holds up no other. "
        + "Default: \(defaults.silenceTimeoutMS)"
    ) { $1.postgres.silenceTimeoutMS = try milliseconds($0) },
  ]

  private static func milliseconds(_ text: String) throws -> Int32 { Int32(clamping: try int(text, 1...3_600_000)) }

  private static func path(_ text: String) throws -> String {
    guard !text.isEmpty else { throw ConfigurationError("the name of a file is missing") }
    return text
  }
}
