import NIOCore
import Testing
import TidemarkCore
import TidemarkWire

@testable import TidemarkClient

@Suite struct RetryTests {
  private let time = FakeTime()

  private func client(_ transport: ScriptedTransport) throws -> TidemarkClient {
    var options = ClientOptions()
    options.timing = time.timing()
    return TidemarkClient(
      try ServerAddress(parsing: "tidemark://h"), credentials: .bearer("t"), options: options, transport: transport)
  }

  private static let away = AttemptFailure.notExecuted(ClientError(.unavailable, "away"))
  private static let lost = AttemptFailure.unanswered(ClientError(.unavailable, "lost"))

  private func write(_ transport: ScriptedTransport) async throws -> Result<Outcome, ClientError> {
    let space = try client(transport).space(.default)
    let type = try #require(TypeName("booking"))
    let id = try #require(EntityID("1"))
    do {
      return .success(try await space.create(type, id, Fields()))
    } catch {
      return .failure(error)
    }
  }

  private func applied() throws -> ByteBuffer { try WriteResponse(outcome: outcome(.applied)).buffer() }

  private func outcome(_ code: OutcomeCode) throws -> Outcome {
    Outcome(
      code: code, type: try #require(TypeName("booking")), id: EntityID("1"),
      operation: OperationID(rawValue: Bytes16(high: 1, low: 2)), version: .first, revision: Revision(rawValue: 1),
      epoch: Epoch(rawValue: Bytes16(high: 3, low: 4)), message: code.isSuccess ? "" : "refused")
  }

  @Test func aLostReplyIsAskedForAgainWithTheSameOperationId() async throws {
    let transport = ScriptedTransport([.failure(Self.lost), .failure(Self.away), .success(try applied())])
    #expect(try await write(transport).get().code == .applied)
    #expect(transport.calls.map { $0.attempt } == [1, 2, 3])
    #expect(Set(transport.calls.map { $0.message }).count == 1)
    #expect(time.waits == [.milliseconds(50), .milliseconds(100)])
  }

  @Test func aConflictIsAnOutcomeAndIsNeverTriedAgain() async throws {
    let status = try #require(try RPCStatus(outcome(.conflict), using: MessageArena()))
    let transport = ScriptedTransport([.failure(.status(status))])
    #expect(try await write(transport).get().code == .conflict)
    #expect(transport.calls.count == 1)
  }

  @Test(arguments: OutcomeCode.allCases)
  func everyOutcomeIsAValue(_ code: OutcomeCode) async throws {
    let status = try RPCStatus(outcome(code), using: MessageArena())
    let transport = ScriptedTransport([
      try status.map { .failure(.status($0)) } ?? .success(WriteResponse(outcome: outcome(code)).buffer())
    ])
    #expect(try await write(transport).get().code == code)
  }

  @Test func aWriteWithoutAnAnswerHasAnUnknownOutcomeAndNamesItsId() async throws {
    let transport = ScriptedTransport([.failure(Self.lost)] + (0..<4).map { _ in .failure(Self.away) })
    let error = await #expect(throws: ClientError.self) { try await write(transport).get() }
    #expect(error?.code == .outcomeUnknown)
    #expect(error?.operation != nil)
    #expect(transport.calls.count == 5)
  }

  @Test func aWriteThatMayHaveBeenExecutedIsUnknownAlsoWhenTheCallerIsNoLongerLetIn() {
    for code in [StatusCode.unauthenticated, .permissionDenied] {
      var policy = RetryPolicy(safety: .idempotent, isWrite: true, attemptsMax: 5)
      _ = policy.decide(RetryTests.lost, attempt: 1)
      guard case .giveUp(let error) = policy.decide(.status(RPCStatus(code, "no")), attempt: 2) else {
        Issue.record("it is tried again")
        return
      }
      #expect(error.code == .outcomeUnknown)
      var fresh = RetryPolicy(safety: .idempotent, isWrite: true, attemptsMax: 5)
      #expect(fresh.decide(.status(RPCStatus(code, "no")), attempt: 1) == .giveUp(ClientError(RPCStatus(code, "no"))))
    }
  }

  @Test func aWriteThatWasSurelyNotExecutedIsNotUnknown() async throws {
    let transport = ScriptedTransport((0..<5).map { _ in .failure(Self.away) })
    await #expect(throws: ClientError(.unavailable, "away")) { try await write(transport).get() }
  }

  @Test func whatMayNotBeDoneTwiceIsTriedAgainOnlyWhenItWasNotExecuted() async throws {
    let space = SpaceName.default
    let lost = ScriptedTransport([.failure(Self.lost)])
    let error = await #expect(throws: ClientError.self) { try await client(lost).createSpace(space) }
    #expect(error?.code == .outcomeUnknown)
    #expect(lost.calls.count == 1)
    let away = ScriptedTransport([.failure(Self.away), .failure(Self.away)])
    await #expect(throws: ClientError.self) { try await client(away).createSpace(space) }
    #expect(away.calls.count == 3)
  }

  /// One line per status: whether a read is tried again.
  @Test(arguments: StatusCode.allCases.filter { $0 != .ok })
  func everyStatusIsClassified(_ code: StatusCode) async throws {
    let transport = ScriptedTransport([.failure(.status(RPCStatus(code, "x")))])
    let error = await #expect(throws: ClientError.self) { try await client(transport).listSpaces() }
    let isTriedAgain = code == .unavailable || code == .resourceExhausted
    #expect(transport.calls.count == (isTriedAgain ? 2 : 1))
    if !isTriedAgain { #expect(error?.code == ClientError(RPCStatus(code, "x")).code) }
  }

  @Test func theServersPauseIsKept() async throws {
    // google.rpc.RetryInfo { retry_delay { seconds: 2, nanos: 500000000 } }
    let info = RPCStatus.Detail(
      typeURL: "type.googleapis.com/google.rpc.RetryInfo", value: [0x0A, 0x08, 0x08, 2, 0x10, 0x80, 0xCA, 0xB5, 0xEE, 0x01])
    let status = RPCStatus(.resourceExhausted, "busy", details: [info])
    #expect(ClientError(status).retryAfter == .milliseconds(2_500))
    let spaces = try ListSpacesResponse(spaces: []).buffer()
    let transport = ScriptedTransport([.failure(.status(status)), .success(spaces)])
    _ = try await client(transport).listSpaces()
    #expect(time.waits == [.milliseconds(2_550)])
  }

  @Test func noAttemptBeginsBehindTheDeadline() async throws {
    let transport = ScriptedTransport((0..<9).map { _ in .failure(Self.away) })
    await #expect(throws: ClientError(.unavailable, "away")) {
      try await client(transport).listSpaces(deadline: .milliseconds(200))
    }
    #expect(time.waits.reduce(.zero, +) < .milliseconds(200))
  }

  @Test func violationsAreReadFromTheStatus() throws {
    let broken = Violation(field: FieldPath("a.b"), rule: "increment_kind", message: "No: really.")
    #expect(ClientError(RPCStatus(broken)).violations == [broken])
  }

  @Test func aListContinuesBehindTheLastIdWhenTheConnectionIsLost() async throws {
    let type = try #require(TypeName("booking"))
    let mark = Mark(at: Timestamp(rawValue: 0), by: try #require(PrincipalName("p")))
    let epoch = Epoch(rawValue: Bytes16(high: 3, low: 4))
    func page(_ ids: [String]) throws -> ByteBuffer {
      let entities = try ids.map { id in
        Entity(
          key: EntityKey(type: type, id: try #require(EntityID(id))), version: .first, revision: Revision(rawValue: 1),
          life: .alive,
          created: mark, updated: mark, fields: .empty)
      }
      return try ListResponse(entities: entities, revision: Revision(rawValue: 1), epoch: epoch).buffer()
    }
    let transport = ScriptedTransport(streams: [
      [.success(try page(["a", "b"])), .failure(Self.lost)], [.failure(Self.away)],
      [.success(try page([])), .success(try page(["c"]))],
    ])
    var ids: [String] = []
    for try await entity in try client(transport).space(.default).list(type, limit: 5) { ids.append(entity.key.id.text) }
    #expect(ids == ["a", "b", "c"])
    let requests = try transport.calls.map { call in
      try call.message.withUnsafeReadableBytes { try ListRequest.decode($0, using: MessageArena()) }
    }
    #expect(requests.map { $0.afterID?.text } == [nil, "b", "b"])
    #expect(requests.map { $0.limit } == [5, 3, 3])
  }
}
