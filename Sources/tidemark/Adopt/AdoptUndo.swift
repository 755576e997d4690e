import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Deletes what was adopted from a table, as far as nobody changed it since.
struct AdoptUndo {
  private static let pageEntities = 200
  /// What others point to goes after them: so often is gone over all again.
  private static let passesMax = 10

  let rows: AdoptRows
  let progress: Progress
  let isInterrupted: @Sendable () -> Bool
  private(set) var report = AdoptReport(.undo)

  init(rows: AdoptRows, progress: Progress, isInterrupted: @escaping @Sendable () -> Bool) {
    self.rows = rows
    self.progress = progress
    self.isInterrupted = isInterrupted
  }

  mutating func run() async throws -> ImportJob.End {
    defer { progress.finish() }
    for _ in 0..<AdoptUndo.passesMax {
      let before = report.done
      report.others = 0
      report.forgetRefusals()
      do {
        guard try await pass() else { return .interrupted }
      } catch let error as ClientError { return .failed(error) }
      guard report.refusedByOutcome[OutcomeCode.referenceViolation.word] != nil, report.done > before else { break }
    }
    return .complete
  }

  /// Goes over all entities of the type once; `false` when Ctrl-C came.
  private mutating func pass() async throws -> Bool {
    var page: [Entity] = []
    var count: UInt64 = 0
    for try await entity in rows.space.list(rows.type) {
      page.append(entity)
      count += 1
      guard page.count == AdoptUndo.pageEntities else { continue }
      if isInterrupted() { return false }
      try await take(page)
      progress.update(count: count, fraction: nil)
      page = []
    }
    if isInterrupted() { return false }
    try await take(page)
    return true
  }

  private mutating func take(_ page: [Entity]) async throws {
    let ours = try await rows.adopted(page)
    report.others += page.count - ours.count
    var asked: [(entity: Entity, item: UndoWritesRequest.UndoItem)] = []
    for entity in page {
      guard let operation = ours[entity.key.id] else { continue }
      asked.append((entity, .init(operation: operation, undoOperation: OperationName.undo(operation, .fail))))
    }
    // A refusal leaves a receipt, which would answer once more when nothing stands in the way any longer. Asking leaves none.
    var accepted: [(entity: Entity, item: UndoWritesRequest.UndoItem)] = []
    for (question, outcome) in zip(asked, try await outcomes(asked.map(\.item), validatesOnly: true)) {
      if outcome.code.isSuccess { accepted.append(question) } else { keep(question.entity, outcome) }
    }
    for (question, outcome) in zip(accepted, try await outcomes(accepted.map(\.item), validatesOnly: false)) {
      if outcome.code.isSuccess { report.done += 1 } else { keep(question.entity, outcome) }
    }
  }

  private func outcomes(_ items: [UndoWritesRequest.UndoItem], validatesOnly: Bool) async throws -> [Outcome] {
    guard !items.isEmpty else { return [] }
    return try await rows.space.undo(items, validatesOnly: validatesOnly).fates.map { fate in
      switch fate {
      case .outcome(let outcome): return outcome
      case .notExecuted(let error), .unknown(let error): throw error
      }
    }
  }

  private mutating func keep(_ entity: Entity, _ outcome: Outcome) {
    guard outcome.code == .conflict else {
      report.refuse(0, entity.key.id.text, outcome.code.word, outcome.message)
      return
    }
    report.refuse(
      0, entity.key.id.text, "edited_since",
      "version \(entity.version) by \(entity.updated.by) at \(TimeText.format(entity.updated.at))")
  }
}
