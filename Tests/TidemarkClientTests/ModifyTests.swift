import NIOCore
import Testing
import TidemarkCore
import TidemarkTesting
import TidemarkWire

@testable import TidemarkClient

/// Read, change, write, over a server that answers as the test says.
@Suite struct ModifyTests {
  private let time = FakeTime()
  private let epoch = Epoch(rawValue: Bytes16(high: 3, low: 4))

  private func space(_ transport: ScriptedTransport) throws -> SpaceClient {
    var options = ClientOptions()
    options.timing = time.timing()
    // Half of each wait, and enough chance for ids that differ.
    options.timing.random = { 1 << 63 | .random(in: 0..<1 << 11) }
    return TidemarkClient(
      try ServerAddress(parsing: "tidemark://h"), credentials: .none, options: options, transport: transport
    ).space(.default)
  }

  private func read(version: UInt64, seats: Int64) throws -> Result<ByteBuffer, AttemptFailure> {
    var fields = Fields()
    fields.set(try #require(FieldPath("seats")), .int(seats))
    let mark = Mark(at: Timestamp(rawValue: 0), by: try #require(PrincipalName("p")))
    let key = EntityKey(type: try #require(TypeName("booking")), id: try #require(EntityID("1")))
    let entity = Entity(
      key: key, version: EntityVersion(rawValue: version), revision: Revision(rawValue: version), life: .alive, created: mark,
      updated: mark, fields: CanonicalFields(fields))
    return .success(try GetResponse(entity: entity, epoch: epoch).buffer())
  }

  private func written(_ code: OutcomeCode) throws -> Result<ByteBuffer, AttemptFailure> {
    let outcome = Outcome(
      code: code, type: try #require(TypeName("booking")), id: EntityID("1"),
      operation: OperationID(rawValue: Bytes16(high: 1, low: 2)), version: .first, revision: Revision(rawValue: 1), epoch: epoch,
      message: code.isSuccess ? "" : "refused")
    if let status = try RPCStatus(outcome, using: MessageArena()) { return .failure(.status(status)) }
    return .success(try WriteResponse(outcome: outcome).buffer())
  }

  private func book(_ transport: ScriptedTransport, retry: RetryOnConflict? = nil) async throws -> Outcome? {
    let (type, id, seats) = (
      try #require(TypeName("booking")), try #require(EntityID("1")), try #require(FieldPath("seats"))
    )
    return try await space(transport).modify(type, id, retry: retry) { fields in
      guard case .int(let count)? = fields[seats] else { return }
      fields.set(seats, .int(count + 1))
    }
  }

  private func writes(_ transport: ScriptedTransport) throws -> [WriteItem] {
    try transport.calls.filter { $0.method == .update }.map { call in
      try call.message.withUnsafeReadableBytes {
        try WriteRequest.decode($0, kind: .update, using: MessageArena()) { OperationID(rawValue: Bytes16(high: 0, low: 0)) }.item
      }
    }
  }

  @Test func aChangeIsWrittenAgainstWhatWasRead() async throws {
    let transport = ScriptedTransport([try read(version: 4, seats: 2), try written(.applied)])
    #expect(try await book(transport)?.code == .applied)
    let expected = Expected(version: EntityVersion(rawValue: 4), revision: Revision(rawValue: 4), epoch: epoch)
    #expect(try writes(transport).first?.action.expected == expected)
  }

  @Test func aConflictIsThrownUnlessARetryIsAskedFor() async throws {
    let transport = ScriptedTransport([try read(version: 4, seats: 2), try written(.conflict)])
    let error = await #expect(throws: RefusedWrite.self) { try await book(transport) }
    #expect(error?.outcome.code == .conflict)
    #expect(transport.calls.count == 2)
  }

  @Test func aRetryReadsAgainAndIsANewOperation() async throws {
    let transport = ScriptedTransport([
      try read(version: 4, seats: 2), try written(.conflict), try read(version: 5, seats: 7), try written(.applied),
    ])
    #expect(try await book(transport, retry: RetryOnConflict())?.code == .applied)
    let writes = try writes(transport)
    #expect(Set(writes.map(\.operation)).count == 2)
    #expect(writes.last?.action.expected?.version == EntityVersion(rawValue: 5))
    #expect(transport.calls.filter { $0.method == .update }.map(\.attempt) == [1, 2])
    #expect(time.waits == [.milliseconds(50)])
  }

  @Test func theConflictIsThrownWhenTheAttemptsAreUsedUp() async throws {
    let round = [try read(version: 4, seats: 2), try written(.conflict)]
    let transport = ScriptedTransport(round + round + round + round)
    let error = await #expect(throws: RefusedWrite.self) { try await book(transport, retry: RetryOnConflict()) }
    #expect(error?.attempts == 3)
    #expect(time.waits == [.milliseconds(50), .milliseconds(100)])
  }

  @Test func whatIsNoConflictIsNeverRepeated() async throws {
    let transport = ScriptedTransport([try read(version: 4, seats: 2), try written(.invalid)])
    let error = await #expect(throws: RefusedWrite.self) { try await book(transport, retry: RetryOnConflict()) }
    #expect(error?.outcome.code == .invalid)
  }

  @Test func aChangeOfNothingWritesNothing() async throws {
    let transport = ScriptedTransport([try read(version: 4, seats: 2)])
    let (type, id) = (try #require(TypeName("booking")), try #require(EntityID("1")))
    #expect(try await space(transport).modify(type, id) { _ in } == nil)
    #expect(transport.calls.count == 1)
  }

  @Test func waitsGrowAndKeepTheirChance() {
    let retry = RetryOnConflict(attempts: 9, delay: .milliseconds(100), factor: 2, jitter: 0.5)
    #expect(retry.wait(afterConflicts: 1, random: 0) == .milliseconds(50))
    #expect(retry.wait(afterConflicts: 3, random: 0) == .milliseconds(200))
    #expect(retry.wait(afterConflicts: 3, random: .max) > .milliseconds(399))
    #expect(retry.wait(afterConflicts: .max, random: .max) <= .seconds(60))
  }

  /// The changes lead from one state to the other, and say nothing of what stays.
  @Test func changesAreEnoughAndNotMore() throws {
    var random = SeededGenerator(printing: "changes of fields")
    for _ in 0..<500 {
      let (old, new) = (try fields(&random), try fields(&random))
      let entries = old.changes(to: new)
      if entries.isEmpty {
        #expect(old == new)
        continue
      }
      #expect(try Patch(entries).applied(to: old) == new)
      for entry in entries {
        if case .set(let value) = entry.operation { #expect(old[entry.name] != value) } else { #expect(new[entry.name] == nil) }
      }
    }
  }

  private func fields(_ random: inout SeededGenerator) throws -> Fields {
    var fields = Fields()
    for _ in 0..<Int.random(in: 0...6, using: &random) {
      let name = ["a", "a.b", "a.b.c", "a.d", "e", "e.f"].randomElement(using: &random) ?? "a"
      fields.set(try #require(FieldPath(name)), .int(Int64.random(in: 0...2, using: &random)))
    }
    return fields
  }
}
