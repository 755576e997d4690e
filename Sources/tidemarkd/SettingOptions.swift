import ArgumentParser
import Foundation

/// The flags that every subcommand shares. Their values stay text here and become typed in `Configuration.resolve`.
struct SettingOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("A YAML file with settings.", valueName: "FILE"))
  var config: String?

  @Option(name: .long, help: help("store"))
  var store: String?
  @Option(name: .long, help: help("listen"))
  var listen: String?
  @Option(name: .long, help: help("listen_beyond_loopback_without_tls"))
  var listenBeyondLoopbackWithoutTls: String?
  @Option(name: .long, help: help("node_name"))
  var nodeName: String?
  @Option(name: .long, help: help("port_file"))
  var portFile: String?
  @Option(name: .long, help: help("development"))
  var development: String?
  @Option(name: .long, help: help("log_level"))
  var logLevel: String?
  @Option(name: .long, help: help("log_format"))
  var logFormat: String?
  @Option(name: .long, help: help("threads"))
  var threads: String?
  @Option(name: .long, help: help("reader_threads"))
  var readerThreads: String?
  @Option(name: .long, help: help("entity_cache_bytes_max"))
  var entityCacheBytesMax: String?
  @Option(name: .long, help: help("drain_timeout_ms"))
  var drainTimeoutMs: String?
  @OptionGroup var postgres: PostgresOptions
  @Option(name: .long, help: help("connections_max"))
  var connectionsMax: String?
  @Option(name: .long, help: help("connections_per_address_max"))
  var connectionsPerAddressMax: String?
  @Option(name: .long, help: help("calls_in_flight_max"))
  var callsInFlightMax: String?
  @Option(name: .long, help: help("request_bytes_max"))
  var requestBytesMax: String?
  @Option(name: .long, help: help("answer_bytes_max"))
  var answerBytesMax: String?
  @Option(name: .long, help: help("answer_bytes_per_connection_max"))
  var answerBytesPerConnectionMax: String?
  @Option(name: .long, help: help("call_timeout_max_ms"))
  var callTimeoutMaxMs: String?
  @Option(name: .long, help: help("handshake_timeout_ms"))
  var handshakeTimeoutMs: String?
  @Option(name: .long, help: help("frame_timeout_ms"))
  var frameTimeoutMs: String?
  @Option(name: .long, help: help("idle_timeout_ms"))
  var idleTimeoutMs: String?
  @Option(name: .long, help: help("keepalive_interval_ms"))
  var keepaliveIntervalMs: String?
  @Option(name: .long, help: help("keepalive_timeout_ms"))
  var keepaliveTimeoutMs: String?
  @Option(name: .long, help: help("write_stall_timeout_ms"))
  var writeStallTimeoutMs: String?

  /// The same arguments with `true` behind every switch that stands alone: `--development` is `--development true`.
  static func spelledOut(_ arguments: [String]) -> [String] {
    var result: [String] = []
    for (index, argument) in arguments.enumerated() {
      result.append(argument)
      guard Setting.switches.contains(argument) else { continue }
      let next = index + 1 < arguments.count ? arguments[index + 1] : "-"
      // What is neither a flag nor a subcommand is the value, right or wrong.
      if next.hasPrefix("-") { result.append("true") }
    }
    return result
  }

  /// The settings of all sources, typed and checked.
  ///
  /// - Throws: `ExitCode` 2 after a message on standard error.
  func resolve() throws -> Configuration { try SettingOptions.resolve(values, config) }

  fileprivate static func resolve(_ values: [String: String], _ config: String?) throws -> Configuration {
    do {
      return try Configuration.resolve(flags: values, environment: ProcessInfo.processInfo.environment, filePath: config)
    } catch {
      FileHandle.standardError.write(Data("tidemarkd: \(error)\n".utf8))
      throw ExitCode(2)
    }
  }

  /// The flags that were given, by key of their setting.
  private var values: [String: String] {
    let given: [(String, String?)] = [
      ("store", store), ("listen", listen), ("listen_beyond_loopback_without_tls", listenBeyondLoopbackWithoutTls),
      ("node_name", nodeName), ("port_file", portFile), ("development", development), ("log_level", logLevel),
      ("log_format", logFormat),
      ("threads", threads), ("reader_threads", readerThreads),
      ("entity_cache_bytes_max", entityCacheBytesMax), ("drain_timeout_ms", drainTimeoutMs),
      ("connections_max", connectionsMax), ("connections_per_address_max", connectionsPerAddressMax),
      ("calls_in_flight_max", callsInFlightMax), ("request_bytes_max", requestBytesMax),
      ("answer_bytes_max", answerBytesMax), ("answer_bytes_per_connection_max", answerBytesPerConnectionMax),
      ("call_timeout_max_ms", callTimeoutMaxMs),
      ("handshake_timeout_ms", handshakeTimeoutMs), ("frame_timeout_ms", frameTimeoutMs), ("idle_timeout_ms", idleTimeoutMs),
      ("keepalive_interval_ms", keepaliveIntervalMs), ("keepalive_timeout_ms", keepaliveTimeoutMs),
      ("write_stall_timeout_ms", writeStallTimeoutMs),
    ]
    return (given + postgres.values).reduce(into: [:]) { values, flag in values[flag.0] = flag.1 }
  }

  fileprivate static func help(_ key: String) -> ArgumentHelp {
    let setting = Setting.all.first { $0.key == key }
    return ArgumentHelp(setting.map(\.help) ?? "", valueName: setting?.form ?? "VALUE")
  }
}

/// The flags of a store on PostgreSQL.
struct PostgresOptions: ParsableArguments {
  @Option(name: .long, help: SettingOptions.help("postgres_password_file"))
  var postgresPasswordFile: String?
  @Option(name: .long, help: SettingOptions.help("postgres_pool_size"))
  var postgresPoolSize: String?
  @Option(name: .long, help: SettingOptions.help("postgres_pool_overflow"))
  var postgresPoolOverflow: String?
  @Option(name: .long, help: SettingOptions.help("postgres_pool_wait_ms"))
  var postgresPoolWaitMs: String?
  @Option(name: .long, help: SettingOptions.help("postgres_connection_age_s"))
  var postgresConnectionAgeS: String?
  @Option(name: .long, help: SettingOptions.help("postgres_check_after_idle_s"))
  var postgresCheckAfterIdleS: String?
  @Option(name: .long, help: SettingOptions.help("postgres_connect_timeout_s"))
  var postgresConnectTimeoutS: String?
  @Option(name: .long, help: SettingOptions.help("postgres_statement_timeout_ms"))
  var postgresStatementTimeoutMs: String?
  @Option(name: .long, help: SettingOptions.help("postgres_lock_timeout_ms"))
  var postgresLockTimeoutMs: String?
  @Option(name: .long, help: SettingOptions.help("postgres_idle_in_transaction_timeout_ms"))
  var postgresIdleInTransactionTimeoutMs: String?

  /// The flags that were given, by key of their setting.
  fileprivate var values: [(String, String?)] {
    [
      ("postgres_password_file", postgresPasswordFile),
      ("postgres_pool_size", postgresPoolSize),
      ("postgres_pool_overflow", postgresPoolOverflow),
      ("postgres_pool_wait_ms", postgresPoolWaitMs),
      ("postgres_connection_age_s", postgresConnectionAgeS),
      ("postgres_check_after_idle_s", postgresCheckAfterIdleS),
      ("postgres_connect_timeout_s", postgresConnectTimeoutS),
      ("postgres_statement_timeout_ms", postgresStatementTimeoutMs),
      ("postgres_lock_timeout_ms", postgresLockTimeoutMs),
      ("postgres_idle_in_transaction_timeout_ms", postgresIdleInTransactionTimeoutMs),
    ]
  }
}

/// The flags of what manages a store without serving it.
struct StoreOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("A YAML file with settings.", valueName: "FILE"))
  var config: String?
  @Option(name: .long, help: SettingOptions.help("store"))
  var store: String?
  @Option(name: .long, help: SettingOptions.help("postgres_password_file"))
  var postgresPasswordFile: String?

  /// See `SettingOptions.resolve`.
  func resolve() throws -> Configuration {
    var values: [String: String] = [:]
    values["store"] = store
    values["postgres_password_file"] = postgresPasswordFile
    return try SettingOptions.resolve(values, config)
  }
}
