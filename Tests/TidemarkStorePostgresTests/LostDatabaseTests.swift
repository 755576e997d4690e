import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting
import TidemarkTestTraits

@Suite(needsPostgres, .ownThreads) struct LostDatabaseTests {
  private static func impatient() -> PostgresStoreOptions {
    var options = PostgresStoreOptions()
    options.statementTimeoutMS = 200
    options.answerMarginMS = 200
    options.lockTimeoutMS = 100
    return options
  }

  /// A store whose connections go through a proxy, and a space in it.
  private func storeBehindProxy() throws -> (StoreUnderTest, CutProxy, SpaceScript) {
    let server = try #require(PostgresServer.shared)
    let proxy = try CutProxy(to: server.folder)
    let schema = try #require(try server.makeSchema().split(separator: "%3D").last)
    let store = StoreUnderTest.postgres(
      server.url(schema: String(schema), folder: proxy.folder.path), options: LostDatabaseTests.impatient())
    return (store, proxy, try store.makeSpace("s"))
  }

  @Test func aDatabaseThatGoesAwayAndReturnsIsUsedAgain() throws {
    let server = try #require(PostgresServer.make())
    let store = StoreUnderTest.postgres(server.url(schema: "public"))
    var script = try store.makeSpace("s")
    let keys = try ["a", "b"].map { try EntityKey.sample("note", $0) }
    try store.extend(&script) { [$0.make(.create, keys[0])] }
    #expect(try store.read { try $0.spaces() } == [script.record])
    server.stop()
    var lost = script
    for _ in 0..<2 {
      #expect(code { try store.extend(&lost) { [$0.make(.create, keys[1])] } } == .unavailable)
      #expect(code { _ = try store.read { try $0.spaces() } } == .unavailable)
      lost = script
    }
    server.start()
    #expect(try store.read { try $0.spaces() } == [script.record])
    try store.extend(&script) { [$0.make(.create, keys[1])] }
    #expect(try store.read { try $0.entities(keys, in: script.record.id) } == keys.map { script.entities[$0] })
  }

  @Test func aServerThatWasStartedAnewBetweenTwoCallsIsNotNoticed() throws {
    let server = try #require(PostgresServer.make())
    let store = StoreUnderTest.postgres(server.url(schema: "public"))
    var script = try store.makeSpace("s")
    #expect(try store.read { try $0.spaces() } == [script.record])
    server.stop()
    server.start()
    let key = try EntityKey.sample("note", "a")
    try store.extend(&script) { [$0.make(.create, key)] }
    #expect(try store.read { try $0.spaces() } == [script.record])
  }

  @Test func aTransactionWhoseConnectionIsLostBeforeItsCommitLeavesNothing() throws {
    let (store, proxy, script) = try storeBehindProxy()
    defer { proxy.close() }
    var lost = script
    let failed = code {
      try store.write { transaction in
        let key = try EntityKey.sample("note", "a")
        let entry = lost.make(.create, key)
        try transaction.extend(lost, [entry])
        _ = try transaction.entities([key], in: script.record.id)
        proxy.set(.silence)
        _ = try transaction.entities([key], in: script.record.id)
      }
    }
    #expect(failed == .unavailable)
    proxy.set(.pass)
    #expect(try store.read { try $0.spaces() } == [script.record])
    try store.write { try $0.updateSpace(script.record) }
  }

  @Test(arguments: [CutProxy.Mode.loseCommit, .loseAnswer])
  func aCommitWithoutAnAnswerIsOfUnknownOutcomeAndTheNextIsNot(_ mode: CutProxy.Mode) throws {
    let (store, proxy, script) = try storeBehindProxy()
    defer { proxy.close() }
    let key = try EntityKey.sample("note", "a")
    var next = script
    proxy.set(mode)
    #expect(code { try store.extend(&next) { [$0.make(.create, key)] } } == .outcomeUnknown)
    let isDurable = mode == .loseAnswer
    let found = try store.write { try $0.space(named: script.record.name) }
    #expect(found == (isDurable ? next.record : script.record))
    if !isDurable { next = script }
    try store.extend(&next) { [$0.make(isDurable ? .update : .create, key)] }
    #expect(try store.read { try $0.entities([key], in: script.record.id) } == [next.entities[key]])
  }

  @Test func aStatementThatTakesTooLongLeavesNothingAndTheNextIsRun() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url, options: LostDatabaseTests.impatient())
    let script = try store.makeSpace("s")
    try PostgresServer.execute(
      url,
      """
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
      CREATE TRIGGER slow BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION slow()
      """)
    let key = try EntityKey.sample("note", "a")
    var slow = script
    #expect(code { try store.extend(&slow) { [$0.make(.create, key)] } } == .unavailable)
    try PostgresServer.execute(url, "DROP TRIGGER slow ON log")
    var next = script
    try store.extend(&next) { [$0.make(.create, key)] }
    #expect(try store.read { try $0.spaces() } == [next.record])
  }

  /// The old connection would be refused for ever; a new one reaches the server that took over.
  @Test func aServerThatBecameAStandbyIsNotAskedAgainOnTheSameConnection() throws {
    let url = try makeSchema()
    let store = try PostgresStore.open(url: url)
    let space = try StoreUnderTest.postgres(url).makeSpace("s").record
    try PostgresServer.execute(
      url,
      """
      CREATE FUNCTION standby() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''read_only_sql_transaction''; END';
      CREATE TRIGGER standby BEFORE UPDATE ON space FOR EACH ROW EXECUTE FUNCTION standby()
      """)
    let writer = try store.openWriter()
    let before = try #require(store.connections)
    #expect(code { try writer.write { try $0.updateSpace(space) } } == .unavailable)
    #expect(store.connections?.closedBroken == before.closedBroken + 1)
    try PostgresServer.execute(url, "DROP TRIGGER standby ON space")
    try writer.write { try $0.updateSpace(space) }
    #expect(store.connections?.opened == before.opened + 1)
  }

  @Test func aCommitThatTheServerRefusesLeavesNothingForCertain() throws {
    let url = try makeSchema()
    let store = StoreUnderTest.postgres(url)
    let script = try store.makeSpace("s")
    try PostgresServer.execute(
      url,
      """
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
      """)
    let key = try EntityKey.sample("note", "a")
    var refused = script
    #expect(code { try store.extend(&refused) { [$0.make(.create, key)] } } == .unavailable)
    try PostgresServer.execute(url, "DROP TRIGGER refuse ON log")
    #expect(try store.read { try $0.spaces() } == [script.record])
  }

  @Test func aPasswordThatIsWrongIsSaidWithoutTheWord() throws {
    let server = try #require(PostgresServer.shared)
    try? PostgresServer.execute(server.url(schema: "public"), "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    do {
      _ = try PostgresStore.open(url: server.url(schema: "public", user: "guarded") + "&password=wrong")
      Issue.record("a wrong password was taken")
    } catch let error as StoreError {
      #expect(error.code == .unavailable)
      #expect(!error.message.contains("wrong"))
    }
  }
}
