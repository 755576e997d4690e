import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkTestTraits
import TidemarkTesting
import TidemarkWire

@testable import TidemarkClient

/// A client of two daemons on one PostgreSQL database, of which one dies.
@Suite(.serialized, .ownThreads, .enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence)))
struct FailoverTests {
  private func start() throws -> (store: String, daemons: [DaemonProcess]) {
    let store = try #require(PostgresServer.shared).makeSchema()
    return (store, try (0..<2).map { _ in try DaemonProcess(store: store) })
  }

  private func address(_ daemons: [DaemonProcess]) -> ServerAddress {
    ServerAddress(
      host: "127.0.0.1", port: daemons[0].port,
      others: daemons.dropFirst().map { ServerEndpoint(host: "127.0.0.1", port: $0.port) })
  }

  private func options() -> ClientOptions {
    var options = ClientOptions()
    options.deadline = .seconds(60)
    return options
  }

  @Test func everyCallSucceedsAndIsAppliedOnceWhenANodeIsKilledUnderLoadAndReturns() async throws {
    let (store, daemons) = try start()
    let client = TidemarkClient(address(daemons), options: options())
    let space = client.space(.default)
    let type = try #require(TypeName("note"))
    let number = try #require(FieldPath("n"))
    let (workers, writes) = (16, 40)
    let done = Count()
    let (third, twoThirds) = (Waiting<Bool>(), Waiting<Bool>())
    let killed = Waiting<Result<DaemonProcess, any Error>>()
    Thread { [first = daemons[0], second = daemons[1]] in
      _ = third.take()
      first.kill()
      _ = twoThirds.take()
      killed.put(
        Result {
          let again = try DaemonProcess(store: store, port: first.port)
          second.kill()
          return again
        })
    }.start()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<workers {
        group.addTask {
          let id = try #require(EntityID("worker-\(worker)"))
          var seen = try await space.create(type, id, try Fields([Field(number, .int(0))])).version
          for _ in 0..<writes {
            let patch = try Patch([.init(number, .incrementInt(1))])
            let outcome = try await space.update(type, id, patch, expected: Expected(version: try #require(seen)))
            #expect(outcome.code == .applied)
            seen = outcome.version
            // What was written is read, whichever node answers.
            #expect(try await space.get(type, id)?.entity.version == seen)
            let count = done.increment()
            if count == workers * writes / 3 { third.put(true) }
            if count == workers * writes * 2 / 3 { twoThirds.put(true) }
          }
        }
      }
      try await group.waitForAll()
    }
    let again = try killed.take().get()
    // The one that returned serves alone.
    for worker in 0..<workers {
      let id = try #require(EntityID("worker-\(worker)"))
      let entity = try #require(try await space.get(type, id)).entity
      #expect(entity.version.rawValue == UInt64(writes + 1))
      #expect(try entity.fields.decoded()[number] == .int(Int64(writes)))
    }
    // Every write was applied once.
    #expect(try await space.describe().revision.rawValue == UInt64(workers * (writes + 1)))
    client.close()
    #expect(again.terminate() == 0)
  }

  @Test func aBulkAndAListGoOnWhenTheirNodeIsKilled() async throws {
    let (_, daemons) = try start()
    let client = TidemarkClient(address(daemons), options: options())
    let space = client.space(.default)
    let type = try #require(TypeName("note"))
    let items = (0..<5_000).map { number in
      WriteItem(
        operation: client.makeOperationID(), type: type, id: EntityID("n\(10_000 + number)"), action: .create(Fields()))
    }
    let report = try await space.bulk(items)
    #expect(report.isComplete)
    var ids: [EntityID] = []
    for try await entity in space.list(type) {
      ids.append(entity.key.id)
      // Whoever serves the list: it goes on with the other.
      if ids.count == 700 { daemons[0].kill() }
      if ids.count == 2_000 { _ = try await space.describe() }
    }
    #expect(ids == items.compactMap(\.id))
    // Sent again to the node that is left: each is told, none is applied again.
    let again = try await space.bulk(items)
    #expect(again.isComplete)
    #expect(try await space.describe().revision.rawValue == 5_000)
    var checked: UInt64 = 0
    for try await progress in space.verify() { checked = progress.changesChecked }
    #expect(checked == 5_000)
    client.close()
  }

  private final class Count: Sendable {
    private let count = Atomic<Int>(0)
    func increment() -> Int { count.add(1, ordering: .relaxed).newValue }
  }

  @Test func aNodeThatDrainsIsLeftAndNoCallFails() async throws {
    let (store, daemons) = try start()
    let client = TidemarkClient(address(daemons), options: options())
    let space = client.space(.default)
    let type = try #require(TypeName("note"))
    let (number, count) = (try #require(FieldPath("n")), 300)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<8 {
        group.addTask {
          for place in 0..<count {
            let id = try #require(EntityID("w\(worker)-\(place)"))
            #expect(try await space.create(type, id, try Fields([Field(number, .int(1))])).code == .applied)
            if worker == 0, place == count / 2 { daemons[1].signal(SIGTERM) }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(daemons[1].waitForExit() == 0)
    #expect(try await space.describe().revision.rawValue == UInt64(8 * count))
    client.close()
    _ = store
  }
}
