import TidemarkClient
import TidemarkCore

/// Takes the rows of a table in as entities, or compares both, page by page.
struct AdoptJob {
  let rows: AdoptRows
  let map: AdoptMap
  /// Whether entities that were deleted since begin a new life.
  let again: Bool
  let progress: Progress
  /// Of the output that pages of their own have: none.
  let quiet: Progress
  var rejects: RejectFile?
  let isInterrupted: @Sendable () -> Bool
  private(set) var report: AdoptReport

  init(
    _ work: AdoptReport.Work, rows: AdoptRows, map: AdoptMap, again: Bool, rejects: RejectFile?, progress: Progress,
    quiet: Progress, isInterrupted: @escaping @Sendable () -> Bool
  ) {
    report = AdoptReport(work)
    self.rows = rows
    self.map = map
    self.again = again
    self.rejects = rejects
    self.progress = progress
    self.quiet = quiet
    self.isInterrupted = isInterrupted
  }

  /// A row that is to become an entity.
  private struct Candidate {
    var row: ImportRow
    var content: ImportRow.Content
    /// The version of the deletion that it comes after; 0 for none.
    var life: UInt64 = 0
  }

  /// Runs to the end of the table, to Ctrl-C, or to the first call that fails.
  mutating func run(_ source: any SourceTable) async throws -> ImportJob.End {
    defer { progress.finish() }
    var table = source
    var number = 0
    while true {
      if isInterrupted() { return .interrupted }
      let page: [SourceRow]
      do throws(CommandFailure) { page = try table.nextPage(rowsMax: BulkJob.partRowsMax) } catch { return .unreadable(error) }
      guard !page.isEmpty else { break }
      let made = page.enumerated().map { map.make($1, number: number + $0 + 1) }
      number += page.count
      do {
        try await take(made)
      } catch let error as ClientError { return .failed(error) }
      progress.update(
        count: UInt64(number), fraction: table.rowsEstimate.map { min(Double(number) / Double(max($0, 1)), 0.99) })
    }
    for _ in 0..<table.rowsWithoutKey {
      report.refuse(number, nil, "unreadable", "the column '\(table.key)' is NULL, and there is no id")
    }
    return .complete
  }

  /// Ends the file of refused rows.
  func closeFiles() throws(CommandFailure) { try rejects?.close() }

  private mutating func refuse(_ row: ImportRow, _ outcome: String, _ reason: String) {
    report.refuse(row.line, row.idText, outcome, reason)
    rejects?.write(row, .init(line: row.line, id: row.idText, outcome: outcome, reason: reason), header: nil)
  }

  // MARK: One page

  private mutating func take(_ page: [ImportRow]) async throws {
    var readable: [Candidate] = []
    for row in page {
      switch row.content {
      case .success(let content): readable.append(Candidate(row: row, content: content))
      case .failure(let problem): refuse(row, "unreadable", problem.what)
      }
    }
    let entities = try await rows.read(readable.map(\.content.id))
    var wanted: [Candidate] = []
    var differing: [(Candidate, Entity, [FieldPath])] = []
    for var candidate in readable {
      switch try rows.compare(candidate.content, with: entities[candidate.content.id]) {
      case .absent: wanted.append(candidate)
      case .same: if report.work == .verify { report.done += 1 } else { report.others += 1 }
      case .differs(let entity, let names): differing.append((candidate, entity, names))
      case .deleted(let entity):
        guard again, report.work != .verify else {
          refuse(candidate.row, "deleted", AdoptJob.deleted(entity))
          continue
        }
        candidate.life = entity.version.rawValue
        wanted.append(candidate)
      }
    }
    try await tell(differing)
    if report.work == .verify { report.others += wanted.count } else { try await adopt(wanted) }
  }

  private static func deleted(_ entity: Entity) -> String {
    "the entity was deleted by \(entity.updated.by) in version \(entity.version). To bring it back as it was: tidemark restore "
      + "\(entity.key.type) \(ShellText.quote(entity.key.id.text)) --expected \(entity.version); as a new one: --again"
  }

  /// Says of rows that differ from their entities which side changed.
  private mutating func tell(_ differing: [(Candidate, Entity, [FieldPath])]) async throws {
    guard !differing.isEmpty else { return }
    let ours = try await rows.adopted(differing.map(\.1))
    for (candidate, entity, names) in differing {
      let list = AdoptRows.list(names)
      let who = "version \(entity.version) by \(entity.updated.by) at \(TimeText.format(entity.updated.at))"
      guard ours[entity.key.id] != nil else {
        refuse(
          candidate.row, "already_exists",
          "an entity of this id is there that you did not adopt from here, with other content (\(list)): \(who)")
        continue
      }
      if entity.updated == entity.created || entity.version == .first {
        refuse(candidate.row, "changed_in_source", "the row was changed in the source after it was adopted (\(list))")
      } else {
        refuse(candidate.row, "edited_since", "the entity was edited after it was adopted (\(list)): \(who)")
      }
    }
  }

  // MARK: Writing

  private mutating func adopt(_ candidates: [Candidate]) async throws {
    guard !candidates.isEmpty else { return }
    // Refused writes leave receipts, which would answer for the row after it was mended. Asking leaves none.
    var accepted: [Candidate] = []
    for (candidate, result) in try await send(candidates, attempt: 0, validatesOnly: true) {
      if result.isDone || AdoptJob.isStale(result) {
        accepted.append(candidate)
      } else {
        refuse(candidate.row, result.word, result.message)
      }
    }
    guard report.work == .adopt else {
      report.done += accepted.count
      return
    }
    for attempt in 0..<AdoptRows.attemptsMax where !accepted.isEmpty {
      var stale: [Candidate] = []
      for (candidate, result) in try await send(accepted, attempt: attempt, validatesOnly: false) {
        if result.isDone {
          report.done += 1
        } else if AdoptJob.isStale(result), attempt + 1 < AdoptRows.attemptsMax {
          stale.append(candidate)
        } else {
          refuse(candidate.row, result.word, result.message)
        }
      }
      accepted = stale
    }
  }

  /// Whether an answer is of an earlier run, when the row or what it meets was another.
  private static func isStale(_ result: BulkResult) -> Bool {
    guard let outcome = result.outcome, !outcome.code.isSuccess else { return false }
    return outcome.isReplay || outcome.violations.contains { $0.rule == "operation_id_reused" }
  }

  private func send(
    _ candidates: [Candidate], attempt: Int, validatesOnly: Bool
  ) async throws -> [(Candidate, BulkResult)] {
    guard !candidates.isEmpty else { return [] }
    var rest = candidates[...]
    var results: [BulkResult] = []
    let options = BulkOptions(space: rows.space.name, type: rows.type, validatesOnly: validatesOnly)
    var job = BulkJob(
      space: rows.space, options: options, done: [:], progress: quiet, isInterrupted: { false },
      tell: { results.append($0) }, tellDone: { _ in }, flush: {})
    let end = try await job.run(
      { () throws(CommandFailure) in
        guard let candidate = rest.popFirst() else { return nil }
        let item = WriteItem(
          operation: rows.operation(candidate.content.id, life: candidate.life, attempt: attempt), type: rows.type,
          id: candidate.content.id, action: .create(candidate.content.fields))
        return BulkRow(
          line: candidate.row.line, type: rows.type.text, id: candidate.content.id.text, operation: "create",
          content: .success(item), source: candidate.row.source)
      }, fraction: { nil })
    if case .failed(let error) = end { throw error }
    return Array(zip(candidates, results))
  }
}
