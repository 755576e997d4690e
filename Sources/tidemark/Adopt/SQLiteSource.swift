import TidemarkSQLite

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A table of an SQLite file.
///
/// Where the file is in WAL mode it is read from one state, and writers go on. Otherwise a reader would hold writers up for as long as it reads, so
/// each page is read by itself.
struct SQLiteSource: SourceTable {
  let name: String
  let identity: String
  let key: String
  let columns: [SourceColumn]
  let rowsEstimate: UInt64? = nil
  let rowsWithoutKey: Int
  let note: String?
  private let connection: Connection
  private let first: Statement
  private let next: Statement
  private let exists: Statement
  /// The highest key when it was opened: a program that goes on adding rows is not run after for ever.
  private let end: SourceCell
  private var last: SourceCell?

  init(file: String, table text: String, id: String?) throws(CommandFailure) {
    guard access(file, R_OK) == 0 else {
      throw CommandFailure(.failed, "The source '\(file)' cannot be read: \(TextFile.systemText()).", code: "source_unreadable")
    }
    name = text
    let path = realpath(file, nil).map { found in
      defer { free(found) }
      return String(cString: found)
    }
    identity = "sqlite \(path ?? file) \(text)"
    let connection = try SQLiteSource.asking { try Connection(path: file, mode: .readOnly, busyTimeoutMS: 60_000) }
    self.connection = connection
    let isWAL = try SQLiteSource.asking { try connection.text("PRAGMA journal_mode") } == "wal"
    note =
      isWAL
      ? nil
      : "The file is not in WAL mode: to hold nobody up, its pages are read one by one. Run it again to take what is added meanwhile."
    if isWAL { try SQLiteSource.asking { try connection.execute("BEGIN") } }
    let (columns, primary) = try SQLiteSource.describe(connection, text)
    self.columns = columns
    guard !columns.isEmpty else {
      throw CommandFailure(.failed, "There is no table '\(text)' in '\(file)'.", code: "no_table")
    }
    let names = columns.map(\.name)
    var unique = try SQLiteSource.uniqueColumns(connection, text)
    if primary.count == 1 { unique.insert(primary[0]) }
    key = try SourceKey.choose(id, text, columns: names, primary: primary, unique: unique)
    let table = SourceKey.quote(text)
    let column = SourceKey.quote(key)
    let list = names.map(SourceKey.quote).joined(separator: ", ")
    (first, next, exists, rowsWithoutKey) = try SQLiteSource.asking {
      (
        try connection.prepare("SELECT \(column), \(list) FROM \(table) WHERE \(column) <= ?2 ORDER BY \(column) LIMIT ?1"),
        try connection.prepare(
          "SELECT \(column), \(list) FROM \(table) WHERE \(column) <= ?2 AND \(column) > ?3 ORDER BY \(column) LIMIT ?1"),
        try connection.prepare("SELECT 1 FROM \(table) WHERE \(column) = ?1 OR \(column) = ?2"),
        Int(try connection.integer("SELECT count(*) FROM \(table) WHERE \(column) IS NULL") ?? 0)
      )
    }
    end = try SQLiteSource.asking {
      let highest = try connection.prepare("SELECT max(\(column)) FROM \(table)")
      defer { highest.reset() }
      return try highest.step() ? SQLiteSource.cell(highest, 0) : .null
    }
  }

  // MARK: Rows

  mutating func nextPage(rowsMax: Int) throws(CommandFailure) -> [SourceRow] {
    let statement = last == nil ? first : next
    let (after, highest, count) = (last, end, columns.count)
    if case .unreadable(let why) = after ?? highest {
      throw CommandFailure(
        .failed, "The source cannot be read on: an id in the column '\(key)' is unreadable, \(why).", code: "source_unreadable")
    }
    let read: (page: [SourceRow], last: SourceCell?) = try SQLiteSource.asking {
      defer { statement.reset() }
      statement.bind(Int64(rowsMax), at: 1)
      SQLiteSource.bind(highest, to: statement, at: 2)
      if let after { SQLiteSource.bind(after, to: statement, at: 3) }
      var page: [SourceRow] = []
      var reached = after
      var bytes = 0
      while bytes < SourceRow.pageBytesMax, try statement.step() {
        let key = SQLiteSource.cell(statement, 0)
        reached = key
        let row = SourceRow(key: SQLiteSource.text(key), cells: (0..<count).map { SQLiteSource.cell(statement, Int32($0) + 1) })
        bytes += row.bytes
        page.append(row)
      }
      return (page, reached)
    }
    last = read.last
    return read.page
  }

  func existing(_ keys: [String]) throws(CommandFailure) -> Set<String> {
    try SQLiteSource.asking {
      var found: Set<String> = []
      for key in keys {
        defer { exists.reset() }
        if let number = Int64(key) { exists.bind(number, at: 1) } else { exists.bind(key, at: 1) }
        exists.bind(key, at: 2)
        if try exists.step() { found.insert(key) }
      }
      return found
    }
  }

  private static func bind(_ cell: SourceCell, to statement: Statement, at index: Int32) {
    switch cell {
    case .int(let value): statement.bind(value, at: index)
    case .text(let text): statement.bind(text, at: index)
    case .bytes(let bytes): statement.bind(bytes, at: index)
    case .double(let value): statement.bind(value.description, at: index)
    case .null, .bool, .time, .unreadable: statement.bindNull(at: index)
    }
  }

  private static func cell(_ statement: Statement, _ column: Int32) -> SourceCell {
    switch statement.kind(at: column) {
    case .null: .null
    case .integer: .int(statement.integer(at: column))
    case .real: .double(statement.real(at: column))
    case .text: statement.text(at: column).map { .text($0) } ?? .unreadable("the text is not valid UTF-8")
    case .blob: .bytes(statement.unsafeBytes(at: column).map { [UInt8]($0) } ?? [])
    }
  }

  /// The key as an id. Bytes are written in hexadecimal.
  private static func text(_ key: SourceCell) -> String {
    switch key {
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .text(let text): text
    case .bytes(let bytes): bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    case .null, .bool, .time, .unreadable: ""
    }
  }

  // MARK: What there is

  private static func describe(
    _ connection: Connection, _ table: String
  ) throws(CommandFailure) -> (columns: [SourceColumn], primary: [String]) {
    try asking {
      let statement = try connection.prepare("SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid")
      defer { statement.reset() }
      statement.bind(table, at: 1)
      var columns: [SourceColumn] = []
      var primary: [(place: Int64, name: String)] = []
      while try statement.step() {
        let name = statement.text(at: 0) ?? ""
        let type = statement.text(at: 1) ?? ""
        columns.append(SourceColumn(name: name, type: type.isEmpty ? "any" : type, kind: kind(type.uppercased())))
        if statement.integer(at: 2) > 0 { primary.append((statement.integer(at: 2), name)) }
      }
      return (columns, primary.sorted { $0.place < $1.place }.map(\.name))
    }
  }

  /// What the values of a declared type become (https://www.sqlite.org/datatype3.html, section 3.1). Dates are no instants, and decimal numbers
  /// stay what each value is.
  private static func kind(_ type: String) -> ValueKind? {
    if type.contains("BOOL") { return .bool }
    if type.contains("DATETIME") || type.contains("TIMESTAMP") { return .timestamp }
    if type.contains("JSON") { return .json }
    if type.contains("INT") { return .int }
    if ["CHAR", "CLOB", "TEXT", "UUID"].contains(where: type.contains) || type == "DATE" || type == "TIME" { return .string }
    if type.contains("BLOB") { return .bytes }
    if ["REAL", "FLOA", "DOUB"].contains(where: type.contains) { return .double }
    return nil
  }

  private static func uniqueColumns(_ connection: Connection, _ table: String) throws(CommandFailure) -> Set<String> {
    try asking {
      let statement = try connection.prepare(
        """
        SELECT (SELECT group_concat(name, char(0)) FROM pragma_index_info(l.name)) FROM pragma_index_list(?1) AS l
        WHERE l."unique" AND NOT l.partial AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1
        """)
      defer { statement.reset() }
      statement.bind(table, at: 1)
      var found: Set<String> = []
      while try statement.step() { if let name = statement.text(at: 0) { found.insert(name) } }
      return found
    }
  }

  private static func asking<Result>(_ body: () throws -> Result) throws(CommandFailure) -> Result {
    do { return try body() } catch {
      throw CommandFailure(.failed, "The source cannot be read: \(error).", code: "source_unreadable")
    }
  }
}
