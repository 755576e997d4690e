import TidemarkClient
import TidemarkCore

/// Imports rows, a bounded number of them at once.
struct ImportJob {
  /// How an import ended.
  enum End: Equatable {
    case complete
    case interrupted
    /// The file cannot be read on.
    case unreadable(CommandFailure)
    /// The server could not be asked.
    case failed(ClientError)

    static func == (a: End, b: End) -> Bool {
      switch (a, b) {
      case (.complete, .complete), (.interrupted, .interrupted), (.unreadable, .unreadable): true
      case (.failed(let a), .failed(let b)): a == b
      default: false
      }
    }
  }

  let importer: RowImporter
  let inFlightMax: Int
  var rejects: RejectFile?
  var results: ResultFile?
  /// Whether to stop reading and end in good order.
  let isInterrupted: @Sendable () -> Bool
  let progress: Progress
  private(set) var report = ImportReport()

  init(
    importer: RowImporter, inFlightMax: Int, rejects: RejectFile?, results: ResultFile?, progress: Progress,
    isInterrupted: @escaping @Sendable () -> Bool
  ) {
    self.importer = importer
    self.inFlightMax = inFlightMax
    self.rejects = rejects
    self.results = results
    self.isInterrupted = isInterrupted
    self.progress = progress
  }

  private struct Finished: Sendable {
    var row: ImportRow
    var result: Result<RowImporter.Result, ClientError>
  }

  /// Runs to the end of the file, to Ctrl-C, or to the first call that fails. What is on its way is always waited for.
  mutating func run(_ rows: RowReader) async -> End {
    var reader = rows
    var end = End.complete
    // Rows of one entity must not overtake each other: the second sees what the first made.
    var busy: Set<String> = []
    var blocked: ImportRow?
    await withTaskGroup(of: Finished.self) { group in
      var inFlight = 0
      var isReading = true
      while isReading || inFlight > 0 {
        if isReading, isInterrupted() {
          isReading = false
          end = .interrupted
        }
        if isReading, inFlight < inFlightMax {
          do throws(CommandFailure) {
            let next: ImportRow?
            if let blocked { next = blocked } else { next = try reader.next() }
            guard let row = next else {
              isReading = false
              if isInterrupted() { end = .interrupted }
              continue
            }
            blocked = nil
            guard let content = judge(row, header: reader.header) else { continue }
            if busy.insert(content.id.text).inserted {
              inFlight += 1
              let importer = importer
              group.addTask { await ImportJob.bring(row, content, importer) }
              continue
            }
            blocked = row
          } catch {
            isReading = false
            end = .unreadable(error)
            continue
          }
        }
        guard let finished = await group.next() else { continue }
        inFlight -= 1
        if case .success(let content) = finished.row.content { busy.remove(content.id.text) }
        if let error = note(finished, header: reader.header) {
          isReading = false
          end = .failed(error)
        }
        let fraction = reader.bytesTotal.map { Double(reader.bytesRead) / Double(max($0, 1)) }
        progress.update(count: UInt64(report.rows), fraction: fraction)
      }
    }
    progress.finish()
    return end
  }

  /// Ends the files of refused rows and of results.
  func closeFiles() throws(CommandFailure) {
    try rejects?.close()
    try results?.close()
  }

  /// What a row asks for; `nil` when it is refused here.
  private mutating func judge(_ row: ImportRow, header: [String]?) -> ImportRow.Content? {
    switch row.content {
    case .success(let content): return content
    case .failure(let problem):
      refuse(row, "unreadable", problem.what, header: header)
      return nil
    }
  }

  private static func bring(_ row: ImportRow, _ content: ImportRow.Content, _ importer: RowImporter) async -> Finished {
    do {
      return Finished(row: row, result: .success(try await importer.run(content)))
    } catch {
      return Finished(row: row, result: .failure(error))
    }
  }

  private mutating func note(_ finished: Finished, header: [String]?) -> ClientError? {
    switch finished.result {
    case .success(.created):
      report.created += 1
      results?.write(line: finished.row.line, id: finished.row.idText ?? "", outcome: "created")
    case .success(.updated):
      report.updated += 1
      results?.write(line: finished.row.line, id: finished.row.idText ?? "", outcome: "updated")
    case .success(.overwritten):
      report.updated += 1
      report.overwritten += 1
      results?.write(line: finished.row.line, id: finished.row.idText ?? "", outcome: "updated")
    case .success(.unchanged):
      report.unchanged += 1
      results?.write(line: finished.row.line, id: finished.row.idText ?? "", outcome: "unchanged")
    case .success(.refused(let outcome, let reason)): refuse(finished.row, outcome, reason, header: header)
    case .failure(let error): return error
    }
    return nil
  }

  private mutating func refuse(_ row: ImportRow, _ outcome: String, _ reason: String, header: [String]?) {
    let refusal = ImportReport.Refusal(line: row.line, id: row.idText, outcome: outcome, reason: reason)
    report.add(refusal)
    results?.write(line: row.line, id: row.idText ?? "", outcome: outcome)
    rejects?.write(row, refusal, header: header)
  }
}
