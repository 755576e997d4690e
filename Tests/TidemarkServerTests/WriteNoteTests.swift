import Testing
import TidemarkCore
import TidemarkWire

@testable import TidemarkServer

/// What is counted and logged of writes.
@Suite struct WriteNoteTests {
  @Test func refusalsAreLoggedWithoutWhatTheFieldsHold() async throws {
    let world = try BulkWorld()
    let secret = "hunter-of-secrets"
    _ = try await world.bulk([world.create(1, "a", [("password", .string(secret))])])
    _ = try await world.bulk([
      world.create(2, "a", [("password", .string(secret))]), world.update(3, "a", [("password", .string(secret))], expected: 7),
    ])
    let lines = world.log.lines
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { !$0.contains(secret) && !$0.contains("password") })
    let conflict = try #require(lines.last)
    for part in ["outcome=conflict", "space=default", "type=booking", "id=a", "expected=7", "actual=1", "principal="] {
      #expect(conflict.contains(part), "\(part)")
    }
    world.service.close()
  }

  @Test func aFloodOfRefusalsIsCutShort() async throws {
    let world = try BulkWorld()
    _ = try await world.bulk([world.create(1, "a")])
    _ = try await world.bulk((0..<500).map { try world.create(UInt64(10 + $0), "a") })
    #expect(world.log.lines.count == ConflictLog.burstMax)
    world.service.close()
  }

  @Test func writesAreCountedByOutcomeAndRetriesApart() async throws {
    let world = try BulkWorld()
    let items = try [world.create(1, "a"), world.create(2, "b"), world.create(3, "a")]
    _ = try await world.bulk(items)
    let request = BulkWriteRequest(space: .default, items: items)
    let _: BulkWriteResponse = try await world.get(.bulkWrite, request, attempt: 2)
    _ = try await world.bulk([world.create(4, "c")], validatesOnly: true)
    let info: GetServerInfoResponse = try await world.get(.getServerInfo, GetServerInfoRequest())
    #expect(info.writes.map(\.outcome) == [.applied, .alreadyExists])
    #expect(info.writes.map(\.writes) == [2, 1])
    #expect(info.writes.map(\.retries) == [2, 1])
    world.service.close()
  }

  @Test func theNamesThatAreCountedApartAreBounded() throws {
    let counters = WriteCounters()
    let epoch = Epoch(rawValue: Bytes16(high: 0, low: 0))
    for number in 0..<(WriteCounters.labelsMax + 50) {
      let type = try #require(TypeName("t\(number)"))
      counters.add(
        [Outcome(code: .applied, type: type, id: nil, operation: BulkWorld.operation(1), epoch: epoch)], space: .default,
        isRetry: false)
    }
    let all = counters.all
    #expect(all.count == WriteCounters.labelsMax + 1)
    #expect(all.first { $0.space.text == "other" }?.writes == 50)
  }
}
