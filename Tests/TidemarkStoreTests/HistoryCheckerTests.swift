import TidemarkCore
import TidemarkStore
import TidemarkTesting
import Testing

/// The checker of recorded histories passes what happened, and finds each way in which it could have gone wrong.
@Suite struct HistoryCheckerTests {
  /// What three clients see of an engine that keeps its promises: writes overlap, and every fifth answer is lost.
  private static func record(seed: UInt64) throws -> RecordedHistory {
    var random = SeededGenerator(printing: #function, seed: seed)
    let harness = try WriterHarness(MemoryStore(), seed: seed)
    var history = RecordedHistory()
    var time: UInt64 = 0
    var versions: [EntityID: EntityVersion] = [:]
    func tick() -> UInt64 {
      time += 10
      return time
    }
    func send(_ item: WriteItem) throws -> Outcome {
      guard case .outcomes(let outcomes) = harness.submit([item]) else { throw StoreError(.failed, "no outcomes") }
      return try #require(outcomes.first)
    }
    for round in 0..<120 {
      let items = try (0..<Int.random(in: 1...3, using: &random)).map { _ in try makeItem(versions, &random) }
      let places = items.map { item in history.invoke(attempt(of: item, at: tick(), node: round % 2)) }
      for (item, place) in zip(items, places).shuffled(using: &random) {
        let outcome = try send(item)
        if let version = outcome.version, let id = item.id { versions[id] = version }
        guard Int.random(in: 0..<5, using: &random) == 0 else {
          history.complete(place, outcome, at: tick())
          continue
        }
        history.complete(place, .unknown, at: tick())
        let again = history.invoke(attempt(of: item, at: tick(), node: (round + 1) % 2))
        history.complete(again, try send(item), at: tick())
      }
      let begun = tick()
      try harness.reader.read { snapshot in
        let number = try snapshot.spaces().first?.revision.rawValue ?? 0
        history.sightings.append(
          .init(node: 0, space: .default, entity: nil, number: number, invokedAt: begun, completedAt: tick()))
      }
    }
    try harness.reader.read { try history.takeStored($0, .default) }
    return history
  }

  private static func attempt(of item: WriteItem, at time: UInt64, node: Int) -> RecordedHistory.Attempt {
    RecordedHistory.Attempt(
      node: node, space: .default, operation: item.operation, entity: EntityKey(type: item.type, id: item.id ?? ids[0]),
      expected: item.action.expected?.version, invokedAt: time)
  }

  private static let ids = ["a", "b", "c"].compactMap { EntityID($0) }

  private static func makeItem(_ versions: [EntityID: EntityVersion], _ random: inout SeededGenerator) throws -> WriteItem {
    let id = try #require(ids.randomElement(using: &random))
    let fields = try Fields([Field(#require(FieldPath("n")), .int(Int64.random(in: 0...Int64.max, using: &random)))])
    let action: WriteAction =
      if let version = versions[id], Int.random(in: 0..<9, using: &random) > 0 {
        .replace(fields, Expected(version: version))
      } else {
        .create(fields)
      }
    return WriteItem(
      operation: OperationID(rawValue: .random(using: &random)), type: try #require(TypeName("thing")), id: id, action: action)
  }

  /// Attempts by what they were answered.
  private static func place(
    in history: RecordedHistory, _ isWanted: (RecordedHistory.Attempt) -> Bool
  ) throws -> Int { try #require(history.attempts.indices.dropFirst(40).first { isWanted(history.attempts[$0]) }) }

  private static func isApplied(_ attempt: RecordedHistory.Attempt) -> Bool {
    if case .applied = attempt.answer { true } else { false }
  }

  private static func isConflict(_ attempt: RecordedHistory.Attempt) -> Bool {
    if case .settled(.conflict, _) = attempt.answer { true } else { false }
  }

  @Test(arguments: UInt64(0)..<20) func aGoodHistoryPasses(seed: UInt64) throws {
    let history = try HistoryCheckerTests.record(seed: seed)
    #expect(history.violations() == [])
    #expect(history.stored[.default]?.log.count ?? 0 > 80)
    #expect(history.attempts.contains { $0.isReplay } && history.attempts.contains { HistoryCheckerTests.isConflict($0) })
  }

  /// One way to spoil a history, and whether a violation is what should be said of it.
  struct Mutation: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var spoil: @Sendable (inout RecordedHistory) throws -> Void
    var isFound: @Sendable (HistoryViolation) -> Bool
  }

  @Test(arguments: mutations) func aSpoiltHistoryIsCaught(mutation: Mutation) throws {
    for seed in UInt64(0)..<5 {
      var history = try HistoryCheckerTests.record(seed: seed)
      try mutation.spoil(&history)
      let violations = history.violations()
      #expect(violations.contains { mutation.isFound($0) }, "seed \(seed): \(violations)")
      #expect(violations.allSatisfy { $0.description.count > 20 })
    }
  }

  /// Changes the log of the default space.
  private static func withLog(_ history: inout RecordedHistory, _ body: (inout [LogEntry]) throws -> Void) throws {
    var stored = try #require(history.stored[.default])
    try body(&stored.log)
    history.stored[.default] = stored
  }

  static let mutations: [Mutation] = winners + times + receipts + logs

  private static let winners = [
    Mutation(testDescription: "two winners of one version") { history in
      let loser = try place(in: history) { isConflict($0) && !$0.isReplay }
      let next = try #require(history.attempts[loser].expected?.next)
      history.attempts[loser].answer = .applied(next, Revision(rawValue: 50))
    } isFound: {
      if case .twoWinners = $0 { true } else { false }
    },
    Mutation(testDescription: "two changes of one version in the log") { history in
      try withLog(&history) { log in
        var change = log[50].change
        change.operation = log[60].change.operation
        log.append(Chain.seal(change, after: log[log.count - 1].chainHash, salt: log[50].salt))
      }
    } isFound: {
      if case .twoWinners = $0 { true } else { false }
    },
    Mutation(testDescription: "a refusal that nobody caused") { history in
      let winner = try place(in: history) { isApplied($0) && $0.expected != nil && !$0.isReplay }
      let operation = history.attempts[winner].operation
      let key = history.attempts[winner].entity
      for index in history.attempts.indices where history.attempts[index].operation == operation {
        history.attempts[index].answer = .settled(.conflict, history.attempts[winner].expected)
      }
      try withLog(&history) { log in log = log.filter { $0.change.entity.key != key || $0.change.entity.revision.rawValue < 2 } }
      let expected = try #require(history.attempts[winner].expected)
      let log = try #require(history.stored[.default]?.log)
      guard !log.contains(where: { $0.change.entity.key == key && $0.change.entity.version == expected }) else { return }
      // The version that it was made against is there, and nothing after it.
      var change = try #require(log.first).change
      change.entity.key = key
      change.entity.version = expected
      change.operation = history.attempts[0].operation
      try withLog(&history) { log in log = [Chain.seal(change, after: log[0].chainHash, salt: log[0].salt)] }
    } isFound: {
      if case .refusedWithoutReason = $0 { true } else { false }
    },
  ]

  private static let times = [
    Mutation(testDescription: "a write that began after later ones had ended") { history in
      let early = try place(in: history) { isApplied($0) && !$0.isReplay }
      history.attempts[early].invokedAt = 1_000_000
      history.attempts[early].completedAt = 1_000_001
    } isFound: {
      if case .orderReversed(nil, _, _) = $0 { true } else { false }
    },
    Mutation(testDescription: "a read of an old state") { history in
      history.sightings[100].number = history.sightings[90].number
    } isFound: {
      if case .orderReversed(nil, _, _) = $0 { true } else { false }
    },
    Mutation(testDescription: "a read of what had not begun") { history in
      history.sightings[50].number = history.sightings[60].number
    } isFound: {
      if case .orderReversed(nil, _, _) = $0 { true } else { false }
    },
  ]

  private static let receipts = [
    Mutation(testDescription: "an acknowledged change that is not in the log") { history in
      try withLog(&history) { $0.removeLast() }
    } isFound: {
      if case .acknowledgedNotStored = $0 { true } else { false }
    },
    Mutation(testDescription: "a retry that was answered with another revision") { history in
      let first = try place(in: history) { isApplied($0) && !$0.isReplay }
      var again = history.attempts[first]
      guard case .applied(let version, let revision) = again.answer else { return }
      (again.invokedAt, again.completedAt, again.node) = (1_000_000, 1_000_001, 1 - again.node)
      (again.answer, again.isReplay) = (.applied(version.next, revision.next), true)
      history.attempts.append(again)
    } isFound: {
      if case .answeredOtherwise = $0 { true } else { false }
    },
    Mutation(testDescription: "a write that was judged twice") { history in
      let replay = try place(in: history) { $0.isReplay }
      var first = history.attempts[replay]
      first.isReplay = false
      history.attempts.append(first)
      history.attempts.append(first)
    } isFound: {
      if case .judgedTwice = $0 { true } else { false }
    },
    Mutation(testDescription: "a write that was executed although its client was told that it was not") { history in
      let operation = history.attempts[try place(in: history) { $0.isReplay }].operation
      for index in history.attempts.indices where history.attempts[index].operation == operation {
        if history.attempts[index].answer == .unknown { history.attempts[index].answer = .notExecuted }
      }
    } isFound: {
      if case .executedThoughDenied = $0 { true } else { false }
    },
    Mutation(testDescription: "a receipt that was gone later") { history in
      var asking = history.attempts[try place(in: history) { isApplied($0) }]
      (asking.isAsking, asking.answer, asking.invokedAt, asking.completedAt) = (true, .noReceipt, 1_000_000, 1_000_001)
      history.attempts.append(asking)
    } isFound: {
      if case .receiptGone = $0 { true } else { false }
    },
    Mutation(testDescription: "a change by a write that was refused") { history in
      let place = try place(in: history) { isApplied($0) && !$0.isReplay }
      history.attempts[place].answer = .settled(.conflict, nil)
    } isFound: {
      if case .storedThoughRefused = $0 { true } else { false }
    },
    Mutation(testDescription: "a change by a write of which its client was told that it was not executed") { history in
      let operation = history.attempts[try place(in: history) { isApplied($0) && !$0.isReplay }].operation
      for index in history.attempts.indices where history.attempts[index].operation == operation {
        history.attempts[index].answer = .notExecuted
      }
    } isFound: {
      if case .storedThoughRefused(_, .notExecuted, _) = $0 { true } else { false }
    },
    Mutation(testDescription: "a write whose outcome nobody learnt") { history in
      let operation = history.attempts[try place(in: history) { $0.isReplay }].operation
      history.attempts.removeAll { $0.operation == operation && $0.isReplay }
    } isFound: {
      if case .neverResolved = $0 { true } else { false }
    },
  ]

  private static let logs = [
    Mutation(testDescription: "a gap in the revisions") { history in
      try withLog(&history) { _ = $0.remove(at: 30) }
    } isFound: {
      if case .revisionSkipped = $0 { true } else { false }
    },
    Mutation(testDescription: "a revision that is there twice") { history in
      try withLog(&history) { $0.insert($0[30], at: 31) }
    } isFound: {
      if case .revisionSkipped = $0 { true } else { false }
    },
    Mutation(testDescription: "an entry whose fields were changed") { history in
      try withLog(&history) { $0[30].change.entity.fields = $0[31].change.entity.fields }
    } isFound: {
      $0 == .chainBroken(Revision(rawValue: 31))
    },
    Mutation(testDescription: "a lost entry after which everything was numbered and sealed anew") { history in
      try withLog(&history) { log in
        var hash = log[29].chainHash
        let rest = log[31...].map(\.change)
        log.removeSubrange(30...)
        for var change in rest {
          change.entity.revision = Revision(rawValue: UInt64(log.count) + 1)
          log.append(Chain.seal(change, after: hash, salt: log[0].salt))
          hash = log[log.count - 1].chainHash
        }
      }
    } isFound: {
      if case .acknowledgedNotStored = $0 { true } else { false }
    },
    Mutation(testDescription: "a write that was applied twice") { history in
      try withLog(&history) { log in
        var change = try #require(log.last).change
        change.entity.revision = change.entity.revision.next
        change.entity.version = change.entity.version.next
        log.append(Chain.seal(change, after: log[log.count - 1].chainHash, salt: log[0].salt))
      }
    } isFound: {
      if case .appliedTwice = $0 { true } else { false }
    },
    Mutation(testDescription: "a change that nobody asked for") { history in
      let operation = try #require(history.stored[.default]?.log[30].change.operation)
      history.attempts.removeAll { $0.operation == operation }
    } isFound: {
      if case .storedForNobody = $0 { true } else { false }
    },
    Mutation(testDescription: "a fault that verification found") { history in
      history.stored[.default]?.faults = ["head at revision 3"]
    } isFound: {
      if case .verificationFault = $0 { true } else { false }
    },
  ]
}
