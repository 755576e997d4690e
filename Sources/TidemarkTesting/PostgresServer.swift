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

  /// The folder with the data, the log and the socket.
  public let folder: String
  private let control: Control

  /// Starts a server of its own, for tests that stop it; `nil` where PostgreSQL is not installed or does not start.
  public static func make() -> PostgresServer? {
    guard let programs else {
      print("PostgreSQL is not installed (Debian: postgresql); tests of its engine are skipped")
      return nil
    }
    do { return try PostgresServer(programs: programs) } catch {
      print("PostgreSQL does not start, tests of its engine are skipped: \(error)")
      return nil
    }
  }

  /// Where `initdb`, `postgres` and `pg_ctl` are: the latest version that is installed.
  private static let programs: String? = {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return versions.compactMap { Int($0) }.sorted().reversed().map { "\(root)/\($0)/bin" }
      .first { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") }
  }()

  private init(programs: String) throws {
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
    control = try Control(arguments: [programs, folder, user])
    guard control.waitForAnswer() == "ready" else {
      let log = ["initdb.log", "log"].compactMap { try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }.joined()
      throw PostgresServerFailure(log.suffix(500).description)
    }
  }

  /// Ends every connection at once, as a crash does, and returns when the server is gone.
  public func stop() { control.ask("stop") }

  /// Starts the server again, and returns when it takes connections.
  public func start() { control.ask("start") }

  /// A URL for the database of this server, through the socket in `folder`.
  ///
  /// - Parameter schema: the schema in which tables are looked for and made.
  public func url(schema: String, user: String = "tidemark", folder: String? = nil) -> String {
    let host = (folder ?? self.folder).replacingOccurrences(of: "/", with: "%2F")
    return "postgres://\(user)@/postgres?host=\(host)&options=-csearch_path%3D\(schema)"
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
    bin=$1 folder=$2 user=$3
    as() { if [ -n "$user" ]; then setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; else "$@"; fi; }
    ctl() { as "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -s "$@" </dev/null >/dev/null 2>&1; }
    start() { ctl -w -t 60 -o "-c listen_addresses='' -c unix_socket_directories='$folder' -c max_connections=100" start; }
    cd "$folder"
    export LC_ALL=C
    as "$bin/initdb" -D "$folder/data" -U tidemark -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 </dev/null \\
      && sed -i '1i local all guarded scram-sha-256' "$folder/data/pg_hba.conf" && start && echo ready || echo failed
    while read -r word; do
      case $word in
        stop) ctl -m immediate -w stop ;;
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
