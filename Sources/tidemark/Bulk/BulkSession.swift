import TidemarkClient
import TidemarkCore

/// What the bulk commands share: the files they leave, and how they report and end.
struct BulkSession {
  let session: Session
  let options: BulkOptions
  /// The files; `nil` for none.
  let names: BulkFileNames?
  /// What is sent, in the plural, for the report.
  let what: String
  /// The same for one.
  let one: String
  /// What the results told before.
  private let earlier: EarlierResults
  private let outputs: Outputs
  private let start = ContinuousClock.now

  /// The files and the table of a bulk, which every row writes to.
  private final class Outputs {
    var results: BulkResultsFile?
    var failed: RejectFile?
    var table: RecordWriter?
    /// The operations that the results tell of as done.
    private var told: Set<String> = []

    init(results: BulkResultsFile?, table: RecordWriter?) {
      self.results = results
      self.table = table
    }

    /// Writes a line of results, and none twice of what was done.
    func note(_ record: JSON, isDone: Bool) {
      if isDone, let operation = record["operation_id"]?.string, !told.insert(operation).inserted { return }
      results?.write(record)
    }
  }

  /// What `--validate-only` prints of each row.
  static let columns = ["line", "outcome", "operation", "type", "id", "version", "message"]

  init(
    _ session: Session, _ options: BulkOptions, names: BulkFileNames?, earlier: EarlierResults, what: String, one: String,
    source: String, epoch: Epoch
  ) throws(CommandFailure) {
    self.session = session
    self.options = options
    self.names = names
    self.what = what
    self.one = one
    self.earlier = earlier
    var table: RecordWriter?
    let prints = options.validatesOnly && !session.output.json
    if prints || session.output.ndjson {
      table = RecordWriter(session.output, columns: BulkSession.columns, known: BulkSession.columns)
    }
    guard let names else {
      outputs = Outputs(results: nil, table: table)
      return
    }
    let header = JSON.object([
      .init(
        "bulk",
        .object([
          .init("space", .string(options.space.text)), .init("server", .string(session.target.address.description)),
          .init("file", .string(source)), .init("epoch", .string(UUIDText.format(epoch.rawValue))),
        ]))
    ])
    outputs = Outputs(results: try BulkResultsFile(path: names.results, header: header), table: table)
    if earlier.isFirst { keepEarlier() }
  }

  /// Takes what became of a row.
  ///
  /// - Parameter header: of the file it came from, for the file of failed rows.
  func take(_ result: BulkResult, header: [String]?) throws {
    let record = try result.json()
    outputs.note(record, isDone: result.isDone)
    if outputs.table != nil { outputs.table?.write(session.output.ndjson ? record : BulkSession.short(record)) }
    // What is no row of a file cannot be written as one.
    guard !result.isDone, let names, !result.row.isPlain else { return }
    if outputs.failed == nil { outputs.failed = try RejectFile(path: names.failed) }
    let refusal = ImportReport.Refusal(
      line: result.row.line, id: result.row.id, outcome: result.word, reason: result.message)
    let row = ImportRow(
      line: result.row.line, idText: result.row.id, content: .failure(.init(what: "")), source: result.row.source)
    outputs.failed?.write(row, refusal, header: header)
  }

  /// Takes the word of an earlier run about a row.
  func keep(_ record: JSON) {
    outputs.note(record, isDone: true)
    outputs.table?.write(session.output.ndjson ? record : BulkSession.short(record))
  }

  /// Keeps what the results told of applied writes.
  private func keepEarlier() {
    for record in earlier.records { outputs.note(record, isDone: true) }
  }

  /// Leaves the earlier results in their place.
  func discard() { outputs.results?.discard() }

  func flush() { outputs.results?.flush() }

  private static func short(_ record: JSON) -> JSON {
    .object(columns.map { JSON.Member($0, record[$0] ?? .null) })
  }

  /// Ends the files, tells what became of all, and ends the command with its status.
  ///
  /// - Parameters:
  ///   - advice: commands to go on with when some failed.
  ///   - remarks: what there is to say besides, also when all went well.
  func finish(_ tally: BulkTally, _ end: BulkJob.End, advice: [String], remarks: [String] = []) throws {
    if case .unreadable(let failure) = end, tally.rows == 0 {
      outputs.results?.discard()
      throw failure
    }
    // What an earlier run did stays known when this one did nothing.
    let keepsEarlier = tally.isUnanswered && names.map { TextFile.exists($0.results) } ?? false
    if keepsEarlier {
      outputs.results?.discard()
    } else {
      // What this run did not come to.
      keepEarlier()
      try outputs.results?.close()
    }
    if let failed = outputs.failed {
      try failed.close()
    } else if let names {
      TextFile.remove(names.failed)
    }
    outputs.table?.finish()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    var isComplete = false
    if case .complete = end { isComplete = true }
    if session.output.json {
      let document = try tally.json(isComplete: isComplete, validatesOnly: options.validatesOnly, seconds: seconds)
      StandardStream.output.write(document.pretty + "\n")
      StandardStream.output.flush()
    }
    session.note(tally.text(what, one: one, isComplete: isComplete, validatesOnly: options.validatesOnly, seconds: seconds))
    if let names {
      let failed = outputs.failed == nil ? "" : ", the failed rows in \(names.failed)"
      session.note(
        keepsEarlier
          ? "Nothing was answered: \(names.results) still tells of the earlier run\(failed)."
          : "Each outcome is in \(names.results)\(failed).")
    }
    for remark in remarks { session.note(remark) }
    if tally.failed > 0, !advice.isEmpty, !options.validatesOnly {
      session.note(advice.joined(separator: "\n"))
    }
    try end.conclude(tally, session, options)
  }
}

extension BulkJob.End {
  /// Ends the command with the status that belongs to it.
  fileprivate func conclude(_ tally: BulkTally, _ session: Session, _ options: BulkOptions) throws {
    let again = "To continue, run the same command again: what was done is not done twice."
    switch self {
    case .complete:
      guard tally.failed > 0 else { return }
      // All or nothing: what stopped it is the outcome of the whole.
      if options.mode == .atomic, let first = tally.failures.first(where: { $0.outcome.map { $0.code != .aborted } ?? true }) {
        throw CommandFailure.told(first.outcome.map { ExitStatus($0.code) } ?? .failed)
      }
      throw CommandFailure.told(.partlyDone)
    case .interrupted:
      session.note("Interrupted. \(again)")
      throw CommandFailure.told(.interrupted)
    case .unreadable(let failure): throw failure
    case .failed(let error):
      var failure = CommandFailure(error, to: session.target.address, tokenSource: session.target.tokenSource)
      failure.operation = nil
      failure.advice = failure.advice.filter { !$0.contains("--operation") } + [again]
      throw failure
    }
  }
}
