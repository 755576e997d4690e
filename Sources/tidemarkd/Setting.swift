import Logging
import NIOCore
import TidemarkTransport

/// One setting: its key, what it means, and how its text becomes a value.
///
/// The key `port_file` is the flag `--port-file`, the environment variable `TIDEMARKD_PORT_FILE` and the key `port_file` of the file.
struct Setting: Sendable {
  let key: String
  /// What the value looks like in `--help`.
  let form: String
  let help: String
  let apply: @Sendable (String, inout Configuration) throws -> Void

  static let environmentPrefix = "TIDEMARKD_"

  var flag: String { "--" + key.replacing("_", with: "-") }
  var environmentName: String { Setting.environmentPrefix + key.uppercased() }

  /// All settings with what they mean, for `tidemarkd --help`.
  static var list: String {
    "Settings:\n\n" + all.map { "  \($0.flag) \($0.form)\n" + wrapped($0.help) }.joined(separator: "\n")
  }

  /// The text in lines that fit a terminal of 80 columns, indented.
  private static func wrapped(_ text: String) -> String {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.count + word.count < 78 {
        lines[lines.count - 1] += " \(word)"
      } else {
        lines.append("      \(word)")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// The flags that may stand alone, meaning true.
  static let switches: Set<String> = Set(all.filter { $0.form == "true|false" }.map(\.flag))

  static let all: [Setting] = general + postgres + connections

  private static let general: [Setting] = [
    Setting(
      key: "store", form: "URL",
      help:
        "Where entities are kept: sqlite:FOLDER, or postgres://USER@HOST/DATABASE?sslmode=verify-full with the password in a file "
        + "(--postgres-password-file). Default: sqlite:tidemark-data"
    ) { $1.store = try StoreURL($0) },
    Setting(
      key: "listen", form: "HOST:PORT", help: "The address to listen on; port 0 lets the system choose. Default: 127.0.0.1:8433"
    ) {
      ($1.host, $1.port) = try address($0)
    },
    Setting(
      key: "listen_beyond_loopback_without_tls", form: "true|false",
      help: "Allow --listen on an address that others reach, in clear text. Default: false"
    ) { $1.listensBeyondLoopback = try bool($0) },
    Setting(
      key: "node_name", form: "NAME",
      help:
        "What 'tidemark doctor' calls this one of several daemons on a database. Default: the name of the machine and the port"
    ) { $1.nodeName = try name($0) },
    Setting(key: "port_file", form: "FILE", help: "Write the port to this file once ready") { $1.portFile = $0 },
    Setting(
      key: "development", form: "true|false",
      help: "Take calls without a token, as principal 'developer' who may do everything. Loopback only. Default: false"
    ) { $1.isDevelopment = try bool($0) },
    Setting(key: "log_level", form: "LEVEL", help: "trace, debug, info, notice, warning, error or critical. Default: info") {
      $1.logLevel = try named($0, Logger.Level.init(rawValue:))
    },
    Setting(key: "log_format", form: "FORM", help: "text, or json with one object a line. Default: text") {
      $1.logFormat = try named($0, Configuration.LogFormat.init(rawValue:))
    },
    Setting(key: "threads", form: "N", help: "Event loops, 1 to 256. Default: 2") { $1.threads = try int($0, 1...256) },
    Setting(key: "reader_threads", form: "N", help: "Threads that read the store, 1 to 256. Default: 2") {
      $1.readerThreads = try int($0, 1...256)
    },
    Setting(
      key: "entity_cache_bytes_max", form: "BYTES",
      help: "Memory for entities that were read a moment ago, so that they are not read again; 0 for none. "
        + "Default: \(Configuration().entityCacheBytesMax)"
    ) { $1.entityCacheBytesMax = try int($0, 0...(1 << 40)) },
    Setting(
      key: "drain_timeout_ms", form: "MS",
      help: "How long running calls may take after SIGTERM or SIGINT, in milliseconds. Default: 10000"
    ) { $1.drainTimeoutMilliseconds = Int64(try int($0, 0...3_600_000)) },
  ]

  private static let connections: [Setting] = [
    Setting(key: "connections_max", form: "N", help: "Connections at once. Default: \(ServerLimits().connectionsMax)") {
      $1.limits.connectionsMax = try int($0, 1...1_000_000)
    },
    Setting(
      key: "connections_per_address_max", form: "N",
      help: "Connections at once from one address. Default: \(ServerLimits().connectionsPerAddressMax)"
    ) { $1.limits.connectionsPerAddressMax = try int($0, 1...1_000_000) },
    Setting(
      key: "calls_in_flight_max", form: "N",
      help: "Calls in flight on one connection. Default: \(ServerLimits().callsInFlightMax)"
    ) { $1.limits.callsInFlightMax = try int($0, 1...65_536) },
    Setting(
      key: "request_bytes_max", form: "BYTES",
      help:
        "Memory of requests that wait, of all connections: above this, large ones wait in their sockets. Default: \(ServerLimits().requestBytesMax)"
    ) { $1.limits.requestBytesMax = try int($0, 1_048_576...1_099_511_627_776) },
    Setting(
      key: "answer_bytes_max", form: "BYTES",
      help:
        "Answers that nobody has read yet, of all connections: above this, reading waits. Default: \(ServerLimits().answerBytesMax)"
    ) { $1.limits.answerBytesMax = try int($0, 1_048_576...1_099_511_627_776) },
    Setting(
      key: "answer_bytes_per_connection_max", form: "BYTES",
      help: "Answers that one connection has not read yet. Default: \(ServerLimits().answerBytesPerConnectionMax)"
    ) { $1.limits.answerBytesPerConnectionMax = try int($0, 65_536...1_099_511_627_776) },
    Setting(key: "call_timeout_max_ms", form: "MS", help: "The longest time one call may take. Default: 120000") {
      $1.limits.callTimeoutMax = .milliseconds(Int64(try int($0, 1...86_400_000)))
    },
    Setting(key: "handshake_timeout_ms", form: "MS", help: "From accept to the end of the client's HELLO. Default: 5000") {
      $1.limits.handshakeTimeout = .milliseconds(Int64(try int($0, 1...3_600_000)))
    },
    Setting(
      key: "frame_timeout_ms", form: "MS", help: "How long a started frame may take before it counts as slow. Default: 30000"
    ) {
      $1.limits.frameTimeout = .milliseconds(Int64(try int($0, 1...3_600_000)))
    },
    Setting(key: "idle_timeout_ms", form: "MS", help: "A connection without calls is closed after this. Default: 600000") {
      $1.limits.idleTimeout = .milliseconds(Int64(try int($0, 1...86_400_000)))
    },
    Setting(key: "keepalive_interval_ms", form: "MS", help: "A client that says nothing is pinged after this. Default: 60000") {
      $1.limits.keepaliveInterval = .milliseconds(Int64(try int($0, 1...86_400_000)))
    },
    Setting(
      key: "keepalive_timeout_ms", form: "MS", help: "A client that does not answer a ping is closed after this. Default: 20000"
    ) {
      $1.limits.keepaliveTimeout = .milliseconds(Int64(try int($0, 1...86_400_000)))
    },
    Setting(
      key: "write_stall_timeout_ms", form: "MS", help: "Replies wait for a peer that reads nothing this long. Default: 30000"
    ) {
      $1.limits.writeStallTimeout = .milliseconds(Int64(try int($0, 1...3_600_000)))
    },
  ]

  static func name(_ text: String) throws -> String {
    guard !text.isEmpty, text.utf8.count <= 128, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw ConfigurationError("'\(text)' is no name of a node: 1 to 128 characters of ASCII without spaces")
    }
    return text
  }

  static func bool(_ text: String) throws -> Bool {
    switch text {
    case "true", "1", "yes", "on": return true
    case "false", "0", "no", "off": return false
    default: throw ConfigurationError("'\(text)' is neither true nor false")
    }
  }

  static func int(_ text: String, _ range: ClosedRange<Int>) throws -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw ConfigurationError("'\(text)' is no whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private static func named<Result>(_ text: String, _ make: (String) -> Result?) throws -> Result {
    guard let value = make(text) else { throw ConfigurationError("'\(text)' is none of the values in tidemarkd --help") }
    return value
  }

  /// Splits `host:port`; an IPv6 host stands in brackets.
  private static func address(_ text: String) throws -> (String, Int) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
    else { throw ConfigurationError("'\(text)' is no HOST:PORT, for example 127.0.0.1:8433") }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else { throw ConfigurationError("'\(text)' names no host, for example 127.0.0.1:8433") }
    return (host, port)
  }
}
