import TidemarkCore

/// A table of another database, read page by page in the order of its key, from one state of it where that holds nobody up.
protocol SourceTable {
  /// What people call it.
  var name: String { get }
  /// Names the rows in the ids of operations, whatever the way to the database is.
  var identity: String { get }
  /// The column whose values become ids.
  var key: String { get }
  var columns: [SourceColumn] { get }
  /// About how many rows there are; `nil` when that is not known.
  var rowsEstimate: UInt64? { get }
  /// How many rows have no value in the key column, and so cannot be read.
  var rowsWithoutKey: Int { get }
  /// What a person should know of how it is read.
  var note: String? { get }

  /// The next rows, at most so many, and no more than some MiB of them (`SourceRow.pageBytesMax`) and one row; none at the end.
  mutating func nextPage(rowsMax: Int) throws(CommandFailure) -> [SourceRow]

  /// Which of these keys there are.
  func existing(_ keys: [String]) throws(CommandFailure) -> Set<String>
}

/// A column of a table.
struct SourceColumn: Equatable {
  var name: String
  /// How the database calls its type.
  var type: String
  /// What its values become; `nil` when each value says so itself.
  var kind: ValueKind?
}

/// A row of a table.
struct SourceRow: Sendable {
  /// The value of the key column as text.
  var key: String
  /// In the order of the columns.
  var cells: [SourceCell]

  /// How much memory the rows of one page but the last may take, in bytes.
  static let pageBytesMax = 4 << 20

  /// About how much memory it takes, in bytes.
  var bytes: Int { cells.reduce(key.utf8.count + 64) { $0 + $1.bytes } }
}

/// One value as a database gives it out.
enum SourceCell: Equatable, Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case text(String)
  case bytes([UInt8])
  /// Microseconds since 1970 in UTC.
  case time(Int64)
  /// What cannot be taken whatever it is to become, with the reason.
  case unreadable(String)

  var bytes: Int {
    switch self {
    case .text(let text), .unreadable(let text): 16 + text.utf8.count
    case .bytes(let bytes): 16 + bytes.count
    case .null, .bool, .int, .double, .time: 16
    }
  }

  private var word: String {
    switch self {
    case .null: "nothing"
    case .bool: "a truth value"
    case .int: "a whole number"
    case .double: "a number"
    case .text: "text"
    case .bytes: "bytes"
    case .time: "a time"
    case .unreadable: "something unreadable"
    }
  }

  /// The value as a field of a kind; `nil` for NULL, which is an absent field.
  ///
  /// - Parameter kind: `nil` takes the value for what it is.
  func value(_ kind: ValueKind?) throws(ValueError) -> Value? {
    switch (self, kind) {
    case (.null, _): return nil
    case (.unreadable(let why), _): throw ValueError(what: why)
    case (.bool(let value), nil), (.bool(let value), .bool): return .bool(value)
    case (.int(let value), nil), (.int(let value), .int): return .int(value)
    case (.double(let value), nil), (.double(let value), .double): return .double(value)
    case (.bytes(let value), nil), (.bytes(let value), .bytes): return .bytes(value)
    case (.text(let value), nil): return .string(value)
    case (.time(let micros), nil), (.time(let micros), .timestamp):
      let instant = Timestamp(rawValue: micros)
      guard Timestamp.validRange.contains(instant) else { throw ValueError(what: "the time is not between the years 1 and 9999") }
      return .timestamp(instant)
    case (.int(let value), .double):
      guard let exact = Double(exactly: value) else { throw ValueError(what: "\(value) does not fit a double") }
      return .double(exact)
    case (.int(0), .bool), (.int(1), .bool): return .bool(self == .int(1))
    case (.text(let text), .timestamp):
      // A time without an offset is one in UTC.
      if TimeText.parse(text) == nil, let instant = TimeText.parse(text + "Z") { return .timestamp(instant) }
      return try ValueKind.timestamp.value(ofText: text)
    case (.text(let text), let kind?): return try kind.value(ofText: text)
    case (.bool(let value), .string): return .string("\(value)")
    case (.int(let value), .string): return .string("\(value)")
    case (.double(let value), .string): return .string("\(value)")
    case (.time(let micros), .string): return .string(TimeText.format(Timestamp(rawValue: micros)))
    case (_, let kind?): throw ValueError(what: "it holds \(word), which is no \(kind.rawValue)")
    }
  }

  /// The value as JSON, for a file of refused rows.
  var json: JSON {
    switch self {
    case .null: .null
    case .bool(let value): .bool(value)
    case .int(let value): .int(value)
    case .double(let value): value.isFinite ? .number(value.description) : .string("\(value)")
    case .text(let text): .string(text)
    case .bytes(let bytes): .string(Base64.encode(bytes))
    case .time(let micros): .string(TimeText.format(Timestamp(rawValue: micros)))
    case .unreadable: .null
    }
  }
}

/// How the columns of a table become fields.
struct AdoptMap {
  private let columns: [SourceColumn]
  private let targets: [(index: Int, path: FieldPath, kind: ValueKind?)]
  /// The fields that hold ids of other entities, with their types.
  let references: [(path: FieldPath, type: TypeName)]

  /// - Parameters:
  ///   - maps: `column=kind`, `column=kind:field`, `column=field` or `column=skip`.
  ///   - references: `column=type`.
  init(_ table: some SourceTable, maps: [String], references: [String]) throws(CommandFailure) {
    columns = table.columns
    let known = Set(columns.map(\.name))
    var chosen: [String: ColumnMap.Target] = [:]
    var renamed: [String: String] = [:]
    for text in maps {
      let (column, rest) = try AdoptMap.split(text, known, table.name)
      guard chosen[column] == nil, renamed[column] == nil else { throw .usage("The column '\(column)' is mapped twice.") }
      // A word that is no kind is the name of the field, whose kind the column says.
      if rest != "skip", !rest.contains(":"), ValueKind(rawValue: rest) == nil {
        renamed[column] = rest
      } else {
        chosen[column] = try ColumnMap(maps: [], columns: [text]).targets[column]
      }
    }
    var pointing: [String: TypeName] = [:]
    for text in references {
      let (column, rest) = try AdoptMap.split(text, known, table.name)
      pointing[column] = try Arguments.type(rest)
    }
    var made: [(index: Int, path: FieldPath, kind: ValueKind?)] = []
    var found: [(path: FieldPath, type: TypeName)] = []
    for (index, column) in columns.enumerated() {
      var kind = pointing[column.name] == nil ? column.kind : .string
      var name = renamed[column.name] ?? column.name
      switch chosen[column.name] {
      case .skip: continue
      case .field(let path, let own): (name, kind) = (path.text, own)
      // The key is the id, and a field only when it is asked for.
      case nil: if column.name == table.key, renamed[column.name] == nil, pointing[column.name] == nil { continue }
      }
      let path = try AdoptMap.path(name, column.name)
      if let other = made.first(where: { $0.path.overlaps(path) }) {
        throw .usage(
          "The fields '\(other.path)' and '\(path)' exclude each other.", advice: ["Rename one with --column, or skip it."])
      }
      made.append((index, path, kind))
      if let type = pointing[column.name] { found.append((path, type)) }
    }
    targets = made
    self.references = found
  }

  private static func split(
    _ text: String, _ known: Set<String>, _ table: String
  ) throws(CommandFailure) -> (column: String, rest: String) {
    guard let sign = text.firstIndex(of: "=") else { throw .usage("'\(text)' says nothing of a column. Write column=…") }
    let column = String(text[..<sign])
    guard known.contains(column) else {
      throw .usage(
        "The table '\(table)' has no column '\(column)'.", advice: ["It has: \(known.sorted().joined(separator: ", "))"])
    }
    return (column, text[text.index(after: sign)...].trimmingBlanks)
  }

  private static func path(_ text: String, _ column: String) throws(CommandFailure) -> FieldPath {
    guard let path = FieldPath(text) else {
      throw .usage(
        "The column '\(column)' cannot be a field '\(text)'.",
        advice: [
          "Give it one:   --column \(ShellText.quote("\(column)=NAME"))",
          "Leave it out:  --column \(ShellText.quote("\(column)=skip"))",
        ])
    }
    return path
  }

  /// What each column becomes, for people.
  var summary: [String] {
    targets.map { target in
      let column = columns[target.index]
      let reference = references.first { $0.path == target.path }.map { ", a reference to \($0.type)" } ?? ""
      return "\(column.name) (\(column.type)) -> \(target.path) (\(target.kind?.rawValue ?? "as each value is")\(reference))"
    }
  }

  /// Makes a row to import.
  ///
  /// - Parameter number: its place in the table, from 1.
  func make(_ row: SourceRow, number: Int) -> ImportRow {
    let content = Result { () throws(ImportRow.Problem) in try read(row) }
    let members = [JSON.Member("id", .string(row.key))] + targets.map { JSON.Member($0.path.text, row.cells[$0.index].json) }
    return ImportRow(line: number, idText: row.key, content: content, source: .object(members))
  }

  private func read(_ row: SourceRow) throws(ImportRow.Problem) -> ImportRow.Content {
    guard let id = EntityID(row.key) else {
      throw ImportRow.Problem(what: "the id is empty, longer than 128 bytes, or has control characters")
    }
    var fields: [Field] = []
    var cleared: [FieldPath] = []
    for target in targets {
      do {
        guard let value = try row.cells[target.index].value(target.kind) else {
          cleared.append(target.path)
          continue
        }
        fields.append(Field(target.path, value))
      } catch {
        throw ImportRow.Problem(what: "column '\(columns[target.index].name)': \(error.what)")
      }
    }
    do { return ImportRow.Content(id: id, fields: try Fields(fields), cleared: cleared) } catch {
      throw ImportRow.Problem(what: error.message)
    }
  }
}
