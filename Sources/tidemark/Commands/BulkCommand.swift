import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Writes many entities, each against the version that was seen.
struct BulkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bulk",
    abstract: "Write many entities from a file, each against the version that was seen.",
    usage: """
      tidemark bulk <file> [--type <type>] [--map column:kind,...] [options]
      tidemark bulk - --format <format> [--name <name>] [--type <type>] [options]
      tidemark bulk retry <results> [--only <outcomes>] [options]
      tidemark bulk undo <operation> | <results> [options]
      """,
    discussion: """
      A row has an id, the type (or --type), the version that was seen when it is there already, and fields. CSV cells are text \
      unless --map or --column says otherwise, for example --map seats:int. 'tidemark bulk run --help' tells the rest.
      """,
    subcommands: [BulkRun.self, BulkRetryCommand.self, BulkUndo.self], defaultSubcommand: BulkRun.self)
}

/// What those take that send rows.
struct BulkFlags: ParsableArguments {
  /// What may become of a row whose entity was changed since.
  enum Policy: String, CaseIterable, ExpressibleByArgument { case fail, merge, overwrite }

  @Option(
    help: ArgumentHelp(
      """
      What becomes of a row whose entity was changed since. It fails; or it is merged, when others changed other fields; or it \
      overwrites what they changed.
      """, valueName: "policy"))
  var onConflict = Policy.fail
  @Flag(help: "All rows or none; at most 1000.") var atomic = false
  @Flag(help: "Only tell what would become of the rows. Nothing is stored and no file is written.") var validateOnly = false

  var policy: OnConflict {
    switch onConflict {
    case .fail: .fail
    case .merge: .merge
    case .overwrite: .overwrite
    }
  }
}

/// What an undo takes. It never overwrites: what came after the write that is taken back is not its business.
struct UndoFlags: ParsableArguments {
  /// What may become of a write whose entity was changed since.
  enum Policy: String, CaseIterable, ExpressibleByArgument { case fail, merge }

  @Option(
    help: ArgumentHelp(
      "What becomes of a write whose entity was changed since. It stays; or it is undone, when others changed other fields.",
      valueName: "policy"))
  var onConflict = Policy.fail
  @Flag(help: "All writes or none; at most 1000.") var atomic = false
  @Flag(help: "Only tell what would become of the writes. Nothing is stored and no file is written.") var validateOnly = false

  var policy: OnConflict { onConflict == .merge ? .merge : .fail }
}

/// Sends the rows of a file.
struct BulkRun: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Send the rows of a CSV or JSON Lines file (the default).",
    usage: """
      tidemark bulk <file> [--type <type>] [--map column:kind,...] [options]
      tidemark bulk - --format <format> [--name <name>] [--type <type>] [options]
      """,
    discussion: """
      Columns, and members of JSON rows: type (or --type), id, version (the one that was seen), operation (create, \
      get_or_create, update, replace, delete or restore; update when there is a version, create otherwise), group \
      (neighbours with one label succeed or fail together); all others are fields. An empty cell makes the field absent. \
      Cells are text unless --map or --column says otherwise, for example --map seats:int; JSON values keep their kinds. \
      JSON rows may hold their fields in 'fields', with 'kinds' as exports write them, and 'unset' and 'increment' beside.

      Rows are judged one by one. A row that was made against an older version fails and says what changed, by whom; the \
      others are applied. Beside FILE.csv it writes FILE.results.ndjson, which holds the outcome and the operation id of each \
      row, and FILE.failed.csv with the failed rows, to be edited and run again.

      Running the same command again continues where it stopped, also after Ctrl-C or a crash: operation ids come from the \
      content of the rows, so receipts answer for what was done. --run NAME makes it another bulk, with files \
      FILE.NAME.results.ndjson and FILE.NAME.failed.csv. Results that tell of applied writes of other rows are not replaced: \
      it exits with 2 and sends nothing.

      Rows from standard input ('-', or no file and a pipe) leave no files, so that 'retry' and 'undo' have nothing to go on \
      from; --name NAME writes NAME.results.ndjson and NAME.failed.csv. The same rows again are not done twice either way.

      Exits with 3 when some rows failed; with --atomic, with the status of the row that failed.
      """)

  @Argument(help: "The file; '-' is standard input, and so is none when rows are piped in.", completion: .file())
  var file: String?
  @Option(help: "What the results are called in place of the file: NAME.results.ndjson and NAME.failed.csv.") var name: String?
  @Option(help: "The type of rows that name none.", completion: .types) var type: String?
  @Option(help: "The column that holds the ids.") var idColumn = "id"
  @Option(help: ArgumentHelp("How columns are read: column:kind or column:kind:field, joined by commas.", valueName: "map"))
  var map: [String] = []
  @Option(help: ArgumentHelp("The same for one column.", valueName: "column=kind"))
  var column: [String] = []
  @Option(help: "csv or jsonl; by the name of the file when it is not given.") var format: String?
  @Option(name: .customLong("run"), help: ArgumentHelp("Makes the same rows another bulk.", valueName: "name"))
  var runName = ""
  @OptionGroup var flags: BulkFlags
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(BulkSession.columns) { return }
    let type = try type.map { text throws(CommandFailure) in try Arguments.type(text) }
    let source = try source()
    let format = try FileFormat.chosen(format, for: source)
    var map = try ColumnMap(maps: map, columns: column)
    map.reserved = BulkRowMaker.reserved
    Interruption.watch()
    let names = try names(source, format)
    let reader = try RowReader(
      path: source, format: format, idColumn: idColumn, map: map, isInterrupted: { Interruption.isRequested })
    defer { reader.close() }
    try await options.run { session in
      let bulk = BulkOptions(
        space: session.target.space, type: type, mode: flags.atomic ? .atomic : .partial, onConflict: flags.policy,
        validatesOnly: flags.validateOnly, run: runName)
      let epoch = try await session.space.describe().epoch
      var earlier = try names.map { names throws(CommandFailure) in try EarlierResults(names.results, session, epoch) } ?? .none
      // A pipe cannot be read twice: what its results told stands before what is new.
      if reader.bytesTotal != nil, source != "-" {
        earlier.isFirst = false
        try check(earlier, source, format, map, bulk)
      }
      let output = try BulkSession(
        session, bulk, names: names, earlier: earlier, what: "rows", one: "row", source: source, epoch: epoch)
      var rows = reader
      var maker = BulkRowMaker(options: bulk)
      var header: [String]?
      var job = BulkJob(
        space: session.space, options: bulk, done: earlier.done, progress: Progress("rows", session.output),
        isInterrupted: { Interruption.isRequested }, tell: { try output.take($0, header: header) },
        tellDone: { output.keep($0) }, flush: { output.flush() })
      let end: BulkJob.End
      do {
        end = try await job.run(
          { () throws(CommandFailure) in
            guard let row = try rows.next() else { return nil }
            header = rows.header
            return maker.make(row, header: header)
          }, fraction: { rows.bytesTotal.map { Double(rows.bytesRead) / Double(max($0, 1)) } })
      } catch {
        output.discard()
        throw error is BulkJob.Untyped ? untyped(source) : error
      }
      try output.finish(job.tally, end, advice: advice(job.tally, names), remarks: BulkAdvice.remarks(job.tally, names))
    }
  }

  /// Refuses to replace the results of other rows than those of the file.
  private func check(
    _ earlier: EarlierResults, _ source: String, _ format: FileFormat, _ map: ColumnMap, _ bulk: BulkOptions
  ) throws(CommandFailure) {
    guard !earlier.records.isEmpty else { return }
    var rows = try RowReader(
      path: source, format: format, idColumn: idColumn, map: map, isInterrupted: { Interruption.isRequested })
    defer { rows.close() }
    var maker = BulkRowMaker(options: bulk)
    try earlier.check { () throws(CommandFailure) in
      guard let row = try rows.next() else {
        // Ctrl-C is no end of the file.
        if Interruption.isRequested { throw CommandFailure.told(.interrupted) }
        return nil
      }
      return maker.make(row, header: rows.header)
    }
  }

  private func untyped(_ source: String) -> CommandFailure {
    .usage(
      "No row says its type, in a column 'type', and none is given for all. Nothing was sent.",
      advice: ["To say the type:  tidemark bulk \(ShellText.quote(source)) --type TYPE"])
  }

  /// The file, or `-` for standard input.
  private func source() throws(CommandFailure) -> String {
    guard let file else {
      guard !Terminal.isInputTerminal else {
        throw .usage("Say which file holds the rows.", advice: ["To see how such a file looks: tidemark bulk run --help"])
      }
      return try fromStandardInput()
    }
    return file == "-" ? try fromStandardInput() : file
  }

  private func fromStandardInput() throws(CommandFailure) -> String {
    guard options.server.tokenFile != "-" else {
      throw .usage("Standard input cannot hold both the rows and the token: give the token another way.")
    }
    return "-"
  }

  /// The files to leave; `nil` for none.
  private func names(_ source: String, _ format: FileFormat) throws(CommandFailure) -> BulkFileNames? {
    if let name, name.isEmpty || name.hasSuffix("/") { throw .usage("--name is the beginning of a name of files.") }
    if flags.validateOnly { return nil }
    guard runName.allSatisfy({ $0.isLetter || $0.isNumber || "._-".contains($0) }) else {
      throw .usage("--run is a word of letters, digits, dots, dashes and underscores: it stands in the names of files.")
    }
    // Another bulk has results of its own, so that those of the first can still be taken back.
    let run = runName.isEmpty ? "" : ".\(runName)"
    if let name { return BulkFileNames(stem: name + run, format: format) }
    return source == "-" ? nil : BulkFileNames(of: source, format: format, run: run)
  }

  private func advice(_ tally: BulkTally, _ names: BulkFileNames?) -> [String] {
    guard let names else {
      return ["No results were kept, so 'retry' and 'undo' have nothing to go on from: give --name NAME to keep them."]
    }
    return BulkAdvice.lines(tally, names, flags.atomic ? .atomic : .partial) + [
      "To mend the rows by hand, edit that file and:      tidemark bulk \(ShellText.quote(names.failed))\(reading)"
    ]
  }

  /// The options that say how rows are read: without them the same rows would be read otherwise.
  private var reading: String {
    var words: [String] = []
    if let type { words += ["--type", type] }
    if idColumn != "id" { words += ["--id-column", idColumn] }
    for text in map { words += ["--map", text] }
    for text in column { words += ["--column", text] }
    return words.map { " " + ShellText.quote($0) }.joined()
  }
}

/// Sends failed rows again.
struct BulkRetryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Send failed rows of an earlier bulk again.",
    usage: "tidemark bulk retry <results> [--only <outcomes>] [options]",
    discussion: """
      A row that failed by a conflict is written against the version that its results name, which is the one you were shown: \
      when somebody changed the entity once more, it fails again. With --on-conflict merge it is written as it was, and merged \
      with what others changed since.

      Rows that were to succeed together are sent again together: --only conflict,aborted, with --atomic after an atomic bulk.

      Writes the outcomes beside, to NAME.retry.results.ndjson, which keeps what earlier retries applied. Results of another \
      server or space, or of the time before a restore, are refused. Exits like 'tidemark bulk'.
      """)

  @Argument(help: "The results of the bulk, NAME.results.ndjson.", completion: .file()) var results: String
  @Option(help: ArgumentHelp("Only rows with these outcomes, joined by commas, for example conflict.", valueName: "outcomes"))
  var only: String?
  @OptionGroup var flags: BulkFlags
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(BulkSession.columns) { return }
    let policy = flags.policy
    let wanted = only.map { Set($0.split(separator: ",").map { $0.trimmingBlanks }) }
    let known = OutcomeCode.allCases.map(\.word) + ["unreadable", "not_sent"]
    for word in wanted ?? [] where !known.contains(word) {
      let meant = Spelling.nearest(word, known).first.map { " Is '\($0)' meant?" } ?? ""
      throw CommandFailure.usage("There is no outcome '\(word)'.\(meant)", advice: ["To see what there is: tidemark outcomes"])
    }
    let history = try BulkHistory(path: results)
    let names = BulkFileNames(ofResults: results, "retry")
    let entries = history.entries.filter {
      !$0.isDone && (wanted?.contains($0.outcome) ?? true) && $0.record["item"] != nil
    }
    guard !entries.isEmpty else { throw CommandFailure(.failed, "'\(results)' holds no such row to send again.", code: "empty") }
    Interruption.watch()
    try await options.run { session in
      try history.check(session.target.space, results)
      let epoch = try await session.space.describe().epoch
      try history.check(session, epoch, results, allowsRestored: false)
      let bulk = BulkOptions(
        space: session.target.space, mode: flags.atomic ? .atomic : .partial, onConflict: policy,
        validatesOnly: flags.validateOnly)
      let earlier = flags.validateOnly ? .none : try EarlierResults(names.results, session, epoch)
      let output = try BulkSession(
        session, bulk, names: flags.validateOnly ? nil : names, earlier: earlier, what: "rows", one: "row", source: results,
        epoch: epoch)
      var maker = BulkRowMaker(options: bulk)
      let rowMaker = JSONRowMaker(idName: "id", map: try ColumnMap(maps: [], columns: []))
      var rest = entries[...]
      var job = BulkJob(
        space: session.space, options: bulk, done: [:], progress: Progress("rows", session.output),
        isInterrupted: { Interruption.isRequested }, tell: { try output.take($0, header: nil) }, tellDone: { output.keep($0) },
        flush: { output.flush() })
      let end = try await job.run(
        { () throws(CommandFailure) in
          guard let entry = rest.popFirst() else { return nil }
          return maker.make(rowMaker.make(Self.item(of: entry, policy), line: entry.line), header: nil)
        }, fraction: { 1 - Double(rest.count) / Double(max(entries.count, 1)) })
      try output.finish(job.tally, end, advice: BulkAdvice.lines(job.tally, names, bulk.mode))
    }
  }

  /// The row to send: as it was, against the version that its results name.
  private static func item(of entry: BulkHistory.Entry, _ policy: OnConflict) -> JSON {
    guard case .object(var members)? = entry.record["item"] else { return entry.record["item"] ?? .null }
    guard policy != .merge, entry.outcome == OutcomeCode.conflict.word, let version = entry.record["version"],
      let place = members.firstIndex(where: { $0.name == "version" })
    else { return .object(members) }
    members[place].value = version
    return .object(members)
  }
}

/// Takes writes back.
struct BulkUndo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undo", abstract: "Take back what a bulk, or one write, applied.",
    usage: "tidemark bulk undo <operation> | <results> [options]",
    discussion: """
      Each write is taken back by a new one, checked like any other: what was changed since is left alone and told, unless \
      --on-conflict merge lets it be undone around changes of other fields. Running it again does nothing twice.

      Of results it takes back what they say was applied, and writes NAME.undo.results.ndjson, which keeps what an earlier undo \
      did; undoing these does it again. Results of another server or space are refused. Exits like 'tidemark bulk'.
      """)

  @Argument(help: "An operation id of a write, or the results of a bulk.", completion: .file()) var target: String
  @OptionGroup var flags: UndoFlags
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(BulkSession.columns) { return }
    let policy = flags.policy
    Interruption.watch()
    let single = UUIDText.parse(target)
    let history = try single == nil ? BulkHistory(path: target) : nil
    let names = single == nil ? BulkFileNames(ofResults: target, "undo") : nil
    try await options.run { session in
      try history?.check(session.target.space, target)
      let epoch = try await session.space.describe().epoch
      try history?.check(session, epoch, target, allowsRestored: true)
      let bulk = BulkOptions(
        space: session.target.space, mode: flags.atomic ? .atomic : .partial, onConflict: policy,
        validatesOnly: flags.validateOnly)
      let written = flags.validateOnly ? nil : names
      let earlier = try written.map { names throws(CommandFailure) in try EarlierResults(names.results, session, epoch) } ?? .none
      let rows =
        single.map { [UndoRow(line: 1, operation: OperationID(rawValue: $0), type: "", id: "")] } ?? UndoRow.rows(of: history)
      let output = try BulkSession(
        session, bulk, names: written, earlier: earlier, what: "writes to take back", one: "write to take back", source: target,
        epoch: epoch)
      let (tally, end) = try await UndoJob(session: session, options: bulk).run(rows, output)
      try output.finish(tally, end, advice: names.map { UndoJob.advice(tally, $0) } ?? [])
    }
  }
}
