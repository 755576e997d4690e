import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkStoreSQLite
import TidemarkTesting
import TidemarkTestTraits

/// Replicas that read the feeds in pages of any size while others write: in the end they hold what the space holds.
@Suite(.ownThreads) struct FeedReaderTests {
  @Test(arguments: 0..<8) func replicasEndUpWithWhatTheSpaceHolds(chunk: UInt64) throws {
    for seed in chunk * 50..<(chunk + 1) * 50 { try FeedReaderTests.run(.memory(), seed: seed) }
  }

  @Test(arguments: 0..<4) func replicasOfSQLiteEndUpWithWhatTheSpaceHolds(chunk: UInt64) throws {
    let folder = try TemporaryFolder()
    for seed in chunk * 25..<(chunk + 1) * 25 {
      let path = "\(folder.path)/\(seed)"
      try FeedReaderTests.run(StoreUnderTest(open: { try SQLiteStore.open(folder: path) }, damage: { _, _ in }), seed: seed)
    }
  }

  @Test(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)))
  func replicasOfPostgresEndUpWithWhatTheSpaceHolds() throws {
    let server = try #require(PostgresServer.shared)
    for seed in 0..<20 as Range<UInt64> {
      let url = try server.makeSchema()
      try FeedReaderTests.run(StoreUnderTest(open: { try PostgresStore.open(url: url) }, damage: { _, _ in }), seed: seed)
    }
  }

  private static func run(_ store: StoreUnderTest, seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var history = try FeedHistory(try store.makeSpace("s", seed: seed))
    for _ in 0..<Int.random(in: 0...10, using: &random) { try history.write(to: store, &random) }
    var replicas: [FeedReplica] = []
    for _ in 0..<4 { replicas.append(try FeedReplica(history, &random)) }
    for _ in 0..<30 {
      if Int.random(in: 0..<3, using: &random) == 0 { try history.write(to: store, &random) }
      let index = Int.random(in: replicas.indices, using: &random)
      try replicas[index].pull(store, &random)
      try replicas[index].check(history.script, "seed \(seed) replica \(index)")
    }
    for index in replicas.indices {
      var pages = 0
      repeat {
        try replicas[index].pull(store, &random)
        pages += 1
        #expect(pages < 1_000, "seed \(seed) replica \(index) never catches up")
      } while !replicas[index].isCaughtUp && pages < 1_000
      try replicas[index].check(history.script, "seed \(seed) replica \(index) at the end")
    }
  }

  @Test func groupThatIsLargerThanAPageComesWhole() throws {
    let store = StoreUnderTest.memory()
    var script = try store.makeSpace("s")
    var entries: [LogEntry] = []
    for index in 0..<700 {
      entries.append(script.make(.create, try .sample("note", "\(index)"), goesOn: (10..<600).contains(index)))
    }
    try store.write { try $0.extend(script, entries) }
    var limits = FeedLimits()
    limits.itemsMax = 20
    let pages = try FeedReaderTests.pages(store, script, .changes, limits)
    // 20 items, of which the eleventh begins a group of 591.
    #expect(pages.map(\.items.count) == [601, 20, 20, 20, 20, 19])
    #expect(pages[0].items.filter { $0.story?.goesOn == true }.count == 590)
  }

  @Test func groupOfLargeEntitiesComesWholeAndPartlyWithoutFields() throws {
    let store = StoreUnderTest.memory()
    var script = try store.makeSpace("s")
    let large = try CanonicalFields.sample(String(repeating: "x", count: 900_000))
    var entries = [script.make(.create, try .sample("note", "small"), fields: try .sample("y"))]
    for index in 0..<6 { entries.append(script.make(.create, try .sample("note", "\(index)"), fields: large, goesOn: index < 5)) }
    try store.write { try $0.extend(script, entries) }
    let pages = try FeedReaderTests.pages(store, script, .changes, FeedLimits())
    #expect(pages.map(\.items.count) == [7])
    #expect(pages[0].items.map(\.isTruncated) == [false, false, false, true, true, true, true])
    #expect(pages[0].items.allSatisfy { $0.isTruncated == $0.entity.fields.bytes.isEmpty })
    #expect(pages[0].items.reduce(0) { $0 + $1.sizeMax } < 3_500_000)
  }

  @Test func filterThatTakesNothingStillAdvancesAndEnds() throws {
    let store = StoreUnderTest.memory()
    var script = try store.makeSpace("s")
    let entries = try (0..<20_000).map { script.make(.create, try .sample("note", "\($0)")) }
    try store.write { try $0.extend(script, entries) }
    let filter = try FeedFilter([
      .init(type: #require(TypeName("note")), equals: Fields([Field(#require(FieldPath("x")), .null)]))
    ])
    for kind in FeedKind.allCases {
      let pages = try FeedReaderTests.pages(store, script, kind, FeedLimits(), filter)
      #expect(pages.count == 2 && pages.allSatisfy(\.items.isEmpty), "\(kind)")
    }
  }

  @Test func cursorsBelowTheFloorsAndAheadOfTheSpaceAreDead() throws {
    let store = StoreUnderTest.memory()
    var script = try store.makeSpace("s")
    let entries = try (0..<9).map { script.make(.create, try .sample("note", "\($0)")) }
    try store.write { try $0.extend(script, entries) }
    var record = script.record
    record.historyFloor = Revision(rawValue: 5)
    record.feedFloor = Revision(rawValue: 3)
    let filter = try FeedFilter([
      .init(type: #require(TypeName("note")), equals: Fields([Field(#require(FieldPath("x")), .null)]))
    ])
    func isAlive(_ kind: FeedKind, _ position: UInt64, base: UInt64, _ filter: FeedFilter = .all) throws -> Bool {
      try store.read {
        FeedReader(record, kind: kind, filter: filter, $0)
          .isAlive(.tail(position: Revision(rawValue: position), base: Revision(rawValue: base)))
      }
    }
    #expect(
      try (0...10).map { try isAlive(.changes, $0, base: $0) } == Array(repeating: false, count: 5)
        + Array(repeating: true, count: 5) + [false])
    #expect(
      try (0...9).map { try isAlive(.states, 9, base: $0) } == Array(repeating: false, count: 3)
        + Array(repeating: true, count: 7))
    #expect(
      try (0...9).map { try isAlive(.states, 9, base: $0, filter) } == Array(repeating: false, count: 5)
        + Array(repeating: true, count: 5))
  }

  /// All pages from the beginning until the reader is caught up.
  private static func pages(
    _ store: StoreUnderTest, _ script: SpaceScript, _ kind: FeedKind, _ limits: FeedLimits, _ filter: FeedFilter = .all
  ) throws -> [FeedPage] {
    try store.read { snapshot in
      let reader = FeedReader(script.record, kind: kind, filter: filter, limits: limits, snapshot)
      var place = reader.start(.beginning)
      var pages: [FeedPage] = []
      while pages.count < 100, pages.last?.isCaughtUp != true {
        let page = try reader.page(from: place)
        place = page.place
        pages.append(page)
      }
      return pages
    }
  }
}
