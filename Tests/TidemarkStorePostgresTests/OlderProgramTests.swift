import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkPostgres
import TidemarkStore
import TidemarkTestTraits
import TidemarkTesting

@testable import TidemarkStorePostgres

/// What becomes of programs of format 2 when the tables go on to formats that never were.
@Suite(needsPostgres, .ownThreads) struct OlderProgramTests {
  /// Shuts out programs below format 3, and notes where each log ended then.
  private static let contracting = Migration(
    number: 4, summary: "shuts out format 2", lowest: 3,
    forward: { try $0.execute("CREATE TABLE ends AS SELECT id, revision FROM space") },
    back: { try $0.execute("DROP TABLE ends") })
  private static let later = Migration.all + [MigrationTests.expanding, contracting]

  private func go(_ url: String, to format: Int) throws {
    let all = PostgresMigrator(url: url, migrations: OlderProgramTests.later)
    if try all.status().current > format { _ = try all.down(to: format) }
    _ = try PostgresMigrator(url: url, migrations: Array(OlderProgramTests.later.prefix(format))).up()
  }

  @Test func programGoesOnWhenTheTablesGrowAndMayStartOnThem() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url)
    var script = try store.makeSpace("s")
    let key = try EntityKey.sample("note", "a")
    try store.extend(&script) { [$0.make(.create, key)] }
    try go(url, to: 3)
    try store.extend(&script) { [$0.make(.update, key)] }
    #expect(try store.read { try $0.spaces() } == [script.record])
    let status = try PostgresMigrator(url: url).status()
    #expect(status == StoreFormat(current: 3, lowest: 1, latest: 2, pending: []))
    #expect(code { _ = try PostgresMigrator(url: url).down(to: 1) } == .unknownFormat)
    let second = StoreUnderTest.postgres(url)
    _ = try second.makeSpace("t")
    try go(url, to: 2)
    try store.extend(&script) { [$0.make(.update, key)] }
  }

  @Test func programThatIsShutOutIsToldSoWhateverItDoesAndChangesNothing() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url)
    var script = try store.makeSpace("s")
    let key = try EntityKey.sample("note", "a")
    try store.extend(&script) { [$0.make(.create, key)] }
    try go(url, to: 4)
    let before = try content(url)
    var next = script
    #expect(code { try store.extend(&next) { [$0.make(.update, key)] } } == .unknownFormat)
    #expect(code { _ = try store.read { try $0.space(named: script.record.name) } } == .unknownFormat)
    #expect(code { _ = try store.read { try $0.spaces() } } == .unknownFormat)
    #expect(code { _ = try store.makeSpace("t") } == .unknownFormat)
    let token = TokenRecord(
      id: "one", secretHash: Digest32(words: (1, 2, 3, 4)), principal: .sample, roleEverywhere: .admin, roles: [:],
      createdAt: Timestamp(rawValue: 1))
    #expect(code { try store.write { try $0.insertToken(token) } } == .unknownFormat)
    #expect(code { _ = try store.write { try $0.deleteToken(id: "one") } } == .unknownFormat)
    for attempt in [
      { _ = try PostgresStore.open(url: url) }, { _ = try PostgresMigrator(url: url).up() },
      { _ = try PostgresMigrator(url: url).down(to: 1) }, { _ = try PostgresMigrator(url: url).status() },
    ] as [() throws -> Void] {
      let error = #expect(throws: StoreError.self) { try attempt() }
      #expect(error?.code == .unknownFormat)
      #expect(error?.message.contains("format 4, for programs that know format 3 or a later one") == true)
    }
    #expect(try content(url) == before)
    try go(url, to: 2)
    try store.extend(&script) { [$0.make(.update, key)] }
    try store.write { try $0.insertToken(token) }
  }

  @Test func nothingIsWrittenAfterTheStepThatShutsOutWhoWrites() throws {
    let url = try makeSchema()
    let spaces = try (0..<3).map { try StoreUnderTest.postgres(url).makeSpace("s\($0)").record }
    try go(url, to: 3)
    let written = Mutex([0, 0, 0])
    let started = Waiting<Bool>()
    let failures = onThreads(4) { number in
      guard number < 3 else {
        for _ in 0..<3 { _ = started.take() }
        _ = try PostgresMigrator(url: url, migrations: OlderProgramTests.later).up()
        return
      }
      // Whoever fails early lets the others go on.
      defer { for _ in 0..<3 { started.put(true) } }
      let writer = try PostgresStore.open(url: url).openWriter()
      while true {
        try writer.write { transaction in
          var script = SpaceScript(try #require(try transaction.space(named: spaces[number].name)))
          let entry = script.make(.create, try .sample("note", "\(script.record.revision)"))
          try transaction.extend(script, [entry])
        }
        let count = written.withLock { counts in
          counts[number] += 1
          return counts[number]
        }
        if count == 10 { started.put(true) }
      }
    }
    #expect(failures[3] == nil)
    for failure in failures.prefix(3) { #expect(failure?.hasPrefix("unknownFormat") == true, "\(failure ?? "")") }
    let ends = try PostgresServer.texts(url, "SELECT revision::text FROM ends ORDER BY id")
    #expect(ends == written.withLock { $0.map(String.init) })
    #expect(try PostgresServer.texts(url, "SELECT count(*)::text FROM log GROUP BY space ORDER BY space") == ends)
  }

  @Test func startingLeavesAStepThatShutsOthersOutToWhoAsksForIt() throws {
    let migrator: (String) -> PostgresMigrator = { PostgresMigrator(url: $0, migrations: OlderProgramTests.later) }
    let url = try makeKeptStore()
    try migrator(url).prepare(try PostgresConnection(url: url), served: 3)
    #expect(try migrator(url).status() == StoreFormat(current: 3, lowest: 1, latest: 4, pending: ["4: shuts out format 2"]))
    let error = #expect(throws: StoreError.self) { try migrator(url).prepare(try PostgresConnection(url: url), served: 4) }
    #expect(error?.code == .unknownFormat && error?.message.contains("tidemarkd migrate up") == true)
    _ = try migrator(url).up()
    try migrator(url).prepare(try PostgresConnection(url: url), served: 4)
    let empty = try makeSchema()
    try migrator(empty).prepare(try PostgresConnection(url: empty), served: 4)
    #expect(try migrator(empty).status() == StoreFormat(current: 4, lowest: 3, latest: 4, pending: []))
  }

  @Test func programWhoseTablesWereTakenAwayIsToldSo() throws {
    let url = try makeKeptStore()
    let store = StoreUnderTest.postgres(url)
    let name = try #require(SpaceName("hotel"))
    #expect(try store.read { try $0.space(named: name) } != nil)
    _ = try PostgresMigrator(url: url).down(to: 1)
    #expect(code { _ = try store.read { try $0.space(named: name) } } == .unknownFormat)
    #expect(code { _ = try store.write { try $0.space(named: name) } } == .unknownFormat)
  }
}
