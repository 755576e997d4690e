/// Reads CSV (RFC 4180) piece by piece: quoted cells, doubled quotes, newlines in quotes, CRLF or LF, a byte order mark.
///
/// A value without I/O: bytes in, rows out. It holds one row at most, whatever the size of the input. A record that is an empty
/// line is left out, since it cannot be told from a stray newline.
struct CSVParser {
  /// One record.
  struct Row: Equatable {
    var cells: [String]
    /// The line on which it begins, from 1.
    var line: Int
  }

  /// Says what is wrong with the input, and on which line.
  struct Failure: Error, Equatable {
    var line: Int
    var what: String
  }

  /// The largest record, in bytes: nothing above this can become an entity.
  static let rowBytesMax = 4 * 1024 * 1024

  private enum State {
    /// At the start of a cell.
    case start
    case plain
    case quoted
    /// Behind a quote within quotes: doubled, or the end of the cell.
    case quote
    /// Behind a CR that is not in quotes.
    case carriageReturn
  }

  private let separator: UInt8
  private var state = State.start
  private var cell: [UInt8] = []
  private var cells: [String] = []
  private var rows: [Row] = []
  private var rowBytes = 0
  private var line = 1
  private var rowLine = 1
  /// How many bytes of a byte order mark came; `nil` once the start of the input is passed.
  private var markBytes: Int? = 0

  init(separator: UInt8 = UInt8(ascii: ",")) { self.separator = separator }

  /// Takes the next bytes of the input.
  ///
  /// - Returns: the rows that end in these bytes.
  /// - Throws: `Failure`; only `takeRows()` may be called afterwards.
  mutating func parse(_ bytes: some Sequence<UInt8>) throws(Failure) -> [Row] {
    for byte in bytes {
      if markBytes != nil, try skipMark(byte) { continue }
      try take(byte)
    }
    return takeRows()
  }

  /// The rows that ended before a failure.
  mutating func takeRows() -> [Row] {
    defer { rows = [] }
    return rows
  }

  /// Ends the input.
  ///
  /// - Returns: the last row, when the input does not end with a newline.
  mutating func finish() throws(Failure) -> [Row] {
    try endMark()
    switch state {
    case .quoted: throw Failure(line: rowLine, what: "a quoted cell has no closing quote")
    case .start, .plain, .quote:
      if state != .start || !cells.isEmpty { try endRow() }
    case .carriageReturn: break
    }
    return takeRows()
  }

  /// Takes one byte at the start of the input; `false` when it is not part of a byte order mark.
  private mutating func skipMark(_ byte: UInt8) throws(Failure) -> Bool {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    guard let count = markBytes, byte == mark[count] else {
      try endMark()
      return false
    }
    markBytes = count + 1 == mark.count ? nil : count + 1
    return true
  }

  /// Gives back the bytes of a mark that did not become one.
  private mutating func endMark() throws(Failure) {
    guard let count = markBytes else { return }
    markBytes = nil
    for byte: UInt8 in [0xEF, 0xBB].prefix(count) { try take(byte) }
  }

  private mutating func take(_ byte: UInt8) throws(Failure) {
    rowBytes += 1
    guard rowBytes <= CSVParser.rowBytesMax else {
      throw Failure(line: rowLine, what: "a record is larger than 4 MiB; is a closing quote missing?")
    }
    if state == .carriageReturn {
      state = .start
      // The line was counted at the CR.
      if byte == UInt8(ascii: "\n") {
        rowBytes = 0
        return
      }
    }
    switch (state, byte) {
    case (.quoted, UInt8(ascii: "\"")): state = .quote
    case (.quoted, _):
      if byte == UInt8(ascii: "\n") { line += 1 }
      cell.append(byte)
    case (.quote, UInt8(ascii: "\"")):
      cell.append(byte)
      state = .quoted
    case (_, separator): try endCell()
    case (_, UInt8(ascii: "\n")), (_, UInt8(ascii: "\r")):
      if state == .start, cells.isEmpty { rowBytes = 0 } else { try endRow() }
      line += 1
      rowLine = line
      state = byte == UInt8(ascii: "\r") ? .carriageReturn : .start
    case (.start, UInt8(ascii: "\"")):
      state = .quoted
    case (.quote, _): throw Failure(line: line, what: "something follows a closing quote")
    case (.plain, UInt8(ascii: "\"")):
      throw Failure(line: line, what: "a quote stands inside a cell; put the cell in quotes and double the quote")
    default:
      cell.append(byte)
      state = .plain
    }
  }

  private mutating func endCell() throws(Failure) {
    guard let text = String(validating: cell, as: UTF8.self) else {
      throw Failure(line: line, what: "the text is not valid UTF-8")
    }
    cells.append(text)
    cell.removeAll(keepingCapacity: true)
    state = .start
  }

  private mutating func endRow() throws(Failure) {
    try endCell()
    rows.append(Row(cells: cells, line: rowLine))
    cells.removeAll(keepingCapacity: true)
    rowBytes = 0
  }
}

/// Writes CSV (RFC 4180).
enum CSVText {
  /// One record with its CRLF. Cells are quoted only where they must be.
  static func row(_ cells: [String]) -> String {
    // A record of one empty cell would be an empty line, which a reader leaves out.
    if cells == [""] { return "\"\"\r\n" }
    return cells.map(quote).joined(separator: ",") + "\r\n"
  }

  private static func quote(_ cell: String) -> String {
    let needsQuotes = cell.utf8.contains {
      $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r")
    }
    let startsLikeMark = cell.utf8.first == 0xEF
    guard needsQuotes || startsLikeMark else { return cell }
    var text = "\""
    for scalar in cell.unicodeScalars {
      if scalar == "\"" { text.unicodeScalars.append("\"") }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }
}
