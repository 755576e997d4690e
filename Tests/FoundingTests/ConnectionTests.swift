import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkTestTraits
import TidemarkWire

/// How long the scenario takes; `TIDEMARK_E8_SECONDS` makes it shorter or longer.
private let seconds = ProcessInfo.processInfo.environment["TIDEMARK_E8_SECONDS"].flatMap { Int($0) } ?? 60

/// Many at once on a database with few connections. Beside the other scenarios, and not one after them: most of its time it waits.
@Suite(
  .enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)), .ownThreads,
  .timeLimit(.minutes(seconds / 60 + 2)))
struct Connections {
  private static let clients = 200

  /// Makes the server say in its log, at each look at a space, in which kind of transaction that is.
  private static let telling = """
    CREATE FUNCTION tell() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET log_min_error_statement = panic AS $$
      BEGIN
        RAISE LOG 'transaction: %, read only %', current_setting('transaction_isolation'), current_setting('transaction_read_only');
        RETURN true;
      END $$;
    ALTER TABLE space ENABLE ROW LEVEL SECURITY;
    ALTER TABLE space FORCE ROW LEVEL SECURITY;
    CREATE POLICY tell ON space USING (tell())
    """

  @Test func e8TwoHundredClientsShareAFewConnectionsAndNobodyIsRefused() throws {
    let server = try #require(PostgresServer.make())
    try PostgresServer.execute(
      server.url(schema: "public"), "CREATE ROLE calls LOGIN; CREATE SCHEMA own AUTHORIZATION calls")
    let url = server.url(schema: "own", user: "calls")
    let daemon = try DaemonProcess(
      store: url,
      arguments: [
        "--reader-threads", "16", "--postgres-pool-size", "6", "--postgres-pool-overflow", "2",
        "--postgres-check-after-idle-s", "1", "--postgres-connection-age-s", "10",
      ])
    try PostgresServer.execute(server.url(schema: "own"), Connections.telling)
    let clients = try (0..<Connections.clients).map { _ in try FramedConnection(port: daemon.port) }
    var maker = try WriteMaker(seed: makeSeed())
    var log = ServerLog(server)
    var kinds: [Set<String>] = []
    try round(clients) { try maker.create("e\($0)", [("n", .int(0))]) }
    kinds.append(log.news())
    // Everybody at once, and then nobody for a while.
    let end = ContinuousClock.now + .seconds(seconds)
    let pace = Pace(every: .seconds(3))
    var version: UInt64 = 1
    var connectionsMost = 0
    repeat {
      try read(clients, maker, version)
      kinds.append(log.news())
      try round(clients) { try maker.update("e\($0)", [("n", .int(Int64(version)))], expected: version) }
      kinds.append(log.news())
      version += 1
      let open = try PostgresServer.texts(
        server.url(schema: "public"), "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'calls'")
      connectionsMost = max(connectionsMost, open.first.flatMap { Int($0) } ?? .max)
      pace.wait()
    } while ContinuousClock.now < end
    // What writes is READ COMMITTED behind the lock of its space, what reads is one state: the server says so.
    let (writing, reading) = ("transaction: read committed, read only off", "transaction: repeatable read, read only on")
    for (index, kind) in kinds.enumerated() {
      let isWriting = index % 2 == 0
      #expect(kind.contains(isWriting ? writing : reading) && kind.isSubset(of: isWriting ? [writing, reading] : [reading]))
    }
    #expect(connectionsMost <= 8)
    let info: GetServerInfoResponse = try clients[0].get(.getServerInfo, GetServerInfoRequest())
    let pool = try #require(info.connections)
    #expect(pool.timeouts == 0 && pool.openFailures == 0 && pool.checksFailed == 0 && pool.closedBroken == 0)
    #expect(pool.leases > version && pool.inUse <= 1 && pool.idle <= 6)
    // Those that became old were replaced.
    #expect(pool.opened <= 8 || pool.closedRecycled + pool.closedOverflow > 0)
    #expect(seconds < 30 || pool.closedRecycled > 0)
    #expect(try clients[0].verify(.default).faults.isEmpty)
    #expect(daemon.terminate() == 0)
  }

  /// Every client writes at the same moment, and every write is applied.
  private func round(_ clients: [FramedConnection], _ item: (Int) throws -> WriteItem) throws {
    let streams = try clients.enumerated().map { try $1.start(item($0), in: .default) }
    for (client, stream) in zip(clients, streams) {
      #expect(try client.outcome(of: client.reply(to: stream)).code == .applied)
    }
  }

  /// Every client reads what it wrote.
  private func read(_ clients: [FramedConnection], _ maker: WriteMaker, _ version: UInt64) throws {
    let streams = try clients.enumerated().map {
      try $1.start(.get, GetRequest(space: .default, key: maker.key("e\($0)")))
    }
    for (client, stream) in zip(clients, streams) {
      let response: GetResponse = try client.decode(client.reply(to: stream))
      #expect(response.entity.version.rawValue == version)
    }
  }

  /// What a server wrote to its log about transactions.
  private struct ServerLog {
    private let path: String
    private var read = 0

    init(_ server: PostgresServer) { path = "\(server.folder)/log" }

    /// The kinds of transactions since the last time.
    mutating func news() -> Set<String> {
      let bytes = FileManager.default.contents(atPath: path) ?? Data()
      let text = String(decoding: bytes.dropFirst(read), as: UTF8.self)
      read = bytes.count
      let lines = text.split(separator: "\n").filter { $0.contains("LOG:  transaction: ") }
      return Set(lines.compactMap { line in line.range(of: "transaction: ").map { String(line[$0.lowerBound...]) } })
    }
  }

  /// Comes back at regular times.
  private final class Pace {
    private let source: any DispatchSourceTimer
    private let ticks = Waiting<Bool>()

    init(every interval: DispatchTimeInterval) {
      source = DispatchSource.makeTimerSource()
      source.schedule(deadline: .now() + interval, repeating: interval)
      source.setEventHandler { [ticks] in ticks.put(true) }
      source.resume()
    }

    deinit { source.cancel() }

    func wait() { _ = ticks.take() }
  }
}
