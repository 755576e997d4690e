import Glibc
import Logging
import TidemarkStorePostgres
import TidemarkTransport

/// Everything a deployment decides, typed and checked.
struct Configuration {
  /// Where entities are kept. One URL chooses the engine.
  var store = StoreURL.sqlite(folder: "tidemark-data")
  var host = "127.0.0.1"
  /// 0 lets the system choose.
  var port = 8433
  var listensBeyondLoopback = false
  /// A file that gets the port once the daemon is ready.
  var portFile: String?
  var isDevelopment = false
  var logLevel = Logger.Level.info
  var logFormat = LogFormat.text
  /// Event loops.
  var threads = 2
  /// Threads that read the store.
  var readerThreads = 2
  /// Memory for entities that were read a moment ago, in bytes.
  var entityCacheBytesMax = 32 * 1024 * 1024
  /// How long running calls may take after SIGTERM.
  var drainTimeoutMilliseconds: Int64 = 10_000
  /// How a store on PostgreSQL is used.
  var postgres = PostgresStoreOptions()
  /// What GetServerInfo calls this node; `nil` for the name of the machine and the port.
  var nodeName: String?
  var limits = ServerLimits()

  /// What GetServerInfo calls this node.
  var node: String {
    if let nodeName { return nodeName }
    var name = [CChar](repeating: 0, count: 256)
    let isKnown = gethostname(&name, name.count - 1) == 0
    let machine = isKnown ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "unnamed"
    return port == 0 ? machine : "\(machine):\(port)"
  }

  enum LogFormat: String, CaseIterable { case text, json }
}

/// `sqlite:FOLDER`, or `postgres://…` as libpq takes it.
enum StoreURL: Equatable {
  case sqlite(folder: String)
  case postgres(url: String)

  init(_ text: String) throws {
    if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
      self = .postgres(url: try StoreURL.withoutPassword(text))
      return
    }
    guard text.hasPrefix("sqlite:") else {
      throw ConfigurationError(
        "the store '\(text)' is none I know; use sqlite:FOLDER, for example sqlite:tidemark-data, or postgres://USER@HOST/DATABASE"
      )
    }
    var folder = text.dropFirst("sqlite:".count)
    if folder.hasPrefix("//") { folder = folder.dropFirst(2) }
    guard !folder.isEmpty else { throw ConfigurationError("the store '\(text)' names no folder; use sqlite:FOLDER") }
    self = .sqlite(folder: String(folder))
  }

  /// Refuses a URL with a password: everybody on the machine reads command lines, and logs name the store.
  private static func withoutPassword(_ url: String) throws -> String {
    let rest = url.drop { $0 != "/" }.dropFirst(2)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let query = rest.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
    let user = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
    guard !user.contains(":"), !query.split(separator: "&").contains(where: { $0.hasPrefix("password=") }) else {
      throw ConfigurationError(
        "the URL of the store has a password in it, which others can read; put it into a file of its own (--postgres-password-file)"
      )
    }
    return url
  }
}

/// Says what is wrong with a setting and where it comes from.
struct ConfigurationError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension Configuration {
  /// Puts the settings of all sources together: a flag wins over the environment, the environment over the file, the file over the default.
  static func resolve(flags: [String: String], environment: [String: String], filePath: String?) throws -> Configuration {
    var configuration = Configuration()
    var sources: [(name: String, values: [String: String])] = []
    if let path = filePath ?? environment[Setting.environmentPrefix + "CONFIG"] {
      sources.append((path, try ConfigurationFile.read(path)))
    }
    sources.append(("the environment", try environmentValues(environment)))
    sources.append(("the command line", flags))
    var values: [String: (value: String, source: String)] = [:]
    for source in sources {
      for (key, value) in source.values { values[key] = (value, source.name) }
    }
    for setting in Setting.all {
      guard let (value, source) = values[setting.key] else { continue }
      do { try setting.apply(value, &configuration) } catch {
        throw ConfigurationError("\(setting.key) from \(source): \(error)")
      }
    }
    try configuration.checkTogether()
    return configuration
  }

  /// The settings in environment variables. An unknown one with our prefix is a mistake worth stopping for.
  private static func environmentValues(_ environment: [String: String]) throws -> [String: String] {
    var values: [String: String] = [:]
    for (name, value) in environment where name.hasPrefix(Setting.environmentPrefix) {
      let key = name.dropFirst(Setting.environmentPrefix.count).lowercased()
      guard key != "config" else { continue }
      guard Setting.all.contains(where: { $0.key == key }) else {
        throw ConfigurationError("the environment variable \(name) is no setting; see tidemarkd --help")
      }
      values[key] = value
    }
    return values
  }

  /// Refuses settings that contradict each other.
  private func checkTogether() throws {
    if !Configuration.isLoopback(host), !listensBeyondLoopback {
      throw ConfigurationError(
        "listening on \(host) would carry tokens and data in clear text beyond this machine; "
          + "listen on 127.0.0.1, or set listen_beyond_loopback_without_tls if that is what you want")
    }
    if isDevelopment, !Configuration.isLoopback(host) {
      throw ConfigurationError("development takes calls without a token, so it listens on loopback only; \(host) is not loopback")
    }
    if limits.connectionsPerAddressMax > limits.connectionsMax {
      throw ConfigurationError(
        "connections_per_address_max (\(limits.connectionsPerAddressMax)) is above connections_max (\(limits.connectionsMax))")
    }
    if postgres.lockTimeoutMS > postgres.statementTimeoutMS {
      throw ConfigurationError(
        "postgres_lock_timeout_ms (\(postgres.lockTimeoutMS)) is above postgres_statement_timeout_ms (\(postgres.statementTimeoutMS)), "
          + "which ends the statement first")
    }
  }

  static func isLoopback(_ host: String) -> Bool { host == "::1" || host == "localhost" || host.hasPrefix("127.") }
}
