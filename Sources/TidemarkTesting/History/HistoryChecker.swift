internal import TidemarkCore
internal import TidemarkStore

extension RecordedHistory {
  /// Every broken promise, of all spaces; empty when all were kept. Takes time in proportion to n log n.
  public func violations() -> [HistoryViolation] {
    let attempts = Dictionary(grouping: attempts, by: \.space)
    let sightings = Dictionary(grouping: sightings, by: \.space)
    return Set(attempts.keys).union(stored.keys).sorted().flatMap { space in
      var checker = HistoryChecker(attempts[space] ?? [], sightings[space] ?? [], stored[space])
      return checker.check()
    }
  }
}

/// Looks after the promises in one space.
struct HistoryChecker {
  private typealias Attempt = RecordedHistory.Attempt
  private let stored: RecordedHistory.Stored?
  private let sightings: [RecordedHistory.Sighting]
  /// The attempts of each write, in the order in which they were begun.
  private let writes: [(operation: OperationID, attempts: [RecordedHistory.Attempt])]
  private var firstInvoked: [OperationID: UInt64] = [:]
  /// When somebody knew first that a write was applied.
  private var firstApplied: [OperationID: UInt64] = [:]
  private var changes: [OperationID: [Change]] = [:]
  private var byVersion: [EntityKey: [EntityVersion: Change]] = [:]
  private var found: [HistoryViolation] = []

  init(
    _ attempts: [RecordedHistory.Attempt], _ sightings: [RecordedHistory.Sighting], _ stored: RecordedHistory.Stored?
  ) {
    self.stored = stored
    self.sightings = sightings
    writes = Dictionary(grouping: attempts, by: \.operation).map { ($0, $1.sorted { $0.invokedAt < $1.invokedAt }) }
      .sorted { $0.operation < $1.operation }
    for (operation, attempts) in writes {
      firstInvoked[operation] = attempts.first { !$0.isAsking }?.invokedAt
      firstApplied[operation] = attempts.compactMap { if case .applied = $0.answer { $0.completedAt } else { nil } }.min()
    }
    // What follows from the delete of another entity is part of that write.
    for change in stored?.log.map(\.change) ?? [] where change.manner != .cascaded {
      changes[change.operation, default: []].append(change)
    }
  }

  mutating func check() -> [HistoryViolation] {
    checkLog()
    checkWinners()
    for (operation, attempts) in writes {
      checkAnswers(operation, attempts)
      checkResolution(operation, attempts)
      for attempt in attempts { checkReason(attempt) }
    }
    checkRealTime()
    return found
  }

  // MARK: The log

  /// Revisions go on by one, the chain holds, versions go on by one, and every change was asked for.
  private mutating func checkLog() {
    guard let stored else { return }
    found += stored.faults.map { .verificationFault($0) }
    var (revision, hash) = (Revision.zero, Chain.genesis(stored.epoch))
    var latest: [EntityKey: EntityVersion] = [:]
    for entry in stored.log {
      let (change, entity) = (entry.change, entry.change.entity)
      if entity.revision != revision.next { found.append(.revisionSkipped(entity.revision, after: revision)) }
      let sealed = Chain.seal(change, after: hash, salt: entry.salt)
      if sealed != entry { found.append(.chainBroken(entity.revision)) }
      let before = latest[entity.key]
      if let other = byVersion[entity.key]?[entity.version] {
        found.append(.twoWinners(entity.key, entity.version, [other.operation, change.operation]))
      } else if entity.version != before?.next ?? .first {
        found.append(.versionSkipped(entity.key, entity.version, after: before))
      }
      byVersion[entity.key, default: [:]][entity.version] = change
      (revision, hash, latest[entity.key]) = (entity.revision, entry.chainHash, entity.version)
    }
  }

  // MARK: Winners

  /// Of all writes to one version one is told that it made the next.
  private mutating func checkWinners() {
    struct Place: Hashable {
      var entity: EntityKey
      var version: EntityVersion
    }
    var winners: [Place: Set<OperationID>] = [:]
    for (operation, attempts) in writes {
      for attempt in attempts {
        guard case .applied(let version, _) = attempt.answer else { continue }
        winners[Place(entity: attempt.entity, version: version), default: []].insert(operation)
        if let expected = attempt.expected, version != expected.next {
          found.append(.versionSkipped(attempt.entity, version, after: expected))
        }
      }
    }
    for (place, operations) in winners where operations.count > 1 {
      found.append(.twoWinners(place.entity, place.version, operations.sorted()))
    }
  }

  /// Who is refused for a version, or for an entity that exists, has met another write's change.
  private mutating func checkReason(_ attempt: RecordedHistory.Attempt) {
    guard case .settled(let code, _) = attempt.answer, let completed = attempt.completedAt, stored != nil else { return }
    let versions = byVersion[attempt.entity] ?? [:]
    let needed: EntityVersion
    switch code {
    case .alreadyExists: needed = .first
    case .conflict: needed = attempt.expected?.next ?? .first
    default: return
    }
    if let other = versions[needed] {
      if let begun = firstInvoked[other.operation], begun < completed { return }
    } else if let expected = attempt.expected {
      // The version that it was made against may not have been there yet.
      guard let change = versions[expected], let known = firstApplied[change.operation],
        known < firstInvoked[attempt.operation] ?? 0
      else { return }
    }
    found.append(.refusedWithoutReason(attempt.operation, attempt.entity, code))
  }

  // MARK: Answers

  /// The same write is answered alike, whoever is asked and however often.
  private mutating func checkAnswers(_ operation: OperationID, _ attempts: [RecordedHistory.Attempt]) {
    let definite = attempts.filter(\.answer.isDefinite)
    guard let first = definite.first else { return }
    for other in definite.dropFirst() where !HistoryChecker.isSame(first.answer, other.answer) {
      found.append(.answeredOtherwise(operation, [first.answer, other.answer], nodes: [first.node, other.node]))
    }
    let judging = definite.count { !$0.isAsking && !$0.isReplay }
    if judging > 1 { found.append(.judgedTwice(operation)) }
    if judging == 0, !attempts.contains(where: { !$0.isAsking && $0.answer == .unknown }) {
      found.append(.executedThoughDenied(operation))
    }
    let known = definite.compactMap(\.completedAt).min() ?? .max
    for attempt in attempts where attempt.answer == .noReceipt && attempt.invokedAt > known {
      found.append(.receiptGone(operation, node: attempt.node))
    }
    for attempt in definite { checkStored(operation, attempt.answer) }
  }

  private mutating func checkStored(_ operation: OperationID, _ answer: RecordedHistory.Answer) {
    guard stored != nil else { return }
    switch answer {
    case .applied(let version, let revision):
      let isThere = (changes[operation] ?? []).contains { $0.entity.version == version && $0.entity.revision == revision }
      if !isThere { found.append(.acknowledgedNotStored(operation, answer)) }
    case .settled:
      if let change = changes[operation]?.first {
        found.append(.storedThoughRefused(operation, answer, change.entity.revision))
      }
    case .notExecuted, .unknown, .noReceipt: break
    }
  }

  /// The version that a refused write is told is the one of the moment.
  private static func isSame(_ a: RecordedHistory.Answer, _ b: RecordedHistory.Answer) -> Bool {
    if case .settled(let code, _) = a, case .settled(let other, _) = b { return code == other }
    return a == b
  }

  /// What was unknown at first is one thing in the end, and a write that was never judged left nothing.
  private mutating func checkResolution(_ operation: OperationID, _ attempts: [RecordedHistory.Attempt]) {
    let made = changes[operation] ?? []
    if made.count > 1 { found.append(.appliedTwice(operation, made.map(\.entity.revision))) }
    let answers = attempts.filter { !$0.isAsking }.map(\.answer)
    let mayBeJudged = answers.contains { $0 == .unknown || $0.isDefinite }
    if let change = made.first, !mayBeJudged {
      found.append(.storedThoughRefused(operation, .notExecuted, change.entity.revision))
    }
    if mayBeJudged, !attempts.contains(where: \.answer.isDefinite) { found.append(.neverResolved(operation)) }
    for change in made where !attempts.contains(where: { $0.entity == change.entity.key }) {
      found.append(.storedForNobody(operation, change.entity.revision))
    }
  }

  // MARK: Real time

  /// A write of the log, or a read, with the number that it has in the order of a space or of an entity.
  private struct Point {
    var number: UInt64
    var isRead: Bool
    var invokedAt: UInt64
    /// When it was known to have happened; the end of time when nobody heard of it.
    var completedAt: UInt64
  }

  private mutating func checkRealTime() {
    var points: [EntityKey?: [Point]] = [:]
    for change in stored?.log.map(\.change) ?? [] {
      let operation = change.operation
      guard let invoked = firstInvoked[operation] else {
        found.append(.storedForNobody(operation, change.entity.revision))
        continue
      }
      let completed = firstApplied[operation] ?? .max
      for (key, number) in [(nil, change.entity.revision.rawValue), (change.entity.key, change.entity.version.rawValue)] {
        points[key, default: []].append(Point(number: number, isRead: false, invokedAt: invoked, completedAt: completed))
      }
    }
    for sighting in sightings {
      points[sighting.entity, default: []].append(
        Point(number: sighting.number, isRead: true, invokedAt: sighting.invokedAt, completedAt: sighting.completedAt))
    }
    for (key, points) in points { checkRealTime(points, key) }
  }

  /// Goes from the highest number down: nothing may begin after something above it has ended. A read of a number is above the write that made it.
  private mutating func checkRealTime(_ points: [Point], _ key: EntityKey?) {
    let sorted = points.sorted { ($0.number, $0.isRead ? 1 : 0) > ($1.number, $1.isRead ? 1 : 0) }
    var earliest: Point?
    var start = 0
    while start < sorted.count {
      // Reads that show the same have no order among each other.
      let group = sorted[start...].prefix { $0.number == sorted[start].number && $0.isRead == sorted[start].isRead }
      for point in group {
        if let earliest, earliest.completedAt < point.invokedAt {
          found.append(.orderReversed(key, ended: earliest.number, begun: point.number))
        }
      }
      for point in group where point.completedAt < earliest?.completedAt ?? .max { earliest = point }
      start += group.count
    }
  }
}
