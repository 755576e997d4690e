internal import TidemarkCore

/// What a lane's thread owns: a writer of the store, randomness, and what it knows of schemas.
final class CommitLoop {
  private let writer: any StoreWriter
  private var random: any RandomNumberGenerator
  private let health: WriterHealth
  private let schemas: SchemaCache
  private let recent: RecentEntities?
  private let board: RevisionBoard?

  init(
    writer: any StoreWriter, schemas: SchemaCache, recent: RecentEntities? = nil, board: RevisionBoard? = nil,
    random: any RandomNumberGenerator, health: WriterHealth
  ) {
    self.writer = writer
    self.schemas = schemas
    self.recent = recent
    self.board = board
    self.random = random
    self.health = health
  }

  /// Judges and stores requests in one transaction.
  ///
  /// When something stored is damaged, each request gets a transaction of its own, so that only those that meet the damage fail.
  ///
  /// - Returns: for each request its result: `nil` when it was left for a further transaction. At least one is not.
  func commit(_ requests: [WriteSubmission], now: Timestamp) -> (results: [WriteResult?], changes: Int) {
    guard !health.isFailed else { return (requests.map { _ in .unknown }, 0) }
    let troubles = health.troubles
    var changes: [StoredChanges] = []
    do {
      let results = try writer.write { transaction in
        let batch = BatchTransaction(transaction: transaction, now: now, schemas: schemas)
        let (results, made) = try batch.run(requests, random: &random)
        changes = made
        recent?.willCommit(changes)
        return results
      }
      health.noteReached(since: troubles)
      recent?.didCommit(changes)
      board?.publish(changes)
      return (results, changes.reduce(0) { $0 + $1.changes.count })
    } catch {
      schemas.forgetAll()
      let failure = note(error)
      // After a failure whose outcome is unknown the marks stay.
      if !health.isFailed, failure != .outcomeUnknown { recent?.didUndo(changes) }
      if failure == .corrupt, requests.count > 1 {
        let single = requests.map { commit([$0], now: now) }
        return (single.flatMap(\.results), single.reduce(0) { $0 + $1.changes })
      }
      return (requests.map { _ in CommitLoop.result(of: failure) }, 0)
    }
  }

  /// Runs administrative work in a transaction of its own. `nil` when it is durable.
  func administer(
    _ body: (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void
  ) -> StoreError? {
    guard !health.isFailed else { return StoreError(.failed, "the writer has stopped after a failed commit") }
    let troubles = health.troubles
    do {
      try writer.write { transaction in
        try body(transaction, &random)
        recent?.willAdminister()
      }
      health.noteReached(since: troubles)
      recent?.didAdminister()
      return nil
    } catch let error as StoreError {
      // After a failure whose outcome is unknown nothing is kept any more.
      if note(error) != .outcomeUnknown, !health.isFailed { recent?.didAdminister() }
      return error
    } catch {
      recent?.didAdminister()
      return StoreError(.failed, "\(error)")
    }
  }

  /// Lets the store do what can wait.
  func rest() {
    guard !health.isFailed else { return }
    do { try writer.idle() } catch { _ = note(error) }
  }

  /// Stops everything after an error that leaves the outcome unknown.
  private func note(_ error: any Error) -> StoreError.Code {
    let failure = error as? StoreError ?? StoreError(.failed, "\(error)")
    switch failure.code {
    case .full, .corrupt: return failure.code
    case .unavailable, .outcomeUnknown:
      health.noteTrouble(failure)
      return failure.code
    case .locked, .unknownFormat, .failed:
      health.noteFailed(failure)
      // A store that went on to a format this program does not know kept nothing of it.
      return failure.code == .unknownFormat ? .unavailable : .failed
    }
  }

  private static func result(of failure: StoreError.Code) -> WriteResult {
    switch failure {
    case .full: .full
    case .corrupt: .corrupt
    case .unavailable: .unavailable
    case .locked, .unknownFormat, .failed, .outcomeUnknown: .unknown
    }
  }
}
