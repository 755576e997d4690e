internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

/// What a transaction was told it will be asked of one space, and the answers that came before the questions.
///
/// Entities come in pieces, in the order in which they are expected, and a piece takes the place of the one before: `bytesMax` of fields and one
/// entity more is the most that is kept. What does not decode is left out, so that only who asks for it meets the damage. True until
/// the transaction changes something.
struct ReadAhead {
  typealias Question = (sql: SQL, parameters: Parameters)

  static let bytesMax: Int64 = 4 << 20
  static let keysMax = 2_048

  let space: SpaceID
  private let reads: ExpectedReads
  /// The expected entities, each once, and where they are.
  private var keys: [EntityKey] = []
  private var places: [EntityKey: Int] = [:]
  /// The place of the first that was neither asked for nor passed over.
  private var next = 0
  private var entities: [EntityKey: Entity?] = [:]
  private var receipts: [ReceiptKey: Receipt?] = [:]
  private var holders: [HeldKey: EntityID?] = [:]
  /// Entities to which nothing points.
  private var free: Set<EntityKey> = []

  private struct ReceiptKey: Hashable {
    var principal: PrincipalName
    var operation: OperationID
  }

  init(_ reads: ExpectedReads, in space: SpaceID) {
    self.space = space
    self.reads = reads
    keys.reserveCapacity(reads.entities.count)
    places.reserveCapacity(reads.entities.count)
    for key in reads.entities where places.updateValue(keys.count, forKey: key) == nil { keys.append(key) }
  }

  // MARK: Questions

  /// What is to be asked first, in the order in which `take` takes the answers.
  var questions: [Question] {
    var questions: [Question] = nextEntities.map { [$0] } ?? []
    if !reads.receipts.isEmpty { questions.append((.receipts, Parameters(receipts: reads.receipts, in: space))) }
    if !reads.keys.isEmpty { questions.append((.keyHolders, Parameters(reads.keys, in: space))) }
    if !reads.targets.isEmpty { questions.append((.targetsHeld, Parameters(reads.targets, in: space))) }
    return questions
  }

  /// The question for the next entities; `nil` when there are no more.
  var nextEntities: Question? {
    guard !piece.isEmpty else { return nil }
    var parameters = Parameters(keys[piece], in: space)
    parameters.add(ReadAhead.bytesMax)
    return (.entitiesAhead, parameters)
  }

  private var piece: Range<Int> { next..<min(next + ReadAhead.keysMax, keys.count) }

  /// Goes on to an entity, past those before it. False when it was asked for already, and when it is not expected.
  mutating func moveOn(to key: EntityKey) -> Bool {
    guard let place = places[key], place >= next else { return false }
    next = place
    return true
  }

  // MARK: Answers

  /// Takes the answers to `questions`, or to `nextEntities` alone.
  mutating func take(_ answers: ArraySlice<Rows>) {
    var rest = answers[...]
    if !piece.isEmpty, let rows = rest.popFirst() { takeEntities(rows) }
    if !reads.receipts.isEmpty, let rows = rest.popFirst() { takeReceipts(rows) }
    if !reads.keys.isEmpty, let rows = rest.popFirst() { takeHolders(rows) }
    if !reads.targets.isEmpty, let rows = rest.popFirst() {
      free = Set(reads.targets)
      for row in rows.all { if let index = row.index(at: 0, in: reads.targets.count) { free.remove(reads.targets[index]) } }
    }
  }

  private mutating func takeEntities(_ rows: Rows) {
    let asked = keys[piece]
    entities.removeAll(keepingCapacity: true)
    for key in asked { entities[key] = .some(nil) }
    next += asked.count
    for row in rows.all {
      guard let index = row.index(at: 10, in: asked.count) else { continue }
      let key = asked[asked.startIndex + index]
      entities[key] = nil
      if row.bool(at: 11) == true {
        if let entity = try? PostgresSnapshot.entity(key, row) { entities[key] = .some(entity) }
      } else {
        // There was no more room.
        next = min(next, asked.startIndex + index)
      }
    }
  }

  private mutating func takeReceipts(_ rows: Rows) {
    for (principal, operation) in reads.receipts {
      receipts[ReceiptKey(principal: principal, operation: operation)] = .some(nil)
    }
    for row in rows.all {
      guard let index = row.index(at: 6, in: reads.receipts.count) else { continue }
      let (principal, operation) = reads.receipts[index]
      let receipt = try? PostgresSnapshot.receipt(operation, row, space: space, principal: principal)
      receipts[ReceiptKey(principal: principal, operation: operation)] = receipt.map { .some($0) }
    }
  }

  private mutating func takeHolders(_ rows: Rows) {
    for key in reads.keys { holders[key] = .some(nil) }
    for row in rows.all {
      guard let index = row.index(at: 1, in: reads.keys.count) else { continue }
      holders[reads.keys[index]] = row.id(at: 0).map { .some($0) }
    }
  }

  // MARK: What is known

  /// An entity; `nil` when it is not known whether there is one.
  func entity(_ key: EntityKey) -> Entity?? { entities[key] }

  /// Receipts; `nil` when not all are known.
  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) -> [Receipt?]? {
    guard space == self.space else { return nil }
    let known = operations.compactMap { receipts[ReceiptKey(principal: principal, operation: $0)] }
    return known.count == operations.count ? known : nil
  }

  /// Who holds some keys; `nil` when it is not known of all.
  func holders(of keys: [HeldKey], in space: SpaceID) -> [EntityID?]? {
    guard space == self.space else { return nil }
    let known = keys.compactMap { holders[$0] }
    return known.count == keys.count ? known : nil
  }

  /// Whether nothing points to an entity, as far as that is known.
  func isFree(_ target: EntityKey, in space: SpaceID) -> Bool { space == self.space && free.contains(target) }
}

extension Session {
  /// Runs statements together, after all that wait, and returns the answer to each.
  func run(together questions: [ReadAhead.Question]) throws -> [Rows] {
    guard let last = questions.last else { return [] }
    var answers: [Rows] = []
    for question in questions.dropLast() { queue(question.sql, question.parameters) { answers.append($0) } }
    let end = try run(last.sql, last.parameters)
    return answers + [end]
  }
}
