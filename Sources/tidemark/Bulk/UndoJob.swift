import TidemarkClient
import TidemarkCore
import TidemarkWire

/// A write to take back.
struct UndoRow {
  /// Its line in the results; from 1.
  var line: Int
  var operation: OperationID
  var type: String
  var id: String

  /// What the results say was applied, in the order it was.
  static func rows(of history: BulkHistory?) -> [UndoRow] {
    (history?.applied ?? []).compactMap { entry in
      guard let operation = entry.record["operation_id"]?.string.flatMap({ UUIDText.parse($0) })
      else { return nil }
      return UndoRow(
        line: entry.line, operation: OperationID(rawValue: operation), type: entry.record["type"]?.string ?? "",
        id: entry.record["id"]?.string ?? "")
    }
  }
}

/// Takes writes back in parts, from the last to the first.
struct UndoJob {
  let session: Session
  let options: BulkOptions

  func run(_ rows: [UndoRow], _ output: BulkSession) async throws -> (BulkTally, BulkJob.End) {
    var tally = BulkTally()
    let progress = Progress(output.what, session.output)
    let partMax = options.mode == .atomic ? max(rows.count, 1) : BulkJob.partRowsMax
    for end in stride(from: rows.count, to: 0, by: -partMax) {
      if Interruption.isRequested {
        progress.finish()
        return (tally, .interrupted)
      }
      let part = Array(rows[max(0, end - partMax)..<end])
      if let error = try await send(part, &tally, output) {
        progress.finish()
        return (tally, .failed(error))
      }
      progress.update(count: UInt64(tally.rows), fraction: Double(rows.count - end + part.count) / Double(rows.count))
    }
    progress.finish()
    return (tally, .complete)
  }

  private func send(_ part: [UndoRow], _ tally: inout BulkTally, _ output: BulkSession) async throws -> ClientError? {
    let items = part.map {
      UndoWritesRequest.UndoItem(
        operation: $0.operation, undoOperation: OperationName.undo($0.operation, options.onConflict))
    }
    let report: UndoReport
    do {
      report = try await session.space.undo(
        items, onConflict: options.onConflict, mode: options.mode, validatesOnly: options.validatesOnly)
    } catch {
      return error
    }
    var fatal: ClientError?
    for (row, fate) in zip(part, report.fates) {
      switch fate {
      case .notExecuted(let error), .unknown(let error): fatal = fatal ?? error
      case .outcome(let outcome):
        let told = BulkRow(
          line: row.line, type: row.type.isEmpty && outcome.id != nil ? outcome.type.text : row.type,
          id: outcome.id?.text ?? row.id, operation: "undo", undone: row.operation,
          content: .failure(ImportRow.Problem(what: "")), source: .text(""))
        let result = BulkResult(row: told, word: outcome.code.word, message: outcome.message, outcome: outcome)
        tally.add(result)
        try output.take(result, header: nil)
      }
    }
    output.flush()
    return fatal
  }

  static func advice(_ tally: BulkTally, _ names: BulkFileNames) -> [String] {
    var lines: [String] = []
    if tally.conflicts > 0 { lines.append("To undo around what others changed since, run the same with --on-conflict merge.") }
    if tally.done > 0 { lines.append("To do it again:   tidemark bulk undo \(ShellText.quote(names.results))") }
    return lines
  }
}
