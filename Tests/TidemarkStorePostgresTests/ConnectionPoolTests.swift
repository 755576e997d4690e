import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting
import TidemarkTestTraits

/// The pool of a store on a real server.
@Suite(needsPostgres, .ownThreads) struct ConnectionPoolTests {
  /// Readers that hold a connection each until they are told to end.
  private final class Holders: Sendable {
    private let goOn = Waiting<Bool>()
    private let ended = Waiting<Bool>()
    private let count: Int

    init(_ count: Int, of store: PostgresStore) {
      self.count = count
      let begun = Waiting<Bool>()
      for _ in 0..<count {
        Thread { [goOn, ended] in
          _ = try? store.openReader().read { snapshot in
            _ = try snapshot.spaces()
            begun.put(true)
            _ = goOn.take()
          }
          ended.put(true)
        }.start()
      }
      for _ in 0..<count { _ = begun.take() }
    }

    func end() {
      for _ in 0..<count { goOn.put(true) }
      for _ in 0..<count { _ = ended.take() }
    }
  }

  private func store(_ url: String, _ change: (inout PostgresStoreOptions) -> Void) throws -> PostgresStore {
    var options = PostgresStoreOptions()
    change(&options)
    return try PostgresStore.open(url: url, options: options)
  }

  private func spaces(_ store: PostgresStore) throws -> Int { try store.openReader().read { try $0.spaces().count } }

  @Test func transactionsShareTheConnectionsAndThoseBeyondTheSizeAreClosed() throws {
    let store = try store(makeSchema()) {
      $0.poolSize = 2
      $0.poolOverflow = 2
    }
    let holders = Holders(4, of: store)
    let busy = try #require(store.connections)
    #expect(busy.inUse == 4 && busy.idle == 0)
    holders.end()
    let quiet = try #require(store.connections)
    #expect(quiet.inUse == 0 && quiet.idle == 2 && quiet.closedOverflow >= 2 && quiet.timeouts == 0)
    let before = quiet.opened
    for _ in 0..<20 { #expect(try spaces(store) == 0) }
    #expect(store.connections?.opened == before)
  }

  @Test func aPoolThatIsUsedUpSaysSoAfterTheWaitLimitAndServesTheNext() throws {
    let store = try store(makeSchema()) {
      $0.poolSize = 1
      $0.poolOverflow = 0
      $0.poolWaitMS = 200
    }
    let holders = Holders(1, of: store)
    do {
      _ = try spaces(store)
      Issue.record("a connection in use was lent")
    } catch let error as StoreError {
      #expect(error.code == .unavailable && error.message.contains("the pool is used up"))
    }
    #expect(store.connections?.timeouts == 1)
    holders.end()
    #expect(try spaces(store) == 0)
  }

  @Test func aTransactionThatWaitsGetsTheConnectionThatComesBack() throws {
    let store = try store(makeSchema()) {
      $0.poolSize = 1
      $0.poolOverflow = 0
      $0.poolWaitMS = 60_000
    }
    let holders = Holders(1, of: store)
    let answers = Waiting<Int>()
    for _ in 0..<3 { Thread { answers.put((try? store.openReader().read { try $0.spaces().count }) ?? -1) }.start() }
    while store.connections?.waiting != 3 { sched_yield() }
    holders.end()
    for _ in 0..<3 { #expect(answers.take() == 0) }
    let counts = try #require(store.connections)
    #expect(counts.opened == 1 && counts.waits >= 3 && counts.waitedMicroseconds > 0 && counts.timeouts == 0)
  }

  @Test func connectionsAreReplacedWhenTheyAreOld() throws {
    let url = try makeSchema()
    let store = try store(url) { $0.connectionAgeSeconds = 0 }
    for _ in 0..<3 { #expect(try spaces(store) == 0) }
    let counts = try #require(store.connections)
    #expect(counts.closedRecycled == counts.opened && counts.opened >= 4 && counts.open == 0)
  }

  @Test func whenEveryIdleConnectionIsDeadNobodyNotices() throws {
    let server = try #require(PostgresServer.make())
    let store = try store(server.url(schema: "public")) { $0.poolSize = 4 }
    let (script, writer) = (try StoreUnderTest.postgres(server.url(schema: "public")).makeSpace("s"), try store.openWriter())
    for way in 0..<3 {
      Holders(4, of: store).end()
      #expect(store.connections?.idle == 4)
      let before = try #require(store.connections)
      switch way {
      case 0:
        server.stop()
        server.start()
      case 1:
        server.stop(.fast)
        server.start()
      default: try server.terminateBackends()
      }
      #expect(try spaces(store) == 1)
      try writer.write { try $0.updateSpace(script.record) }
      Holders(4, of: store).end()
      let after = try #require(store.connections)
      #expect(after.checksFailed > before.checksFailed && after.closedBroken == before.closedBroken + 4)
      #expect(after.openFailures == 0 && after.timeouts == 0)
    }
  }

  @Test func aConnectionWhoseServerIsSilentIsReplacedAfterTheConnectTimeout() throws {
    let server = try #require(PostgresServer.shared)
    let proxy = try CutProxy(to: server.folder)
    defer { proxy.close() }
    let schema = try #require(try server.makeSchema().split(separator: "%3D").last)
    let store = try store(server.url(schema: String(schema), folder: proxy.folder.path)) {
      $0.checkAfterIdleSeconds = 0
      $0.connectTimeoutSeconds = 2
    }
    proxy.silencePresent()
    let start = ContinuousClock.now
    #expect(try spaces(store) == 0)
    // Not as long as a statement may take.
    #expect(ContinuousClock.now - start < .seconds(20))
    #expect(store.connections?.checksFailed == 1)
  }

  @Test func manyWhoComeWhileTheDatabaseIsAwayMakeFewAttempts() throws {
    let server = try #require(PostgresServer.make())
    let store = try store(server.url(schema: "public")) { _ in }
    let readers = try (0..<8).map { _ in try store.openReader() }
    server.stop()
    let before = try #require(store.connections)
    let start = ContinuousClock.now
    let ended = Waiting<Int>()
    for reader in readers {
      // Used by this one thread only.
      nonisolated(unsafe) let reader = reader
      Thread {
        var refused = 0
        for _ in 0..<50 where code({ _ = try reader.read { try $0.spaces() } }) == .unavailable { refused += 1 }
        ended.put(refused)
      }.start()
    }
    for _ in readers { #expect(ended.take() == 50) }
    let after = try #require(store.connections)
    let windows = Double((ContinuousClock.now - start) / .milliseconds(25))
    #expect(Double(after.openFailures - before.openFailures) <= 8 + windows)
    server.start()
    #expect(try onceReached { try spaces(store) } == 0)
    #expect(after.timeouts == 0)
  }

  @Test func aDatabaseThatGoesAwayAndReturnsIsSaidOnceEach() throws {
    let server = try #require(PostgresServer.make())
    let said = Mutex<[String]>([])
    let store = try store(server.url(schema: "public")) { $0.warn = { text in said.withLock { $0.append(text) } } }
    for _ in 0..<2 {
      server.stop()
      for _ in 0..<3 { #expect(code { _ = try spaces(store) } == .unavailable) }
      server.start()
      #expect(try onceReached { try spaces(store) } == 0)
    }
    let lines = said.withLock { $0 }
    #expect(lines.count == 4)
    for (index, line) in lines.enumerated() {
      #expect(line.hasPrefix(index % 2 == 0 ? "the database cannot be reached" : "the database is reached again"))
    }
  }
}
