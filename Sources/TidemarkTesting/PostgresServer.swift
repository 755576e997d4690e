internal import Foundation
internal import Glibc
internal import TidemarkPostgres

/// A PostgreSQL server of this machine's packages, in a private folder on a socket in that folder. It ends with the process that started it.
///
/// Used by tests; nothing outside the folder is touched. PostgreSQL does not run as root: as root it is started as the user `postgres`, or
/// `nobody` where there is none.
public final class PostgresServer: Sendable {
  /// The server that the tests of a process share; `nil` where PostgreSQL is not installed or does not start, which is said once.
  public static let shared: PostgresServer? = make()

  /// How clients reach a server.
  public enum Reach: Sendable {
    /// Through the socket in its folder.
    case socket
    /// Also through a port of this machine, in clear text.
    case port
    /// Also through a port of this machine, with TLS. `certificates` has `ca.pem`, `other.pem` of another authority, and `client.pem` with
    /// `client.key` of the user `certified`, who is let in by them alone.
    case tls
  }

  /// How a server is stopped. Either ends every connection.
  public enum Stop: String, Sendable {
    /// As a crash does.
    case immediate
    /// After undoing what runs.
    case fast
  }

  /// The folder with the data, the log and the socket.
  public let folder: String
  /// The port of this machine; 0 for none.
  public let port: Int
  private let control: Control

  /// The folder with what was made for TLS.
  public var certificates: String { "\(folder)/tls" }

  /// Why tests are skipped where there is no server. Does not start one.
  public static var absence: String { programs == nil ? "PostgreSQL: not installed" : "PostgreSQL: it does not start" }

  /// Starts a server of its own, for tests that stop it; `nil` where PostgreSQL is not installed or does not start.
  public static func make(_ reach: Reach = .socket) -> PostgresServer? {
    guard let programs else {
      print("PostgreSQL is not installed (Debian: postgresql); tests of its engine are skipped")
      return nil
    }
    do { return try PostgresServer(programs: programs, reach: reach) } catch {
      print("PostgreSQL does not start, tests of its engine are skipped: \(error)")
      return nil
    }
  }

  /// Where `initdb`, `postgres` and `pg_ctl` are: the folder that `TIDEMARK_POSTGRES_PROGRAMS` names, or the latest version that is installed.
  private static let programs: String? = {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let installed = versions.compactMap { Int($0) }.sorted().reversed().map { "\(root)/\($0)/bin" }
    let named = ProcessInfo.processInfo.environment["TIDEMARK_POSTGRES_PROGRAMS"].map { [$0] }
    return (named ?? installed).first { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") }
  }()

  private init(programs: String, reach: Reach) throws {
    let memory = "/dev/shm"
    let parent = FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory()
    folder = "\(parent)/tidemark-pg-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    var user = ""
    if getuid() == 0 {
      let users: [String] = ["postgres", "nobody"]
      guard let found = users.first(where: { getpwnam($0) != nil }), let entry = getpwnam(found) else {
        throw PostgresServerFailure("there is no user 'postgres' or 'nobody' to run it as")
      }
      user = found
      guard chown(folder, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
        throw PostgresServerFailure("the folder cannot be given to '\(found)'")
      }
    }
    port = reach == .socket ? 0 : try PostgresServer.freePort()
    control = try Control(arguments: [programs, folder, user, port == 0 ? "" : "\(port)", reach == .tls ? "tls" : ""])
    guard control.waitForAnswer() == "ready" else {
      let log = ["initdb.log", "tls.log", "log"].compactMap { try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
        .joined()
      throw PostgresServerFailure(log.suffix(500).description)
    }
  }

  /// Stops the server, and returns when it is gone.
  public func stop(_ how: Stop = .immediate) { control.ask("stop \(how.rawValue)") }

  /// Starts the server again, and returns when it takes connections.
  public func start() { control.ask("start") }

  /// A URL for the database of this server, through the socket in `folder`.
  ///
  /// - Parameter schema: the schema in which tables are looked for and made.
  public func url(schema: String, user: String = "tidemark", folder: String? = nil) -> String {
    let host = (folder ?? self.folder).replacingOccurrences(of: "/", with: "%2F")
    let place = "host=\(host)" + (port == 0 ? "" : "&port=\(port)")
    return "postgres://\(user)@/postgres?\(place)&options=-csearch_path%3D\(schema)"
  }

  /// A URL for the database of this server, through its port.
  ///
  /// - Parameter options: what stands behind the question mark.
  public func url(port options: String, user: String = "tidemark") -> String {
    "postgres://\(user)@localhost:\(port)/postgres?\(options)"
  }

  /// Ends every connection but the one that does so, and returns when they are gone.
  public func terminateBackends() throws {
    let others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    _ = try PostgresServer.texts(url(schema: "public"), "SELECT pg_terminate_backend(pid, 10000) \(others)")
  }

  private static func freePort() throws -> Int {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw PostgresServerFailure("there is no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// Makes an empty schema and returns a URL for it.
  public func makeSchema() throws -> String {
    let name = "s" + UUID().uuidString.lowercased().filter { $0 != "-" }
    try PostgresConnection(url: url(schema: "public")).execute("CREATE SCHEMA \(name)")
    return url(schema: name)
  }

  /// Runs statements on a connection of their own.
  public static func execute(_ url: String, _ statements: String) throws {
    try PostgresConnection(url: url).execute(statements)
  }

  /// Runs one statement without parameters on a connection of its own, and returns its rows of texts, joined by spaces.
  public static func texts(_ url: String, _ statement: String) throws -> [String] {
    let rows = try PostgresConnection(url: url).run([.init(number: 0, text: statement)])
    return rows.flatMap { rows in rows.all.map { row in (0..<8).compactMap { row.text(at: $0) }.joined(separator: " ") } }
  }
}

/// Says why a server could not be started.
struct PostgresServerFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The shell that starts and stops the server as it is told on its standard input, and ends it when there is nobody left to tell.
///
/// `@unchecked Sendable`: `lock` is held while something is asked.
private final class Control: @unchecked Sendable {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let lock = NSLock()

  private static let script = """
    trap '' INT TERM HUP
    bin=$1 folder=$2 user=$3 port=$4 tls=$5 options="-c unix_socket_directories='$2' -c max_connections=100"
    as() { if [ -n "$user" ]; then setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; else "$@"; fi; }
    ctl() { as "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -s "$@" </dev/null >/dev/null 2>&1; }
    start() { ctl -w -t 60 -o "$options" start; }
    new() { as openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "$@"; }
    sign() { new -subj "/CN=$2" -keyout "$1.key" -out "$1.csr" \\
      && as openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out "$1.pem"; }
    certify() {
      as mkdir "$folder/tls" && cd "$folder/tls" && echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >names && chmod 644 names \\
        && new -x509 -subj /CN=one -keyout ca.key -out ca.pem && new -x509 -subj /CN=other -keyout other.key -out other.pem \\
        && sign server localhost && sign client certified && as chmod 600 server.key client.key
    }
    cd "$folder"
    export LC_ALL=C
    if [ -n "$port" ]; then options="$options -c listen_addresses=127.0.0.1 -c port=$port"; else options="$options -c listen_addresses=''"; fi
    as "$bin/initdb" -D "$folder/data" -U tidemark -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 </dev/null \\
      && sed -i '1i local all guarded scram-sha-256' "$folder/data/pg_hba.conf" || echo failed
    if [ -n "$tls" ]; then
      options="$options -c ssl=on -c ssl_cert_file='$folder/tls/server.pem' -c ssl_key_file='$folder/tls/server.key'"
      options="$options -c ssl_ca_file='$folder/tls/ca.pem'"
      (certify) >"$folder/tls.log" 2>&1 </dev/null && sed -i '1i hostssl all certified all cert' "$folder/data/pg_hba.conf"
    fi
    start && echo ready || echo failed
    while read -r word how; do
      case $word in
        stop) ctl -m "$how" -w stop ;;
        start) start ;;
      esac
      echo done
    done
    ctl -m immediate -w stop
    rm -rf "$folder"
    """

  init(arguments: [String]) throws {
    // A process group of its own: what ends the tests' group lets this one clean up.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
    process.arguments = ["sh", "-c", Control.script, "sh"] + arguments
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    // No other process that is started may keep the input open.
    for handle in [input.fileHandleForWriting, output.fileHandleForReading] {
      _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }
    try process.run()
  }

  func waitForAnswer() -> String {
    var line = Data()
    while true {
      let byte = output.fileHandleForReading.readData(ofLength: 1)
      guard let first = byte.first, first != UInt8(ascii: "\n") else { break }
      line.append(first)
    }
    return String(decoding: line, as: UTF8.self)
  }

  func ask(_ word: String) {
    lock.withLock {
      input.fileHandleForWriting.write(Data("\(word)\n".utf8))
      _ = waitForAnswer()
    }
  }
}
