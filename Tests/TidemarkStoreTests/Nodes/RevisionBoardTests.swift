import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkStore

@Suite final class RevisionBoardTests: Sendable {
  private let board = RevisionBoard()
  private let wakes = Mutex<[String]>([])

  private func space(_ number: UInt32) -> SpaceID { SpaceID(rawValue: number) }
  private func mark(_ number: UInt32, _ revision: UInt64?) -> SpaceMark {
    SpaceMark(space: space(number), revision: revision.map { Revision(rawValue: $0) })
  }
  private func listen(_ name: String) -> RevisionBoard.Listener { board.listen { [self] in wakes.withLock { $0.append(name) } } }
  private func takeWakes() -> [String] {
    wakes.withLock { wakes in
      defer { wakes = [] }
      return wakes.sorted()
    }
  }

  @Test func aCommitWakesEachListenerThatFollowsOnceAndNobodyElse() {
    let (one, two, three) = (listen("one"), listen("two"), listen("three"))
    for (number, listener) in [(5, one), (9, one), (9, two), (7, three)] { board.follow(space(UInt32(number)), by: listener) }
    board.publish([mark(5, 3), mark(9, 8), mark(6, 2)])
    #expect(takeWakes() == ["one", "two"])
    // Not again before it has taken.
    board.publish([mark(9, 10), mark(9, 9)])
    #expect(takeWakes() == [])
    #expect(board.take(one) == [mark(5, 3), mark(9, 10)])
    #expect(board.take(one) == [])
    board.publish([mark(5, 4)])
    #expect(takeWakes() == ["one"])
    #expect(board.take(two) == [mark(9, 10)])
    #expect(board.take(three) == [])
  }

  @Test func revisionsOnlyGrow() {
    let one = listen("one")
    board.follow(space(5), by: one)
    board.publish([mark(5, 7)])
    #expect(board.take(one) == [mark(5, 7)])
    board.publish([mark(5, 6)])
    board.publish([mark(5, 7)])
    #expect(takeWakes() == ["one"])
    #expect(board.take(one) == [] && board.followed == [mark(5, 7)])
  }

  @Test func aSpaceThatIsGoneStaysGoneAlsoWhenOlderNewsComeLate() {
    let one = listen("one")
    board.follow(space(5), by: one)
    board.publish([mark(5, 7)])
    board.publish([mark(5, nil)])
    #expect(board.take(one) == [mark(5, nil)])
    board.publish([mark(5, 8)])
    #expect(board.take(one) == [] && board.followed == [])
    // Made again, it has another number.
    board.follow(space(6), by: one)
    board.publish([mark(6, 1)])
    #expect(board.take(one) == [mark(6, 1)])
  }

  @Test func whoNoLongerFollowsHearsNothing() {
    let one = listen("one")
    board.follow(space(5), by: one)
    board.follow(space(5), by: one)
    board.unfollow(space(5), by: one)
    board.publish([mark(5, 1)])
    #expect(takeWakes() == ["one"])
    board.unfollow(space(5), by: one)
    #expect(board.take(one) == [] && !board.isFollowed)
    board.publish([mark(5, 2)])
    board.follow(space(8), by: one)
    board.end(one)
    board.publish([mark(8, 2)])
    #expect(takeWakes() == [] && board.followed == [])
    board.follow(space(9), by: one)
    #expect(!board.isFollowed)
  }

  @Test func theWriterPublishesWhatIsDurableBeforeItAnswers() throws {
    let store = MemoryStore()
    let one = listen("one")
    let harness = try WriterHarness(store, seed: 1, board: board)
    let id = try #require(try harness.reader.read { try $0.space(named: .default) }).id
    board.follow(id, by: one)
    let type = try #require(TypeName("note"))
    for revision in 1...5 as ClosedRange<UInt64> {
      let operation = OperationID(rawValue: Bytes16(high: 1, low: revision))
      let item = WriteItem(operation: operation, type: type, id: nil, action: .create(Fields()))
      guard case .outcomes(let outcomes)? = harness.submit([item]) else {
        Issue.record("no outcome")
        return
      }
      #expect(outcomes.map(\.code) == [.applied])
      #expect(takeWakes() == ["one"])
      #expect(board.take(one) == [mark(id.rawValue, revision)])
    }
    harness.writer.close()
  }
}
