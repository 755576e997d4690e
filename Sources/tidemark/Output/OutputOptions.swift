import ArgumentParser

/// How a command prints what it found.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON document.")
  var json = false

  @Flag(help: "Print one JSON object a line.")
  var ndjson = false

  @Option(help: ArgumentHelp("Print only these members, separated by commas; '?' lists them.", valueName: "names"))
  var fields: String?

  @Flag(help: "Print labelled lines in place of tables, and no progress bar.")
  var screenReader = false

  func validate() throws {
    if json && ndjson { throw ValidationError("--json and --ndjson exclude each other.") }
  }

  var format: RecordFormat {
    if json { return .json }
    if ndjson { return .lines }
    return screenReader ? .labels : .table
  }

  /// The chosen names, in order; `nil` for the usual ones.
  var chosen: [String]? {
    guard let fields, fields != "?" else { return nil }
    return fields.split(separator: ",").map { $0.trimmingBlanks }
  }

  /// Prints the names there are when they were asked for.
  ///
  /// - Returns: `true` when the command has nothing more to do.
  func listsFields(_ names: [String], note: String? = nil) -> Bool {
    guard fields == "?" else { return false }
    StandardStream.output.write(names.joined(separator: "\n") + "\n")
    if let note { StandardStream.error.write(note + "\n") }
    StandardStream.error.flush()
    return true
  }
}

enum RecordFormat {
  case table, labels, json, lines
}

extension StringProtocol {
  var trimmingBlanks: String {
    String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}
