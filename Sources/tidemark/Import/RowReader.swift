#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

enum FileFormat: String {
  case csv, jsonl

  /// The format that was asked for, or the one that the name of the file says.
  static func chosen(_ text: String?, for file: String) throws(CommandFailure) -> FileFormat {
    if let text {
      guard let known = FileFormat(rawValue: text) else { throw .usage("--format is csv or jsonl.") }
      return known
    }
    let name = file.lowercased()
    if name.hasSuffix(".csv") { return .csv }
    if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") { return .jsonl }
    throw .usage("Say what \(file == "-" ? "standard input holds" : "'\(file)' is"): --format csv or --format jsonl.")
  }
}

/// Reads the rows of a file one by one, in bounded memory: one piece of the file, and the rows that end in it.
struct RowReader {
  /// How much is read at once, in bytes.
  private static let pieceBytes = 64 * 1024

  private enum Parser {
    case csv(CSVParser, CSVRowMaker?)
    case lines(LineSplitter, JSONRowMaker)
  }

  private let idColumn: String
  private let map: ColumnMap
  private var parser: Parser
  private let descriptor: Int32
  /// Whether to stop waiting for the file: standard input may say nothing for a long time.
  private let isInterrupted: @Sendable () -> Bool
  private var rows: ArraySlice<ImportRow> = []
  private var isAtEnd = false
  private var failure: CommandFailure?
  /// How much was read, in bytes.
  private(set) var bytesRead: UInt64 = 0
  /// The size of the file; `nil` when it is no regular file.
  let bytesTotal: UInt64?

  /// Opens a file; `-` is standard input.
  init(
    path: String, format: FileFormat, idColumn: String, map: ColumnMap, isInterrupted: @escaping @Sendable () -> Bool
  ) throws(CommandFailure) {
    self.isInterrupted = isInterrupted
    self.idColumn = idColumn
    self.map = map
    descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandFailure(.failed, "'\(path)' cannot be read: \(TextFile.systemText()).") }
    var status = stat()
    bytesTotal = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? UInt64(clamping: status.st_size) : nil
    switch format {
    case .csv: parser = .csv(CSVParser(), nil)
    case .jsonl: parser = .lines(LineSplitter(), JSONRowMaker(idName: idColumn, map: map))
    }
  }

  func close() { if descriptor > 0 { _ = closeFile(descriptor) } }

  /// The header of a CSV file, once the first row was asked for.
  var header: [String]? {
    guard case .csv(_, let maker?) = parser else { return nil }
    return maker.header
  }

  /// The next row; `nil` at the end, and when `isInterrupted` said so.
  ///
  /// - Throws: `CommandFailure` when the file cannot be read on. Rows before the fault are given out first.
  mutating func next() throws(CommandFailure) -> ImportRow? {
    while true {
      if let row = rows.popFirst() { return row }
      if let failure { throw failure }
      if isAtEnd || isInterrupted() { return nil }
      if waitForInput() { try readPiece() }
    }
  }

  /// Waits a little; `true` when there is something to read, or the end.
  private func waitForInput() -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, 200) != 0
  }

  private mutating func readPiece() throws(CommandFailure) {
    var piece = [UInt8](repeating: 0, count: RowReader.pieceBytes)
    let count = read(descriptor, &piece, piece.count)
    if count < 0 {
      if errno == EINTR { return }
      throw CommandFailure(.failed, "The file cannot be read: \(TextFile.systemText()).")
    }
    bytesRead += UInt64(count)
    isAtEnd = count == 0
    switch parser {
    case .csv(var csv, let maker):
      // Taken out while it changes, so that its buffers are not copied.
      parser = .csv(CSVParser(), nil)
      let (found, fault) = parse(&csv, piece[..<count])
      parser = .csv(csv, maker)
      try take(found)
      if let fault { failure = CommandFailure(.failed, "Line \(fault.line): \(fault.what).", code: "unreadable") }
    case .lines(var splitter, let maker):
      parser = .lines(LineSplitter(), maker)
      var lines: [LineSplitter.Line] = []
      do {
        lines = try splitter.split(piece[..<count])
        if isAtEnd { lines += splitter.finish() }
      } catch {
        failure = CommandFailure(.failed, "Line \(error.line): \(error.what).", code: "unreadable")
      }
      parser = .lines(splitter, maker)
      rows = lines.map(maker.make)[...]
    }
  }

  private func parse(_ csv: inout CSVParser, _ piece: ArraySlice<UInt8>) -> ([CSVParser.Row], CSVParser.Failure?) {
    do {
      return (isAtEnd ? try csv.finish() : try csv.parse(piece), nil)
    } catch {
      return (csv.takeRows(), error)
    }
  }

  /// The first row is the header.
  private mutating func take(_ found: [CSVParser.Row]) throws(CommandFailure) {
    guard case .csv(let csv, let known) = parser else { return }
    var records = found[...]
    var maker = known
    if maker == nil, let first = records.popFirst() {
      maker = try CSVRowMaker(header: first.cells.map { $0.trimmingBlanks }, idColumn: idColumn, map: map)
      parser = .csv(csv, maker)
    }
    guard let maker else { return }
    rows = records.map(maker.make)[...]
  }
}

private func closeFile(_ descriptor: Int32) -> Int32 {
  #if canImport(Darwin)
    Darwin.close(descriptor)
  #elseif canImport(Musl)
    Musl.close(descriptor)
  #else
    Glibc.close(descriptor)
  #endif
}
