import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkTestTraits
import TidemarkWire

@testable import TidemarkClient

/// Pull, Exchange and Watch against a real daemon.
@Suite(.serialized, .ownThreads) struct WatchTests {
  private let folder: TemporaryFolder
  private let daemon: DaemonProcess
  private let client: TidemarkClient
  private var space: SpaceClient { client.space(.default) }
  private let type: TypeName
  private let seats: FieldPath

  init() throws {
    folder = try TemporaryFolder()
    daemon = try DaemonProcess(folder: folder.path)
    client = TidemarkClient(ServerAddress(host: "127.0.0.1", port: daemon.port))
    type = try #require(TypeName("booking"))
    seats = try #require(FieldPath("seats"))
  }

  private func fields(_ number: Int64) throws -> Fields { try Fields([Field(seats, .int(number))]) }

  /// Makes 1 to 20 entities in one commit, now and then as one group.
  private func write(_ random: inout SeededGenerator) async throws {
    let count = Int.random(in: 1...20, using: &random)
    let group = Bool.random(using: &random) ? "g" : nil
    let items = try (0..<count).map { number in
      var item = WriteItem(
        operation: client.makeOperationID(), type: type, id: nil, action: .create(try fields(Int64(number % 3))))
      item.group = group
      return item
    }
    _ = try await space.bulk(items)
  }

  @Test func watcherSeesWhatIsThereAndThenEachCommitAsItComes() async throws {
    _ = try await space.create(type, EntityID("a"), try fields(1))
    var iterator = space.watch(.states).makeAsyncIterator()
    var seen: [String] = []
    var versions: [UInt64] = []
    var isCaughtUp = false
    while !isCaughtUp {
      let page = try #require(try await iterator.next())
      seen += page.items.map(\.entity.key.id.text)
      isCaughtUp = page.isCaughtUp
    }
    #expect(seen == ["a"])
    for number in 2...20 as ClosedRange<Int64> {
      let id = try #require(EntityID("a"))
      let patch = try Patch([Patch.Entry(seats, .set(.int(number)))])
      _ = try await space.update(type, id, patch, expected: Expected(version: EntityVersion(rawValue: UInt64(number - 1))))
      // Each commit is waited for, so each comes in a page of its own.
      let page = try #require(try await iterator.next())
      versions += page.items.map(\.entity.version.rawValue)
      #expect(page.isCaughtUp && page.position == page.revision)
    }
    #expect(versions == (2...20).map { $0 })
    let id = try #require(EntityID("a"))
    _ = try await space.delete(type, id, expected: Expected(version: EntityVersion(rawValue: 20)))
    let last = try #require(try await iterator.next())
    #expect(last.items.map(\.entity.life) == [.deleted] && last.items.allSatisfy { $0.entity.fields == .empty })
  }

  @Test func silentWatchTellsItsCursorAgainAndAgain() async throws {
    var iterator = space.watch(.changes, heartbeat: .milliseconds(1_000)).makeAsyncIterator()
    var cursors: Set<[UInt8]> = []
    for _ in 0..<4 {
      let page = try #require(try await iterator.next())
      #expect(page.items.isEmpty && page.isCaughtUp)
      cursors.insert(try #require(page.cursor))
    }
    #expect(cursors.count == 1)
  }

  @Test func watchersThatComeAndGoSeeEachChangeOnceWhileOthersWrite() async throws {
    var random = SeededGenerator(printing: "watchersThatComeAndGo")
    let filter = try FeedFilter([.init(type: type, equals: fields(1))])
    for round in 0..<3 {
      let recorders = (0..<4).map { _ in WatchRecorder() }
      let seed = random.next()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          var random = SeededGenerator(seed: seed)
          for _ in 0..<30 { try await write(&random) }
        }
        for (index, recorder) in recorders.enumerated() {
          group.addTask {
            // The first stays; the others are cut after a few pages, and the last is slow.
            for cut in 1...12 {
              try await recorder.watch(
                space, filter: index == 2 ? filter : .all, until: Revision(rawValue: .max),
                pagesMax: index == 0 ? 20 : cut % 4 + 1, isSlow: index == 3)
              if index == 0 { break }
            }
          }
        }
        try await group.waitForAll()
      }
      let end = try await space.describe().revision
      for (index, recorder) in recorders.enumerated() {
        let passed = index == 2 ? filter : .all
        try await recorder.watch(space, filter: passed, until: end)
        try await recorder.check(space, filter: passed, "round \(round) watcher \(index)")
      }
    }
  }

  @Test func watchGoesOnWhenTheDaemonWasKilledAndStartedAgain() async throws {
    var random = SeededGenerator(printing: "watchGoesOn")
    let recorder = WatchRecorder()
    for _ in 0..<5 { try await write(&random) }
    let store = try TemporaryFolder()
    var second = try DaemonProcess(folder: store.path)
    let port = second.port
    var options = ClientOptions()
    options.attemptsMax = 100
    let other = TidemarkClient(ServerAddress(host: "127.0.0.1", port: port), options: options)
    let space = other.space(.default)
    let watching = Task { try await recorder.watch(space, until: Revision(rawValue: 60)) }
    for number in 1...60 {
      _ = try await space.create(type, EntityID("e\(number)"), try fields(Int64(number)))
      if number % 20 == 0 {
        second.kill()
        second = try DaemonProcess(folder: store.path, port: port)
      }
    }
    try await watching.value
    try await recorder.check(space, "the watcher")
  }

  @Test func exchangeTellsOutcomesAndThenAPageWithWhatWasWritten() async throws {
    let first = try await space.pull()
    #expect(first.isCaughtUp && first.items.isEmpty)
    let items = try ["a", "b", "a"].map { id in
      WriteItem(operation: client.makeOperationID(), type: type, id: EntityID(id), action: .create(try fields(1)))
    }
    var pull = PullRequest(space: .default, cursor: first.cursor)
    let answer = try await space.exchange(items, pull: pull)
    #expect(answer.push.outcomes.map(\.code) == [.applied, .applied, .alreadyExists])
    let page = try #require(answer.pull)
    #expect(page.items.map(\.entity.key.id.text) == ["a", "b"] && page.isCaughtUp)
    // Again, as after a lost answer: the outcomes are those of then.
    let again = try await space.exchange(items, pull: pull)
    #expect(again.push.outcomes.map(\.code) == [.applied, .applied, .alreadyExists])
    #expect(again.push.outcomes.allSatisfy(\.isReplay) && again.pull == page)
    // A cursor of another feed is refused before anything is written.
    pull.kind = .changes
    let fresh = WriteItem(operation: client.makeOperationID(), type: type, id: EntityID("c"), action: .create(try fields(1)))
    let error = await #expect(throws: ClientError.self) { try await space.exchange([fresh], pull: pull) }
    #expect(error?.code == .invalidArgument && error?.violations.map(\.rule) == ["cursor"])
    #expect(try await space.describe().revision == Revision(rawValue: 2))
  }

  @Test func cursorOfAnotherFilterOrHistoryIsToldAndStartsOver() async throws {
    _ = try await space.create(type, EntityID("a"), try fields(1))
    let page = try await space.pull()
    let filter = try FeedFilter([.init(type: type)])
    let other = try await space.pull(filter: filter, after: page.cursor)
    #expect(other.cursorState == .filterChanged && other.items.isEmpty && other.cursor == nil && !other.isCaughtUp)
    var watched: [CursorState] = []
    for try await page in space.watch(.states, filter: filter, after: page.cursor) { watched.append(page.cursorState) }
    #expect(watched == [.filterChanged])
    // A space of the same name with another history.
    let name = try #require(SpaceName("other"))
    _ = try await client.createSpace(name)
    let old = try await client.space(name).pull()
    let revision = try await client.space(name).describe().revision
    _ = try await client.deleteSpace(name, expected: revision)
    _ = try await client.createSpace(name)
    #expect(try await client.space(name).pull(after: old.cursor).cursorState == .epochChanged)
    // A cursor of another space is none at all.
    let error = await #expect(throws: ClientError.self) { try await client.space(name).pull(after: page.cursor) }
    #expect(error?.code == .invalidArgument)
  }

  @Test func watchEndsWhenItsSpaceIsDeleted() async throws {
    // Often enough that the deletion meets a watch whose second read is under way.
    for _ in 0..<100 {
      let name = try #require(SpaceName("other"))
      _ = try await client.createSpace(name)
      var iterator = client.space(name).watch().makeAsyncIterator()
      #expect(try await iterator.next()?.isCaughtUp == true)
      _ = try await client.deleteSpace(name, expected: .zero)
      let error = await #expect(throws: ClientError.self) { _ = try await iterator.next() }
      #expect(error?.code == .notFound)
    }
  }
}
