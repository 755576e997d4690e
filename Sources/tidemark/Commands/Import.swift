import ArgumentParser
import TidemarkClient
import TidemarkCore

/// Brings the rows of a file to a space.
struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Import a CSV or JSON Lines file, in bounded memory.",
    usage: "tidemark import <file> --type <type> [--map column:kind,...] [options]",
    discussion: """
      Each row becomes one entity. Columns are text unless --map or --column says otherwise; empty cells become absent \
      fields; JSON values keep their kinds. Fields that the file does not speak of are left alone.

      Running the same command again continues where it stopped: no row is applied twice. A row whose entity is there with \
      the same content counts as unchanged; with other content it is refused, unless --update is given: then the differing \
      fields are changed. What somebody edited since is no exception to the rule that no edit is lost: such rows are refused as \
      edited since, unless --overwrite is given. An entity counts as edited when its version is neither the first nor one that \
      an import from this account made; these are remembered in $XDG_STATE_HOME/tidemark/imports.

      Exits with 3 when some rows were refused.
      """)

  @Argument(help: "The file; '-' is standard input.", completion: .file()) var file: String
  @Option(help: "The type of the entities.", completion: .types) var type: String
  @Option(help: "The column that holds the ids.") var idColumn = "id"
  @Option(help: ArgumentHelp("How columns are read: column:kind or column:kind:field, joined by commas.", valueName: "map"))
  var map: [String] = []
  @Option(help: ArgumentHelp("The same for one column.", valueName: "column=kind"))
  var column: [String] = []
  @Option(help: "csv or jsonl; by the name of the file when it is not given.") var format: String?
  @Flag(help: "Change entities that are there and differ, unless they were edited since their import.") var update = false
  @Flag(help: "Change them also when they were edited since. Implies --update.") var overwrite = false
  @Option(help: ArgumentHelp("Write refused rows to this file, each with the reason.", valueName: "file"))
  var rejects: String?
  @Option(
    help: ArgumentHelp(
      "Write what became of each row to this file, one JSON object a line, as it is answered.", valueName: "file"))
  var results: String?
  @Option(help: "How many rows may be on their way at once.") var inFlight = 64
  @OptionGroup var options: CallOptions

  func validate() throws {
    guard (1...1_000).contains(inFlight) else { throw ValidationError("--in-flight is 1 to 1000.") }
  }

  func run() async throws {
    let type = try Arguments.type(type)
    let map = try ColumnMap(maps: map, columns: column)
    Interruption.watch()
    let reader = try RowReader(
      path: file, format: try FileFormat.chosen(format, for: file), idColumn: idColumn, map: map,
      isInterrupted: { Interruption.isRequested })
    defer { reader.close() }
    let rejectFile = try rejects.map { path throws(CommandFailure) in try RejectFile(path: path) }
    let resultFile = try results.map { path throws(CommandFailure) in try ResultFile(path: path) }
    try await options.run { session in
      let importer = RowImporter(
        space: session.space, type: type, updates: update || overwrite, overwrites: overwrite, memory: ImportMemory())
      var job = ImportJob(
        importer: importer, inFlightMax: inFlight, rejects: rejectFile, results: resultFile,
        progress: Progress("rows", session.output),
        isInterrupted: { Interruption.isRequested })
      let start = ContinuousClock.now
      let end = await job.run(reader)
      try job.closeFiles()
      try report(job.report, end, seconds: (ContinuousClock.now - start) / .seconds(1), session)
    }
  }

  private func report(_ report: ImportReport, _ end: ImportJob.End, seconds: Double, _ session: Session) throws {
    let isComplete = end == .complete
    if session.output.format == .json || session.output.format == .lines {
      let document = report.json(isComplete: isComplete, seconds: seconds)
      StandardStream.output.write((session.output.json ? document.pretty : document.compact) + "\n")
      StandardStream.output.flush()
    }
    session.note(report.text(isComplete: isComplete, seconds: seconds))
    if report.refused > 0, let rejects { session.note("The refused rows are in \(rejects): mend them and import that file.") }
    let again = "To continue, run the same command again: what was done is not done twice."
    switch end {
    case .complete:
      if report.refused > 0 { throw CommandFailure.told(.partlyDone) }
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
