import Foundation
import Glibc
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTestTraits
import TidemarkTesting

/// What one node finds out of what another one commits.
@Suite(needsPostgres, .ownThreads) struct NodePollerTests {
  /// What a poller on a store of its own tells.
  private final class Node: TokenKeeper {
    let store: PostgresStore
    let board = RevisionBoard()
    let taken = Waiting<[TokenRecord]?>()
    let moves = Waiting<(SpaceMark, UInt64)>()
    let troubles = Waiting<StoreError?>()
    let listener: RevisionBoard.Listener
    private let opened = Mutex<NodePoller?>(nil)

    init(_ url: String) throws {
      store = try PostgresStore.open(url: url)
      let (board, moves, hear) = (board, moves, Hearing())
      listener = board.listen { hear.take() }
      hear.put { [listener] in for mark in board.take(listener) { moves.put((mark, NodePollerTests.now())) } }
      let poller = try NodePoller(
        store: store, clock: NodePollerTests.clock, board: board, keeper: self, random: { 7 },
        onTrouble: { [troubles] in troubles.put($0) })
      opened.withLock { $0 = poller }
    }

    func poller() throws -> NodePoller { try #require(opened.withLock { $0 }) }
    func close() { opened.withLock { $0 }?.close() }

    func moment() -> UInt64 { 0 }
    func take(_ tokens: [TokenRecord]?, at moment: UInt64, began: UInt64) -> Bool {
      taken.put(tokens)
      return true
    }
    func rest(confirmed: UInt64) {}
  }

  /// What to do when a listener is woken, which needs to know the listener.
  private final class Hearing: Sendable {
    private let body = Mutex<(@Sendable () -> Void)?>(nil)
    func put(_ body: @escaping @Sendable () -> Void) { self.body.withLock { $0 = body } }
    func take() { body.withLock { $0 }?() }
  }

  private static func now() -> UInt64 { monotonicNanoseconds() }
  private static let clock = StoreClock(now: { Timestamp(rawValue: 1) }, uptimeNanoseconds: { NodePollerTests.now() })

  @Test func aRevisionWrittenOnOneNodeIsSeenByTheOther() throws {
    let url = try makeSchema()
    let writing = StoreUnderTest.postgres(url)
    let space = try writing.makeSpace("s").record
    let node = try Node(url)
    node.board.follow(space.id, by: node.listener)
    #expect(node.moves.take().0 == SpaceMark(space: space.id, revision: .zero))
    var times: [UInt64] = []
    for number in 1...200 as ClosedRange<UInt64> {
      try writing.write { transaction in
        let record = try #require(try transaction.space(named: space.name))
        var script = SpaceScript(record)
        let entry = script.make(.create, try EntityKey.sample("note", "\(number)"))
        try transaction.extend(script, [entry])
      }
      let committed = NodePollerTests.now()
      let (mark, seen) = node.moves.take()
      #expect(mark == SpaceMark(space: space.id, revision: Revision(rawValue: number)))
      times.append(seen > committed ? seen - committed : 0)
    }
    times.sort()
    func ms(_ share: Double) -> Double { Double(times[Int(share * 199)] / 10_000) / 100 }
    print("seen by the other node after (ms): half \(ms(0.5)), 99 % \(ms(0.99)), most \(ms(1))")
    // Beside other work; alone 99 % are below 40 ms.
    #expect(ms(0.5) < 100 && ms(0.99) < 1_000)
    node.close()
  }

  @Test func aSpaceThatIsDeletedAndMadeAgainByAnotherNodeIsGoneAndTheNewOneIsAnother() throws {
    let url = try makeSchema()
    let writing = StoreUnderTest.postgres(url)
    let first = try writing.makeSpace("s", seed: 1).record
    let node = try Node(url)
    node.board.follow(first.id, by: node.listener)
    #expect(node.moves.take().0.revision == .zero)
    try writing.write { try $0.deleteSpace(first.id) }
    var second = try writing.makeSpace("s", seed: 2)
    #expect(node.moves.take().0 == SpaceMark(space: first.id, revision: nil))
    node.board.follow(second.record.id, by: node.listener)
    let key = try EntityKey.sample("note", "a")
    try writing.extend(&second) { [$0.make(.create, key)] }
    var last = node.moves.take().0
    if last.revision == .zero { last = node.moves.take().0 }
    #expect(last == SpaceMark(space: second.record.id, revision: Revision(rawValue: 1)))
    node.close()
  }

  @Test func tokensOfAnotherNodeAreFoundAndReadOnlyWhenTheyChanged() throws {
    let url = try makeSchema()
    let writing = StoreUnderTest.postgres(url)
    let space = try writing.makeSpace("s").record.name
    let node = try Node(url)
    let poller = try node.poller()
    func look() -> [TokenRecord]? {
      poller.ask()
      return node.taken.take()
    }
    #expect(look() == [])
    #expect(look() == nil)
    let token = TokenRecord(
      id: "a", secretHash: Digest32.sha256([1]), principal: try #require(PrincipalName("owner")), roleEverywhere: .writer,
      roles: [space: .admin], createdAt: Timestamp(rawValue: 5))
    try writing.write { try $0.insertToken(token) }
    #expect(look() == [token])
    #expect(look() == nil)
    try writing.write { _ = try $0.deleteToken(id: "a") }
    #expect(look() == [])
    node.close()
  }

  @Test func howeverManyAskThereIsNoPollForEach() throws {
    let url = try makeSchema()
    _ = try StoreUnderTest.postgres(url).makeSpace("s")
    let node = try Node(url)
    let poller = try node.poller()
    let (start, before) = (NodePollerTests.now(), poller.pollCount)
    for _ in 0..<2_000 {
      for _ in 0..<20 { poller.ask() }
      sched_yield()
    }
    poller.ask()
    _ = node.taken.take()
    let milliseconds = (NodePollerTests.now() - start) / 1_000_000
    #expect(poller.pollCount - before <= milliseconds / 5 + 2)
    node.close()
  }

  @Test func aDatabaseThatGoesAwayAndComesBackIsToldOnceAndNothingIsMissed() throws {
    let server = try #require(PostgresServer.make())
    let url = server.url(schema: "public")
    let writing = StoreUnderTest.postgres(url)
    var space = try writing.makeSpace("s")
    let node = try Node(url)
    node.board.follow(space.record.id, by: node.listener)
    #expect(node.moves.take().0.revision == .zero)
    server.stop()
    #expect(node.troubles.take()?.code == .unavailable)
    server.start()
    writing.close()
    let key = try EntityKey.sample("note", "a")
    try writing.extend(&space) { [$0.make(.create, key)] }
    #expect(node.moves.take().0.revision == Revision(rawValue: 1))
    #expect(node.troubles.take() == nil)
    node.close()
  }

  @Test func askingWhatMovedCostsWhatIsFollowedAlsoAmongTenThousandSpaces() throws {
    let url = try makeSchema()
    let store = try PostgresStore.open(url: url)
    try PostgresServer.execute(
      url,
      """
      INSERT INTO space (id, name, epoch, created_at_us, revision, chain_hash, changed_at_us, alive_count, history_floor, feed_floor,
      fence, receipt_floor, schema_version) SELECT n, 's' || n, decode(repeat('00', 16), 'hex'), 0, 1, decode(repeat('00', 32), 'hex'),
      0, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 10000) AS n
      """)
    let reader = try store.openReader()
    let all = (1...10_000 as ClosedRange<UInt32>).map { SpaceMark(space: SpaceID(rawValue: $0), revision: Revision(rawValue: 1)) }
    var text: [String] = []
    for count in [10, 1_000, 10_000] {
      var times: [UInt64] = []
      for _ in 0..<20 {
        let start = NodePollerTests.now()
        #expect(try reader.read { try $0.moved(since: Array(all.prefix(count))) } == [])
        times.append(NodePollerTests.now() - start)
      }
      text.append("\(count) of 10,000 spaces: \(Double(times.sorted()[10] / 10_000) / 100) ms")
      #expect(times.sorted()[10] < 500_000_000)
    }
    print("asking what moved: " + text.joined(separator: ", "))
  }
}

/// The time by a clock that never jumps, in nanoseconds (clock_gettime(2)).
private func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
