import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Takes the rows of a table of another database in as entities.
struct Adopt: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take the rows of a table of PostgreSQL or SQLite in as entities, while others go on writing to it.",
    usage: """
      tidemark adopt <source> <table> --type <type> [--column column=field] [options]
      tidemark adopt <source> <table> --type <type> --verify [options]
      tidemark adopt <source> <table> --type <type> --undo [options]
      """,
    discussion: """
      The source is postgres://USER@HOST/DATABASE, with the password in the file that PGPASSFILE names, or sqlite:FILE. It is only \
      read and never locked, from one state of it; a SQLite file that has no write-ahead log is read page by page. Each row becomes an entity at version 1, whose id is the value of the primary \
      key, or of another unique column that --id names.

      Columns become fields of the same name: integers int, floating numbers double, truth values bool, binary data bytes, times \
      timestamp (in UTC when they have no zone), JSON json, lists of scalars list, NULL an absent field. Everything else becomes \
      text: dates, which are no instants, and decimal numbers, which a double would round. In SQLite the declared type of a column \
      decides, and each value where it says nothing. --column a=b names the field, --column a=int says its kind, --column a=int:b \
      both, --column a=skip leaves it out.

      A row that cannot be taken is told with its id and the reason, and the others go on. Running the same command again takes what \
      is missing and does nothing twice. --verify compares every field with the source, and tells which side changed since. --undo \
      deletes what was adopted and nobody changed since; the deleted can be restored, or adopted --again, when their versions go on.

      Exits with 3 when rows were refused, differ, or were kept.
      """)

  @Argument(help: "The database: postgres://USER@HOST/DATABASE or sqlite:FILE.") var source: String
  @Argument(help: "The table, or SCHEMA.TABLE.") var table: String
  @Option(help: "The type of the entities.", completion: .types) var type: String
  @Option(help: ArgumentHelp("The column with unique ids, in place of the primary key.", valueName: "column")) var id: String?
  @Option(
    help: ArgumentHelp(
      "What a column becomes: column=field, column=kind, column=kind:field or column=skip.", valueName: "column=field"))
  var column: [String] = []
  @Option(help: ArgumentHelp("A column with ids of entities of that type.", valueName: "column=type")) var reference: [String] =
    []
  @Flag(help: "Only tell what would become of the rows. Nothing is stored.") var dryRun = false
  @Flag(help: "Compare every field with the source. Nothing is stored.") var verify = false
  @Flag(help: "Delete what was adopted from the table and not changed since.") var undo = false
  @Flag(help: "Adopt rows anew whose entities were deleted since. Their versions go on.") var again = false
  @Flag(help: "Do not ask before --undo.") var yes = false
  @Option(help: ArgumentHelp("Write refused rows to this file as JSON Lines, each with the reason.", valueName: "file"))
  var rejects: String?
  @OptionGroup var options: CallOptions

  func validate() throws {
    guard [dryRun, verify, undo].count(where: { $0 }) < 2 else {
      throw ValidationError("--dry-run, --verify and --undo exclude each other.")
    }
  }

  func run() async throws {
    let type = try Arguments.type(type)
    let source = try SourceURL(source).open(table, id: id)
    Interruption.watch()
    try await options.run { session in
      let rows = try await AdoptRows(session.space, type, identity: source.identity)
      let start = ContinuousClock.now
      let (report, end) = try await undo ? takeBack(rows, session) : take(source, rows, session)
      try finish(report, end, seconds: (ContinuousClock.now - start) / .seconds(1), session)
    }
  }

  private func take(_ source: any SourceTable, _ rows: AdoptRows, _ session: Session) async throws -> (AdoptReport, ImportJob.End)
  {
    let map = try AdoptMap(source, maps: column, references: reference)
    if dryRun { session.note((["\(source.key) -> id"] + map.summary).joined(separator: "\n")) }
    if let note = source.note { session.note(note) }
    for hint in hints(map, rows) { session.note(hint) }
    let work: AdoptReport.Work = verify ? .verify : dryRun ? .dryRun : .adopt
    var job = AdoptJob(
      work, rows: rows, map: map, again: again,
      rejects: try rejects.map { path throws(CommandFailure) in try RejectFile(path: path) },
      progress: Progress("rows", session.output), quiet: Progress("", try OutputOptions.parse(["--screen-reader"])),
      isInterrupted: { Interruption.isRequested })
    var end = try await job.run(source)
    try job.closeFiles()
    var report = job.report
    if verify, end == .complete { end = try await addGone(&report, source, rows) }
    return (report, end)
  }

  /// Says where the schema of the space does not know a reference.
  private func hints(_ map: AdoptMap, _ rows: AdoptRows) -> [String] {
    map.references.compactMap { path, target in
      let field = rows.schema?.fields.first { $0.name == path }
      guard field?.reference?.target != target else { return nil }
      return
        "'\(path)' will hold ids of \(target), which nobody checks: the schema of the space does not say '\(path): string -> \(target)'."
    }
  }

  /// Notes the entities that were adopted from rows which are gone.
  private func addGone(
    _ report: inout AdoptReport, _ source: any SourceTable, _ rows: AdoptRows
  ) async throws -> ImportJob.End {
    var page: [Entity] = []
    func check(_ page: [Entity], _ report: inout AdoptReport) async throws {
      let ours = try await rows.adopted(page)
      let there = try source.existing(page.map(\.key.id.text).filter { text in EntityID(text).map { ours[$0] != nil } ?? false })
      for entity in page where ours[entity.key.id] != nil && !there.contains(entity.key.id.text) {
        report.refuse(0, entity.key.id.text, "gone_from_source", "the row was deleted in the source after it was adopted")
      }
    }
    do {
      for try await entity in rows.space.list(rows.type) {
        page.append(entity)
        guard page.count == 200 else { continue }
        if Interruption.isRequested { return .interrupted }
        try await check(page, &report)
        page = []
      }
      try await check(page, &report)
    } catch let error as ClientError { return .failed(error) }
    return .complete
  }

  private func takeBack(_ rows: AdoptRows, _ session: Session) async throws -> (AdoptReport, ImportJob.End) {
    try options.confirm(
      "This deletes every \(rows.type) in '\(session.target.space)' that was adopted from '\(table)' and not changed since.",
      isConfirmed: yes)
    var undo = AdoptUndo(
      rows: rows, progress: Progress("entities", session.output), isInterrupted: { Interruption.isRequested })
    let end = try await undo.run()
    return (undo.report, end)
  }

  private func finish(_ report: AdoptReport, _ end: ImportJob.End, seconds: Double, _ session: Session) throws {
    let isComplete = end == .complete
    if session.output.format == .json || session.output.format == .lines {
      let document = report.json(isComplete: isComplete, seconds: seconds)
      StandardStream.output.write((session.output.json ? document.pretty : document.compact) + "\n")
      StandardStream.output.flush()
    }
    session.note(report.text(isComplete: isComplete, seconds: seconds))
    if report.refused > 0, let rejects { session.note("The refused rows are in \(rejects), with the reason beside each.") }
    for line in advice(report) { session.note(line) }
    let again = "To continue, run the same command again: what was done is not done twice."
    switch end {
    case .complete:
      if report.refused > 0 || verify && report.others > 0 { throw CommandFailure.told(.partlyDone) }
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

  private func advice(_ report: AdoptReport) -> [String] {
    var lines: [String] = []
    let words = ["tidemark", "adopt", source, table, "--type", type]
    if report.work == .adopt, report.done > 0 {
      lines.append("To check them against the source:  \(ShellText.join(words + reading + ["--verify"]))")
      lines.append("To take them back:                 \(ShellText.join(words + (id.map { ["--id", $0] } ?? []) + ["--undo"]))")
    }
    if report.work == .adopt, report.refusedByOutcome[OutcomeCode.referenceViolation.word] != nil {
      lines.append("Rows that point to rows which were not there yet are taken when the same command is run again.")
    }
    if report.work == .verify, report.others > 0 {
      lines.append("To adopt the missing:  \(ShellText.join(words + reading))")
    }
    return lines
  }

  /// The options that say how rows are read.
  private var reading: [String] {
    (id.map { ["--id", $0] } ?? []) + column.flatMap { ["--column", $0] } + reference.flatMap { ["--reference", $0] }
  }
}
