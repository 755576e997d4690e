import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkWire

@Suite struct RoundTripTests {
  let arena = MessageArena()

  private func check<M: EncodableMessage & DecodableMessage & Equatable>(_ message: M) throws {
    let bytes = try message.encode(using: arena)
    #expect(try M.decode(bytes, using: arena) == message)
  }

  @Test func everyMessageComesBackAsItWasSent() throws {
    var random = RandomValues(seed: freshSeed("everyMessageComesBackAsItWasSent"))
    for _ in 0..<300 {
      try check(GetRequest(space: random.space(), key: random.key(), includeDeleted: random.flag()))
      try check(GetResponse(entity: random.entity(), epoch: random.epoch()))
      try check(
        BatchGetRequest(space: random.space(), keys: random.many(1...5) { $0.key() }, includeDeleted: random.flag()))
      try check(
        BatchGetResponse(
          results: random.many(0...4) { random in
            .init(key: random.key(), entity: random.maybe { $0.entity() }, isTruncated: random.flag())
          }, revision: random.revision(), epoch: random.epoch()))
      try check(
        ListRequest(
          space: random.space(), type: random.type(), afterID: random.maybe { $0.id() },
          limit: random.maybe { $0.number(1...Int.max) }, deleted: random.pick(ListRequest.Deleted.allCases)))
      try check(ListResponse(entities: random.many(0...4) { $0.entity() }, revision: random.revision(), epoch: random.epoch()))
      try check(WriteResponse(outcome: random.outcome()))
      try check(random.outcome())
      try checkAdministration(&random)
      try checkBulks(&random)
      try checkSchemas(&random)
      try checkFeeds(&random)
    }
  }

  private func checkFeeds(_ random: inout RandomValues) throws {
    let types = Set(random.many(0...3) { $0.type() })
    let space = random.space()
    let pull = PullRequest(
      space: space, kind: random.pick(FeedKind.allCases),
      filter: try FeedFilter(types.map { .init(type: $0, equals: try Fields(Array(random.fields().sorted.prefix(16)))) }),
      cursor: random.maybe { random in random.bytes(100) + [1] }, start: random.pick(FeedStart.allCases),
      itemsMax: random.maybe { $0.number(1...Limits.itemsPerPageMax) },
      bytesMax: random.maybe { $0.number(1_024...Limits.bytesPerPageMax) })
    try check(pull)
    try check(WatchRequest(pull: pull, heartbeatMS: random.number(1_000...600_000)))
    try check(ExchangeRequest(push: BulkWriteRequest(space: space, items: random.items()), pull: pull))
    let page = PullResponse(
      cursorState: random.pick(CursorState.allCases),
      items: random.many(0...3) { random in
        FeedItem(
          entity: random.entity(), hasLeft: random.flag(), isTruncated: random.flag(),
          story: random.maybe { random in
            FeedItem.Story(
              kind: random.pick(ChangeKind.allCases), manner: random.pick(ChangeManner.allCases),
              operation: random.operation(), editedAt: random.maybe { $0.editedAt() }, goesOn: random.flag(),
              previous: random.revision())
          })
      }, cursor: random.maybe { random in random.bytes(100) + [1] }, isCaughtUp: random.flag(), revision: random.revision(),
      epoch: random.epoch(), position: random.revision(), isWalk: random.flag())
    try check(page)
    let push = BulkWriteResponse(
      outcomes: random.many(0...2) { $0.outcome() }, revision: random.revision(), epoch: random.epoch())
    try check(ExchangeResponse(push: push, pull: random.maybe { _ in page }))
  }

  private func checkSchemas(_ random: inout RandomValues) throws {
    let numbers = (0..<3).map { _ in UInt64(random.number(0...Int.max)) }
    try check(
      ApplySchemaRequest(
        space: random.space(), schema: random.schema(), expectedVersion: numbers[0], validatesOnly: random.flag(),
        allowsBreaking: random.flag()))
    try check(GetSchemaRequest(space: random.space(), version: numbers[0]))
    try check(
      RollbackSchemaRequest(
        space: random.space(), toVersion: numbers[0], expectedVersion: numbers[1], validatesOnly: random.flag()))
    try check(
      GetSchemaResponse(
        schema: random.maybe {
          SchemaVersion(version: numbers[0], schema: $0.schema(), applied: $0.mark(), hash: $0.bytes(8))
        }))
    let answer = ApplySchemaResponse(
      isApplied: random.flag(), version: numbers[0],
      changes: SchemaDiff(from: random.maybe { $0.schema() }, to: random.schema()).changes,
      offenders: random.many(0...3) { random in
        .init(
          key: random.key(), version: random.version(),
          violations: random.many(0...2) { Violation(field: $0.maybe { $0.path() }, rule: $0.word(), message: $0.text()) })
      }, checkedEntities: numbers[1], offendingEntities: numbers[2],
      problems: random.many(0...2) { Violation(field: $0.maybe { $0.path() }, rule: $0.word(), message: $0.text()) },
      message: random.text())
    try check(answer)
    try check(RollbackSchemaResponse(result: answer))
  }

  private func checkBulks(_ random: inout RandomValues) throws {
    try check(
      BulkWriteRequest(
        space: random.space(), items: random.items(), mode: random.pick([.partial, .atomic]), validatesOnly: random.flag(),
        returnsEntities: random.flag(), knownRevision: random.maybe { $0.revision() }))
    let outcomes = random.many(0...4) { $0.outcome() }
    try check(BulkWriteResponse(outcomes: outcomes, revision: random.revision(), epoch: random.epoch()))
    try check(UndoWritesResponse(outcomes: outcomes, revision: random.revision(), epoch: random.epoch()))
    try check(GetOutcomesRequest(space: random.space(), operations: random.many(1...5) { $0.operation() }))
    try check(
      GetOutcomesResponse(
        results: random.many(0...4) { random in
          .init(operation: random.operation(), outcome: random.maybe { $0.outcome() })
        }, revision: random.revision(), receiptFloor: random.revision(), epoch: random.epoch()))
    try check(
      UndoWritesRequest(
        space: random.space(),
        items: random.many(1...5) { .init(operation: $0.operation(), undoOperation: $0.operation()) },
        onConflict: random.pick([.fail, .merge]), mode: random.pick([.partial, .atomic]), validatesOnly: random.flag()))
  }

  private func checkAdministration(_ random: inout RandomValues) throws {
    func space(_ random: inout RandomValues) -> SpaceDescription {
      SpaceDescription(
        name: random.space(), revision: random.revision(), epoch: random.epoch(), createdAt: random.timestamp(),
        aliveEntities: random.random.next())
    }
    func token(_ random: inout RandomValues) -> TokenDescription {
      TokenDescription(id: random.word(), principal: random.principalWithGrants(), createdAt: random.timestamp())
    }
    try check(SpaceRequest(name: random.space()))
    try check(SpaceResponse(space: space(&random)))
    try check(ListSpacesRequest())
    try check(ListSpacesResponse(spaces: random.many(0...4) { space(&$0) }))
    try check(DeleteSpaceRequest(name: random.space(), expectedRevision: random.revision()))
    try check(DeleteSpaceResponse(revision: random.revision()))
    try check(
      VerifySpaceResponse(
        changesChecked: random.random.next(), changesTotal: random.random.next(), isDone: random.flag(),
        faults: random.many(0...3) { .init(revision: $0.revision(), key: $0.maybe { $0.key() }, fault: $0.word()) }))
    try check(CreateTokenRequest(principal: random.principalWithGrants()))
    try check(CreateTokenResponse(token: token(&random), secret: random.text()))
    try check(ListTokensRequest())
    try check(ListTokensResponse(tokens: random.many(0...3) { token(&$0) }))
    try check(RevokeTokenRequest(id: random.word()))
    try check(RevokeTokenResponse())
    try check(GetServerInfoRequest())
    var info = GetServerInfoResponse(
      version: random.text(), serverTime: random.timestamp(), uptimeMicroseconds: random.random.next(),
      principal: random.principal(), isDevelopment: random.flag(), isAdmin: random.flag())
    info.writes = random.many(0...3) { random in
      WriteCount(
        space: random.space(), type: random.type(), outcome: random.pick(OutcomeCode.allCases),
        writes: random.random.next(), retries: random.random.next())
    }
    info.node = random.text()
    info.connections = random.maybe { random in
      var connections = StoreConnections()
      connections.sizeMax = UInt32(truncatingIfNeeded: random.random.next())
      connections.overflowMax = UInt32(truncatingIfNeeded: random.random.next())
      connections.idle = UInt32(truncatingIfNeeded: random.random.next())
      connections.inUse = UInt32(truncatingIfNeeded: random.random.next())
      connections.waiting = UInt32(truncatingIfNeeded: random.random.next())
      for number in [
        \StoreConnections.leases, \.waits, \.waitedMicroseconds, \.timeouts, \.opened, \.openFailures, \.closedRecycled,
        \.closedBroken, \.closedOverflow, \.checksFailed,
      ] { connections[keyPath: number] = random.random.next() }
      return connections
    }
    try check(info)
    var echo = Echo()
    echo.type = random.text()
    echo.version = random.random.next()
    echo.createdAtMicroseconds = random.int64()
    echo.deletedBy = random.text()
    echo.fields = random.fields()
    try check(echo)
  }

  @Test func everyWriteComesBackAsItWasSent() throws {
    var random = RandomValues(seed: freshSeed("everyWriteComesBackAsItWasSent"))
    var kinds: Set<WriteRequest.Kind> = []
    for _ in 0..<1_000 {
      let request = WriteRequest(space: random.space(), item: random.item(), returnEntity: random.flag())
      kinds.insert(request.kind)
      let bytes = try request.encode(using: arena)
      let decoded = try withBytes(bytes) { (raw) throws(WireError) in
        try WriteRequest.decode(raw, kind: request.kind, using: arena) { OperationID(rawValue: Bytes16(high: 0, low: 0)) }
      }
      #expect(decoded == request)
    }
    #expect(kinds.count == WriteRequest.Kind.allCases.count)
  }

  @Test func connectionMessagesComeBackAsTheyWereSent() throws {
    var random = RandomValues(seed: freshSeed("connectionMessagesComeBackAsTheyWereSent"))
    for _ in 0..<500 {
      let hello = random.hello()
      #expect(try withBytes(hello.encode()) { (raw) throws(WireError) in try Hello.decode(raw) } == hello)
      let meta = random.callMeta()
      #expect(try withBytes(meta.encode()) { (raw) throws(WireError) in try CallMeta.decode(raw) } == meta)
      let goAway = random.goAway()
      #expect(try withBytes(goAway.encode()) { (raw) throws(WireError) in try GoAway.decode(raw) } == goAway)
      let status = random.status()
      #expect(try withBytes(status.encode()) { (raw) throws(WireError) in try RPCStatus.decode(raw) } == status)
    }
  }

  @Test func aStatusCarriesTheOutcomeOfAFailedWrite() throws {
    var random = RandomValues(seed: freshSeed("aStatusCarriesTheOutcomeOfAFailedWrite"))
    for code in OutcomeCode.allCases {
      var outcome = random.outcome()
      outcome.code = code
      let status = try RPCStatus(outcome, using: arena)
      #expect((status == nil) == code.isSuccess)
      #expect((code.statusCode == .ok) == code.isSuccess)
      guard let status else { continue }
      let received = try withBytes(status.encode()) { (raw) throws(WireError) in try RPCStatus.decode(raw) }
      #expect(received == status)
      #expect(try received.outcome(using: arena) == outcome)
    }
  }
}

extension RandomValues {
  mutating func hello() -> Hello {
    var hello = Hello()
    hello.minorMin = UInt32(number(0...300))
    hello.minorMax = UInt32.random(in: 0 ... .max, using: &random)
    hello.frameBytesMax = UInt32(number(0...100_000))
    hello.messageBytesMax = UInt32(number(0...100_000))
    hello.callsInFlightMax = UInt32(number(0...100))
    hello.streamCreditBytes = UInt32(number(0...100_000))
    hello.connectionCreditBytes = UInt32(number(0...100_000))
    hello.compressions = many(0...3) { $0.text() }
    hello.name = text()
    hello.bulkItemsMax = UInt32(number(0...1_000))
    hello.receiptRetentionSeconds = random.next()
    hello.idleTimeoutMilliseconds = UInt32(number(0...1_000))
    hello.schemaHash = bytes(32)
    return hello
  }
  mutating func callMeta() -> CallMeta {
    var meta = CallMeta()
    meta.timeoutMicroseconds = pick([0, 1, 300, random.next()])
    meta.authorization = text()
    meta.attempt = UInt32(number(0...3))
    meta.method = text()
    meta.entries = many(0...5) { .init(key: $0.word(1...64), value: $0.bytes()) }
    return meta
  }
  mutating func goAway() -> GoAway {
    var goAway = GoAway()
    goAway.lastStream = UInt32.random(in: 0 ... .max, using: &random)
    goAway.debug = text()
    goAway.retryAfterMilliseconds = UInt32(number(0...5_000))
    goAway.minorMin = UInt32(number(0...3))
    goAway.minorMax = UInt32(number(0...3))
    return goAway
  }
  mutating func status() -> RPCStatus {
    RPCStatus(pick(StatusCode.allCases), text(), details: many(0...3) { .init(typeURL: $0.text(), value: $0.bytes()) })
  }
}
