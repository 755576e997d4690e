import Foundation
import Testing
import TidemarkCore
import TidemarkPostgres
import TidemarkStore
import TidemarkTestTraits
import TidemarkTesting

@testable import TidemarkStorePostgres

@Suite(needsPostgres, .ownThreads) struct MigrationTests {
  /// A format that never was, for tests: programs of format 2 may go on.
  static let expanding = Migration(
    number: 3, summary: "a table for a test", lowest: 1,
    forward: { try $0.execute("CREATE TABLE later (a int8); ALTER TABLE space ADD COLUMN later int8 NOT NULL DEFAULT 0") },
    back: { try $0.execute("DROP TABLE later; ALTER TABLE space DROP COLUMN later") })

  @Test func keptStoreOfFormat1GoesForwardAndBackAndForwardAgainWithItsContent() throws {
    let url = try makeKeptStore()
    let before = try content(url)
    #expect(before.count > 40)
    let migrator = PostgresMigrator(url: url)
    #expect(try migrator.status() == StoreFormat(current: 1, latest: 2, pending: ["2: \(Migration.format2.summary)"]))
    #expect(try migrator.up() == StoreFormat(current: 2, lowest: 1, latest: 2, pending: []))
    #expect(try content(url) == before)
    try verify(try PostgresStore.open(url: url))
    #expect(try migrator.down(to: 1).current == 1)
    #expect(try content(url) == before)
    #expect(try PostgresServer.texts(url, "SELECT key FROM store ORDER BY key") == ["format", "last_space"])
    let store = try PostgresStore.open(url: url)
    #expect(try migrator.status().current == 2)
    try verify(store)
    let writer = try store.openWriter()
    try writer.write { transaction in
      let key = try EntityKey.sample("note", "made by a later program")
      for space in try transaction.spaces() {
        var script = SpaceScript(space)
        try transaction.extend(script, [script.make(.create, key)])
        #expect(try transaction.entities([key], in: space.id) == [script.entities[key]])
      }
      #expect(
        try transaction.tokens().flatMap { token in token.roles.map { "\(token.principal) \($0.key) \($0.value)" } } == [
          "editor hotel writer"
        ])
    }
  }

  @Test(arguments: [false, true]) func migratorsThatStartAtOnceMakeEachStepOnce(_ isKept: Bool) throws {
    let url = try isKept ? makeKeptStore() : makeSchema()
    let failures = onThreads(8) { number in
      let format = try PostgresMigrator(url: url, migrations: Migration.all + [MigrationTests.expanding]).up()
      #expect(format == StoreFormat(current: 3, lowest: 1, latest: 3, pending: []), "migrator \(number)")
    }
    #expect(failures.compactMap { $0 } == [])
    #expect(try PostgresServer.texts(url, "SELECT format::text FROM migration ORDER BY applied_at_us") == ["2", "3"])
    try verify(try PostgresStore.open(url: url))
  }

  @Test func stepsAreListedWithTheProgramThatMadeThem() throws {
    let url = try makeSchema()
    var options = PostgresStoreOptions()
    options.program = "tidemarkd/test"
    let migrator = PostgresMigrator(url: url, options: options, migrations: Migration.all + [MigrationTests.expanding])
    _ = try migrator.up()
    _ = try migrator.down(to: 2)
    let listed = try PostgresServer.texts(
      url, "SELECT format::text, summary, program FROM migration WHERE applied_at_us > 1700000000000000 ORDER BY applied_at_us")
    #expect(
      listed == [
        "2 \(Migration.format2.summary) tidemarkd/test", "3 a table for a test tidemarkd/test",
        "2 back from 3: a table for a test tidemarkd/test",
      ])
  }

  @Test func stepThatFailsOrIsCutOffLeavesTheFormatBefore() throws {
    let url = try makeKeptStore()
    let before = try content(url)
    let broken = Migration(
      number: 3, summary: "breaks half way", lowest: 1,
      forward: { try $0.execute("CREATE TABLE later (a int8); INSERT INTO nowhere VALUES (1)") }, back: { _ in })
    let process = Waiting<Int64>()
    let slow = Migration(
      number: 3, summary: "is cut off half way", lowest: 1,
      forward: { connection in
        try connection.execute("CREATE TABLE later (a int8); DELETE FROM log")
        process.put(try connection.run([.init(number: -99, text: "SELECT pg_backend_pid()")])[0].first?.integer(at: 0) ?? 0)
        try connection.execute("SELECT pg_sleep(60)")
      }, back: { _ in })
    #expect(throws: StoreError.self) { try PostgresMigrator(url: url, migrations: Migration.all + [broken]).up() }
    let failures = onThreads(2) { number in
      guard number == 0 else { return try PostgresServer.execute(url, "SELECT pg_terminate_backend(\(process.take()))") }
      defer { process.put(0) }
      _ = try PostgresMigrator(url: url, migrations: Migration.all + [slow]).up()
    }
    #expect(failures[0]?.contains("unavailable") == true && failures[1] == nil, "\(failures)")
    #expect(try PostgresMigrator(url: url).status().current == 2)
    #expect(try content(url) == before)
    #expect(try PostgresServer.texts(url, "SELECT to_regclass('later') IS NULL AND count(*) = 1 FROM migration").count == 1)
    #expect(try PostgresMigrator(url: url, migrations: Migration.all + [MigrationTests.expanding]).up().current == 3)
  }

  @Test func migrationThatMeetsALongTransactionLetsEverybodyElseThrough() throws {
    let url = try makeKeptStore()
    var script = SpaceScript(try #require(try PostgresStore.open(url: url).openReader().read { try $0.spaces() }.first))
    let store = StoreUnderTest.postgres(url)
    let tries = Waiting<Bool>()
    let step = Migration(
      number: 3, summary: "needs the table alone", lowest: 1,
      forward: { connection in
        tries.put(true)
        try connection.execute("ALTER TABLE space ADD COLUMN later int8")
      }, back: { _ in })
    let long = try PostgresConnection(url: url)
    try long.execute("BEGIN; SELECT * FROM space")
    let ended = Waiting<String?>()
    Thread {
      do { ended.put("\(try PostgresMigrator(url: url, migrations: Migration.all + [step]).up().current)") } catch {
        ended.put("\(error)")
        for _ in 0..<4 { tries.put(false) }
      }
    }.start()
    // Each of these would wait until the long transaction ends, if the migration waited for it with them behind.
    for number in 0..<4 {
      #expect(tries.take())
      let key = try EntityKey.sample("note", "while it tries \(number)")
      try store.extend(&script) { [$0.make(.create, key)] }
      #expect(try store.read { try $0.spaces() }.contains(script.record))
    }
    #expect(try PostgresMigrator(url: url).status().current == 2)
    try long.execute("COMMIT")
    #expect(ended.take() == "3")
  }

  @Test func migrationThatMeetsLocksForTooLongSaysSo() throws {
    let url = try makeKeptStore()
    let long = try PostgresConnection(url: url)
    try long.execute("BEGIN; SELECT * FROM space")
    var options = PostgresStoreOptions()
    options.migrationLockMS = 10
    options.migrationPatienceMS = 50
    let error = #expect(throws: StoreError.self) { try PostgresMigrator(url: url, options: options).up() }
    #expect(error?.code == .unavailable && error?.message.contains("end long transactions") == true)
    try long.execute("COMMIT")
    #expect(try PostgresMigrator(url: url, options: options).up().current == 2)
  }

  @Test func openingMigratesUnlessToldNotTo() throws {
    let url = try makeKeptStore()
    var options = PostgresStoreOptions()
    options.migratesOnOpen = false
    #expect(code { _ = try PostgresStore.open(url: url, options: options) } == .unknownFormat)
    #expect(try PostgresMigrator(url: url).status().current == 1)
    _ = try PostgresStore.open(url: url)
    _ = try PostgresStore.open(url: url, options: options)
  }

  @Test func emptyStoreGoesBackToNothingAndAFullOneIsRefused() throws {
    let url = try makeSchema()
    let migrator = PostgresMigrator(url: url)
    #expect(
      try migrator.status() == StoreFormat(current: 0, latest: 2, pending: Migration.all.map { "\($0.number): \($0.summary)" }))
    #expect(
      try PostgresServer.texts(url, "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace")
        == [])
    _ = try migrator.up()
    #expect(try migrator.down(to: 0).current == 0)
    #expect(
      try PostgresServer.texts(url, "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace")
        == [])
    let kept = try makeKeptStore()
    let before = try content(kept)
    #expect(code { _ = try PostgresMigrator(url: kept).down(to: 0) } == .unknownFormat)
    #expect(code { _ = try PostgresMigrator(url: kept).down(to: 2) } == .unknownFormat)
    #expect(code { _ = try PostgresMigrator(url: kept).down(to: -1) } == .unknownFormat)
    #expect(try content(kept) == before)
  }
}
