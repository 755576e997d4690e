import TidemarkCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The files that a bulk leaves beside the one it reads.
struct BulkFileNames: Equatable {
  /// What became of each row, one JSON object a line.
  var results: String
  /// The failed rows, in the form of the file they came from.
  var failed: String

  /// `moves.csv` gives `moves.results.ndjson` and `moves.failed.csv`; with `.b` for `run`, `moves.b.results.ndjson`.
  init(of file: String, format: FileFormat, run: String = "") {
    let slash = file.lastIndex(of: "/").map { file.index(after: $0) } ?? file.startIndex
    var stem = file
    if let dot = file[slash...].lastIndex(of: "."), dot > slash { stem = String(file[..<dot]) }
    self.init(stem: stem + run, format: format)
  }

  /// `moves` gives `moves.results.ndjson` and `moves.failed.csv`.
  init(stem: String, format: FileFormat) {
    results = stem + ".results.ndjson"
    failed = stem + (format == .csv ? ".failed.csv" : ".failed.ndjson")
  }

  /// `moves.results.ndjson` and `retry` give `moves.retry.results.ndjson` and `moves.retry.failed.ndjson`.
  init(ofResults file: String, _ word: String) {
    let end = ".results.ndjson"
    let stem = (file.hasSuffix(end) ? String(file.dropLast(end.count)) : file) + ".\(word)"
    results = stem + end
    failed = stem + ".failed.ndjson"
  }
}

/// Writes what became of each row as soon as it is known, and takes the place of an earlier file when all is told.
struct BulkResultsFile {
  private let path: String
  private let temporary: String
  private let file: UnsafeMutablePointer<FILE>
  private var hasFailed = false

  /// - Parameter header: what the results are of.
  init(path: String, header: JSON) throws(CommandFailure) {
    self.path = path
    temporary = path + ".part"
    guard let file = fopen(temporary, "w") else {
      throw CommandFailure(.failed, "'\(temporary)' cannot be written: \(TextFile.systemText()).")
    }
    self.file = file
    write(header)
  }

  mutating func write(_ record: JSON) {
    let bytes = Array((record.compact + "\n").utf8)
    if fwrite(bytes, 1, bytes.count, file) != bytes.count { hasFailed = true }
  }

  /// Brings what was written so far to the file, so that it is there whatever happens to this process.
  mutating func flush() { if fflush(file) != 0 { hasFailed = true } }

  /// Leaves the earlier file in its place.
  func discard() {
    fclose(file)
    TextFile.remove(temporary)
  }

  /// Ends the file and puts it in its place.
  func close() throws(CommandFailure) {
    let isClosed = fclose(file) == 0
    guard isClosed, !hasFailed, rename(temporary, path) == 0 else {
      throw CommandFailure(.failed, "'\(path)' is not complete: \(TextFile.systemText()).")
    }
  }
}

/// What an earlier run says of its rows.
struct BulkHistory {
  /// One line of a results file.
  struct Entry {
    var line: Int
    var record: JSON
    var outcome: String
    /// Whether nothing is left to do.
    var isDone: Bool
  }

  /// The space of the results; `nil` when the file does not say.
  private(set) var space: String?
  /// The address of the server; `nil` when the file does not say.
  private(set) var server: String?
  /// The epoch of that space, which tells it from others of the same name; `nil` when the file does not say.
  private(set) var epoch: String?
  private(set) var entries: [Entry] = []
  /// Whether some line was one of results.
  private var isKnown = false

  /// Reads a results file.
  ///
  /// - Throws: `CommandFailure` when there is none or it is none.
  init(path: String) throws(CommandFailure) {
    guard let file = fopen(path, "r") else {
      throw CommandFailure(.failed, "'\(path)' cannot be read: \(TextFile.systemText()).")
    }
    defer { fclose(file) }
    let done = Set(OutcomeCode.allCases.filter(\.isSuccess).map(\.word))
    var splitter = LineSplitter()
    var piece = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = fread(&piece, 1, piece.count, file)
      var lines: [LineSplitter.Line] = []
      do throws(CSVParser.Failure) {
        lines = try splitter.split(piece[..<count])
      } catch {
        throw CommandFailure(.failed, "'\(path)', line \(error.line): \(error.what).")
      }
      if count == 0 { lines += splitter.finish() }
      for line in lines { try take(line, done, path) }
      if count == 0 { return }
    }
  }

  private mutating func take(_ line: LineSplitter.Line, _ done: Set<String>, _ path: String) throws(CommandFailure) {
    guard let record = try? JSONParser.parse(line.bytes) else {
      guard isKnown else {
        throw CommandFailure(
          .failed, "'\(path)' holds no results of a bulk; these are in a file NAME.results.ndjson.", code: "unreadable",
          advice: ["To send the rows of a file:  tidemark bulk FILE"])
      }
      throw CommandFailure(.failed, "'\(path)', line \(line.number): this is no line of results.", code: "unreadable")
    }
    if case .object(let members)? = record["bulk"] {
      space = JSON.object(members)["space"]?.string
      server = JSON.object(members)["server"]?.string
      epoch = JSON.object(members)["epoch"]?.string
      isKnown = true
    }
    guard let outcome = record["outcome"]?.string else { return }
    isKnown = true
    var number = line.number
    if case .number(let text)? = record["line"] { number = Int(text) ?? number }
    entries.append(Entry(line: number, record: record, outcome: outcome, isDone: done.contains(outcome)))
  }

  /// The rows that were done in this history of this space, by the names of their writes.
  func done(in epoch: Epoch) -> [String: JSON] {
    guard self.epoch == UUIDText.format(epoch.rawValue) else { return [:] }
    return entries.reduce(into: [:]) { found, entry in
      if entry.isDone, let name = entry.record["write"]?.string { found[name] = entry.record }
    }
  }

  /// Whether an object is a line of a results file, which must not be taken for a row: its members would become fields.
  static func isLine(_ members: [JSON.Member]) -> Bool {
    let names = Set(members.map(\.name))
    if case .object? = members.first(where: { $0.name == "bulk" })?.value { return members.count == 1 }
    return names.isSuperset(of: ["line", "operation", "outcome"]) && !names.isDisjoint(with: ["write", "message"])
  }

  /// Refuses results of another space.
  func check(_ space: SpaceName, _ path: String) throws(CommandFailure) {
    guard let own = self.space, own != space.text else { return }
    throw .usage("'\(path)' holds results of the space '\(own)', not of '\(space)'.", advice: ["To go there:  --space \(own)"])
  }
}
