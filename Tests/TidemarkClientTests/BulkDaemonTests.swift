import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkWire
import TidemarkTestTraits

@testable import TidemarkClient

/// Bulks against a real daemon.
@Suite(.serialized, .ownThreads) struct BulkDaemonTests {
  private func client(_ port: Int) -> TidemarkClient {
    var options = ClientOptions()
    options.deadline = .seconds(30)
    return TidemarkClient(ServerAddress(host: "127.0.0.1", port: port), options: options)
  }

  private func creates(_ count: Int, _ client: TidemarkClient) throws -> [WriteItem] {
    let (type, seats) = (try #require(TypeName("booking")), try #require(FieldPath("seats")))
    return (0..<count).map { number in
      var fields = Fields()
      fields.set(seats, .int(Int64(number)))
      return WriteItem(
        operation: client.makeOperationID(), type: type, id: EntityID("b-\(number)"), action: .create(fields))
    }
  }

  /// The client's side of it: the queue is longer, and larger, than what the server says that one request may be.
  @Test func trap15AQueueLongerThanTheAdvertisedLimitsIsSplitWithItsGroupsWhole() async throws {
    let folder = try TemporaryFolder()
    let daemon = try DaemonProcess(folder: folder.path)
    let client = client(daemon.port)
    let space = client.space(.default)
    var items = try creates(1_750, client)
    let note = try #require(FieldPath("note"))
    for place in items.indices {
      // Groups of seven, so that one lies across every boundary; the first are large, so that bytes are what cuts.
      items[place].group = "g\(place / 7)"
      guard case .create(var fields) = items[place].action else { continue }
      fields.set(note, .string(String(repeating: "x", count: place < 800 ? 6_000 : 10)))
      items[place].action = .create(fields)
    }
    // One item that cannot be: its group, and only that, is not there afterwards.
    _ = try await space.create(items[705].type, items[705].id, Fields())
    let done = Mutex<[Int]>([])
    let report = try await space.bulk(items) { progress in done.withLock { $0.append(progress.done) } }
    let steps = done.withLock { $0 }
    #expect(steps == [686, 1_680, 1_750], "a multiple of seven below 4 MiB, one below 1000 items, and the rest")
    let failed = items.indices.filter { report.fates[$0].outcome?.code != .applied }
    #expect(failed == Array(700..<707))
    #expect(report.fates[705].outcome?.code == .alreadyExists)
    let revisions = report.fates.filter { $0.outcome?.code == .applied }.compactMap { $0.outcome?.revision?.rawValue }
    #expect(revisions == (2..<2 + UInt64(items.count - 7)).map { $0 })
  }

  @Test func moreThanARequestHoldsIsWrittenInOrderAndFailuresAreRepaired() async throws {
    let folder = try TemporaryFolder()
    let daemon = try DaemonProcess(folder: folder.path)
    let client = client(daemon.port)
    let space = client.space(.default)
    let items = try creates(2_300, client)
    let seen = Mutex<[BulkProgress]>([])
    let report = try await space.bulk(items) { progress in seen.withLock { $0.append(progress) } }
    #expect(report.isComplete)
    #expect(seen.withLock { $0.map(\.done) } == [1_000, 2_000, 2_300])
    #expect(report.fates.map { $0.outcome?.revision?.rawValue } == (1...2_300).map { UInt64($0) })
    // The same again is answered by receipts.
    let again = try await space.bulk(items)
    #expect(again.fates.allSatisfy { $0.outcome?.isReplay == true })
    #expect(try await space.describe().revision == Revision(rawValue: 2_300))

    // One of three was changed by somebody else.
    let seats = try #require(FieldPath("seats"))
    let type = items[0].type
    let patch = try Patch([Patch.Entry(seats, .set(.int(-1)))])
    _ = try await space.update(type, try #require(items[1].id), patch, expected: Expected(version: .first))
    let updates = items[0..<3].map { item in
      WriteItem(
        operation: client.makeOperationID(), type: type, id: item.id, action: .update(patch, Expected(version: .first)))
    }
    let half = try await space.bulk(updates)
    #expect(half.fates.map { $0.outcome?.code } == [.applied, .conflict, .applied])
    #expect(half.undecided == [1])
    let other = try Patch([Patch.Entry(seats, .set(.int(-2)))])
    let repaired = try await space.retryFailed(half) { item, outcome in
      guard let current = outcome.conflict?.current else { return nil }
      var item = item
      item.action = .update(other, Expected(version: current.version, revision: current.revision, epoch: outcome.epoch))
      return item
    }
    #expect(repaired.isComplete)
    #expect(repaired.fates[1].outcome?.version == EntityVersion(rawValue: 3))

    let known = try await space.getOutcomes(updates.map(\.operation) + [client.makeOperationID()])
    #expect(known?.results.map { $0.outcome?.code } == [.applied, .conflict, .applied, nil])
    let undone = try await space.undo([updates[0].operation, updates[2].operation])
    #expect(undone.fates.map { $0.outcome?.code } == [.applied, .applied])
    let back = try await space.get(type, try #require(items[2].id))
    #expect(try back?.entity.fields.decoded()[seats] == .int(2))
    client.close()
    #expect(daemon.terminate() == 0)
  }

  @Test func groupsAndReferencesHoldOverRequests() async throws {
    let folder = try TemporaryFolder()
    let daemon = try DaemonProcess(folder: folder.path)
    let client = client(daemon.port)
    let space = client.space(.default)
    var items = try creates(1_001, client)
    // 998 to 1000 belong together, so the first request ends before them.
    for index in 998...1_000 { items[index].group = "g" }
    items[1_000].references = [ItemReference(field: try #require(FieldPath("of")), item: 999)]
    items[999].id = nil
    let report = try await space.bulk(items)
    #expect(report.isComplete)
    let made = try #require(report.fates[999].outcome?.id)
    let last = try await space.get(items[1_000].type, try #require(items[1_000].id))
    #expect(try last?.entity.fields.decoded()[try #require(FieldPath("of"))] == .string(made.text))

    // A group of which one exists already is not applied, and says why.
    var more = try creates(3, client)
    more[0].id = EntityID("fresh")
    for index in more.indices { more[index].group = "g" }
    let refused = try await space.bulk(more)
    #expect(refused.fates.map { $0.outcome?.code } == [.aborted, .alreadyExists, .alreadyExists])
    #expect(refused.fates[0].outcome?.cause == 1)
    #expect(refused.retryClass(at: 0) == .needsDecision)
    #expect(try await space.get(more[0].type, try #require(more[0].id)) == nil)
    client.close()
    #expect(daemon.terminate() == 0)
  }

  /// The daemon is killed while a bulk runs, and comes back: in the end everything is there once.
  @Test func aDaemonThatDiesInTheMiddleLosesNothingAndDoublesNothing() async throws {
    let folder = try TemporaryFolder()
    let first = try DaemonProcess(folder: folder.path)
    let port = first.port
    var options = ClientOptions()
    options.attemptsMax = 1
    let impatient = TidemarkClient(ServerAddress(host: "127.0.0.1", port: port), options: options)
    let items = try creates(5_000, impatient)
    let killer = Killer(first)
    let report = try await impatient.space(.default).bulk(items) { _ in killer.strike() }
    #expect(report.doneCount == 1_000)
    #expect(report.fates[1_000..<2_000].allSatisfy { $0.outcome == nil })
    #expect(report.fates[4_999].retryClass == .retryNow)
    impatient.close()

    let second = try DaemonProcess(folder: folder.path, port: port)
    let client = client(second.port)
    let space = client.space(.default)
    let again = try await space.retryFailed(report) { _, _ in nil }
    #expect(again.isComplete)
    #expect(try await space.describe().revision == Revision(rawValue: 5_000))
    #expect(again.fates.allSatisfy { $0.outcome?.version == .first })
    client.close()
    #expect(second.terminate() == 0)
  }

  @Test func aChangeIsRepeatedUntilNobodyElseIsFaster() async throws {
    let folder = try TemporaryFolder()
    let daemon = try DaemonProcess(folder: folder.path)
    let client = client(daemon.port)
    let space = client.space(.default)
    let (type, id, seats) = (
      try #require(TypeName("booking")), try #require(EntityID("1")), try #require(FieldPath("seats"))
    )
    var fields = Fields()
    fields.set(seats, .int(0))
    _ = try await space.create(type, id, fields)
    let retry = RetryOnConflict(attempts: 200, delay: .milliseconds(5), factor: 1.2)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try await space.modify(type, id, retry: retry) { fields in
            guard case .int(let count)? = fields[seats] else { return }
            fields.set(seats, .int(count + 1))
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await space.get(type, id)?.entity.fields.decoded()[seats] == .int(8))
    client.close()
    #expect(daemon.terminate() == 0)
  }

  @Test func valuesOfTheProgramAreReadChangedAndWritten() async throws {
    struct Booking: Codable, Equatable {
      var room: String
      var seats: Int
    }
    let folder = try TemporaryFolder()
    let daemon = try DaemonProcess(folder: folder.path)
    let client = client(daemon.port)
    let space = client.space(.default)
    let (type, id) = (try #require(TypeName("booking")), try #require(EntityID("1")))
    _ = try await space.create(type, id, from: ["room": "A", "seats": "two"])
    await #expect(throws: FieldsCodingError.self) { try await space.get(type, id, as: Booking.self) }
    let other = try #require(EntityID("2"))
    _ = try await space.create(type, other, from: Booking(room: "A", seats: 2))
    let seen = try #require(try await space.get(type, other, as: Booking.self))
    var booking = seen.value
    booking.seats = 3
    #expect(try await space.update(seen, to: booking)?.code == .applied)
    #expect(try await space.update(seen, to: seen.value) == nil)
    #expect(try await space.update(seen, to: Booking(room: "B", seats: 2))?.code == .conflict)
    #expect(try await space.get(type, other, as: Booking.self)?.value == booking)
    client.close()
    #expect(daemon.terminate() == 0)
  }

  @Test func aSchemaIsAppliedAndRead() async throws {
    let folder = try TemporaryFolder()
    let daemon = try DaemonProcess(folder: folder.path)
    let client = client(daemon.port)
    let space = client.space(.default)
    #expect(try await space.getSchema() == nil)
    let schema = Schema(types: [TypeSchema(name: try #require(TypeName("booking")), allowsOtherFields: true)])
    #expect(try await space.applySchema(schema, expectedVersion: 0, validatesOnly: true).isApplied == false)
    let answer = try await space.applySchema(schema, expectedVersion: 0)
    #expect(answer.isApplied)
    #expect(try await space.getSchema()?.schema == schema)
    client.close()
    #expect(daemon.terminate() == 0)
  }
}

/// Kills a daemon once.
///
/// `@unchecked Sendable`: `lock` protects `daemon`.
private final class Killer: @unchecked Sendable {
  private let lock = Mutex(())
  private var daemon: DaemonProcess?

  init(_ daemon: DaemonProcess) { self.daemon = daemon }

  func strike() {
    lock.withLock { _ in
      daemon?.kill()
      daemon = nil
    }
  }
}
