import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// What clients of two daemons on one PostgreSQL database see while daemons are killed and their connections are cut.
  @Suite(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence))) struct TwoNodeHistoryTests {
    /// A server that no other test uses: its connections are ended, and it crashes.
    private static let server = PostgresServer.make()
    private static let clients = 6
    private static let writesPerClient = 40
    private static let runsPerCase = 5

    @Test(arguments: 0..<4) func everyPromiseIsKeptWhileNodesDie(part: Int) throws {
      var attempts: [RecordedHistory.Attempt] = []
      for run in 0..<TwoNodeHistoryTests.runsPerCase {
        attempts += try play(part * TwoNodeHistoryTests.runsPerCase + run).attempts.filter { !$0.isAsking }
      }
      // Something has to have gone wrong: nodes that nobody misses prove nothing.
      #expect(attempts.contains { $0.answer == .unknown } && attempts.contains { $0.isReplay })
      #expect(attempts.contains { if case .settled(.conflict, _) = $0.answer { true } else { false } })
    }

    /// One history, in which two nodes are interfered with three times.
    private func play(_ run: Int) throws -> RecordedHistory {
      let server = try #require(TwoNodeHistoryTests.server)
      var random = SeededGenerator(printing: "two nodes, run \(run)")
      let url = try server.makeSchema() + "&application_name=run\(run)"
      // The first node reaches the database through a proxy, which loses commits and answers.
      let proxy = try CutProxy(to: server.folder)
      defer { proxy.close() }
      let schema = try #require(url.split(separator: "%3D").last)
      let behind = server.url(schema: String(schema), folder: proxy.folder.path)
      let cluster = try Cluster(stores: [behind, url])
      let second = try makeSpaceName("second")
      try cluster.connect(0).createSpace(second)
      let total = TwoNodeHistoryTests.clients * TwoNodeHistoryTests.writesPerClient
      let recorder = HistoryRecorder(marks: (0..<3).map { _ in Int.random(in: 5..<total * 3 / 4, using: &random) })
      let ends = Waiting<String?>()
      for number in 0..<TwoNodeHistoryTests.clients {
        let seed = random.next()
        Thread {
          do {
            let client = try HistoryClient(cluster, recorder, home: number % 2, spaces: [.default, second], seed: seed)
            try client.run(writes: TwoNodeHistoryTests.writesPerClient)
            ends.put(nil)
          } catch { ends.put("client \(number): \(error)") }
        }.start()
      }
      for _ in 0..<3 {
        recorder.waitForMark()
        try interfere(cluster, server, proxy, url, &random)
      }
      for _ in 0..<TwoNodeHistoryTests.clients { #expect(ends.take() == nil) }
      #expect(cluster.areRunning)
      try readBack(cluster, recorder, [.default, second])
      let history = try stored(recorder.recorded, url, [.default, second])
      let violations = history.violations()
      #expect(violations.isEmpty, "\(violations.prefix(5).map(\.description).joined(separator: "\n"))")
      let applied = history.stored.values.reduce(0) { $0 + $1.log.count }
      #expect(applied > total / 4, "\(applied) of \(total)")
      #expect((0..<2).map { cluster.terminate($0) } == [0, 0])
      return history
    }

    /// Kills one daemon or both, loses a commit or its answer, ends some connections, or crashes the database; then everything is there again.
    private func interfere(
      _ cluster: Cluster, _ server: PostgresServer, _ proxy: CutProxy, _ url: String, _ random: inout SeededGenerator
    ) throws {
      // What the one before was to lose, and has not, is not lost while a node starts.
      _ = proxy.reset()
      switch Int.random(in: 0..<15, using: &random) {
      case 10, 11:
        print("  the answer to a commit of node 0 is lost")
        proxy.set(.loseAnswer)
      case 12, 13:
        print("  a commit of node 0 is lost")
        proxy.set(.loseCommit)
      case 0..<5:
        let node = Int.random(in: 0..<2, using: &random)
        print("  node \(node) is killed")
        cluster.kill(node)
        try cluster.start(node)
      case 5:
        print("  both nodes are killed")
        for node in 0..<2 { cluster.kill(node) }
        for node in 0..<2 { try cluster.start(node) }
      case 6..<9:
        let name = try #require(url.split(separator: "=").last)
        let backends = try PostgresServer.texts(
          url,
          "SELECT pid::text FROM pg_stat_activity WHERE application_name = '\(name)' AND pid <> pg_backend_pid() ORDER BY pid")
        let ended = backends.filter { _ in Bool.random(using: &random) }
        print("  \(ended.count) of \(backends.count) connections are ended")
        for pid in ended { try PostgresServer.execute(url, "SELECT pg_terminate_backend(\(pid))") }
      default:
        print("  the database crashes")
        cluster.withoutStore {
          server.stop()
          server.start()
        }
      }
    }

    /// Reads everything through both nodes, and asks both what became of every write.
    private func readBack(_ cluster: Cluster, _ recorder: HistoryRecorder, _ spaces: [SpaceName]) throws {
      for node in 0..<2 {
        let connection = try cluster.connect(node)
        for space in spaces {
          try recorder.ask(connection, node, space)
          try recorder.look(connection, node, space, nil)
          let applied = recorder.recorded.attempts.filter { if case .applied = $0.answer { $0.space == space } else { false } }
          for key in Set(applied.map(\.entity)) {
            try recorder.look(connection, node, space, key)
          }
          #expect(try connection.verify(space).faults.isEmpty)
        }
      }
    }

    private func stored(_ history: RecordedHistory, _ url: String, _ spaces: [SpaceName]) throws -> RecordedHistory {
      var history = history
      let reader = try PostgresStore.open(url: url).openReader()
      for space in spaces { try reader.read { try history.takeStored($0, space) } }
      return history
    }
  }
}
