/// Where a table is: `postgres://…` as libpq takes it, or `sqlite:FILE`.
enum SourceURL: Equatable {
  case postgres(String)
  case sqlite(String)

  init(_ text: String) throws(CommandFailure) {
    if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
      // Everybody on the machine reads command lines.
      let authority = text.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
      let user = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
      guard !user.contains(":"), !text.contains("?password="), !text.contains("&password=") else {
        throw .usage(
          "The URL of the source has a password in it, which others can read: put it into a file that PGPASSFILE names.")
      }
      self = .postgres(text)
    } else if text.hasPrefix("sqlite:"), text.count > "sqlite:".count {
      self = .sqlite(String(text.dropFirst("sqlite:".count)))
    } else {
      throw .usage("'\(text)' names no database. Write postgres://USER@HOST/DATABASE or sqlite:FILE.")
    }
  }

  /// Opens a table.
  ///
  /// - Parameter id: the column whose values become ids; `nil` for the primary key.
  func open(_ table: String, id: String?) throws(CommandFailure) -> any SourceTable {
    switch self {
    case .postgres(let url): try PostgresSource(url: url, table: table, id: id)
    case .sqlite(let file): try SQLiteSource(file: file, table: table, id: id)
    }
  }
}

/// The choice of the column whose values become ids.
enum SourceKey {
  /// - Parameters:
  ///   - primary: the columns of the primary key.
  ///   - unique: the columns that are unique by themselves.
  static func choose(
    _ asked: String?, _ table: String, columns: [String], primary: [String], unique: Set<String>
  ) throws(CommandFailure) -> String {
    let list = "It has: \(columns.joined(separator: ", "))"
    guard let asked else {
      guard primary.count == 1 else {
        let what = primary.isEmpty ? "no primary key" : "a primary key of several columns"
        throw .usage("The table '\(table)' has \(what).", advice: ["Say which column holds unique ids:  --id NAME", list])
      }
      return primary[0]
    }
    guard columns.contains(asked) else { throw .usage("The table '\(table)' has no column '\(asked)'.", advice: [list]) }
    guard unique.contains(asked) else {
      let others = unique.sorted().joined(separator: ", ")
      throw .usage(
        "The column '\(asked)' of '\(table)' is not unique: no unique index says so.",
        advice: [others.isEmpty ? "Make one in the source first: CREATE UNIQUE INDEX" : "Unique are: \(others)"])
    }
    return asked
  }

  static func quote(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
}
