import TidemarkCore

/// Says how the columns of a file become fields.
struct ColumnMap: Equatable {
  /// What becomes of one column.
  enum Target: Equatable {
    case field(FieldPath, ValueKind)
    /// The column is left out.
    case skip
  }

  /// Columns whose names begin with this are what `--rejects` adds; they are left out.
  static let rejectPrefix = "_reject_"

  private(set) var targets: [String: Target] = [:]
  /// Columns, and members of flat JSON rows, that are no fields unless they are mapped.
  var reserved: Set<String> = []

  /// Reads `column:kind`, `column:kind:field` and `column:skip`, joined by commas, and `column=kind`, `column=kind:field`, one
  /// each.
  init(maps: [String], columns: [String]) throws(CommandFailure) {
    for map in maps {
      for entry in map.split(separator: ",") {
        try add(
          entry.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map { $0.trimmingBlanks }, String(entry))
      }
    }
    for column in columns {
      // The name of a column may hold anything but an equals sign.
      guard let sign = column.firstIndex(of: "=") else { throw ColumnMap.malformed(column) }
      let rest = column[column.index(after: sign)...].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      try add([String(column[..<sign])] + rest.map { $0.trimmingBlanks }, column)
    }
  }

  private mutating func add(_ parts: [String], _ text: String) throws(CommandFailure) {
    guard parts.count >= 2, !parts[0].isEmpty else { throw ColumnMap.malformed(text) }
    let name = parts[0]
    guard targets[name] == nil else { throw .usage("The column '\(name)' is mapped twice.") }
    if parts[1] == "skip", parts.count == 2 {
      targets[name] = .skip
      return
    }
    guard let kind = ValueKind(rawValue: parts[1]), kind != .null else { throw ColumnMap.malformed(text) }
    targets[name] = .field(try ColumnMap.path(parts.count == 3 ? parts[2] : name, column: name), kind)
  }

  /// The target of a column of a CSV file; text when nothing was said.
  func target(of column: String) throws(CommandFailure) -> Target {
    if let target = targets[column] { return target }
    if column.hasPrefix(ColumnMap.rejectPrefix) || reserved.contains(column) { return .skip }
    return .field(try ColumnMap.path(column, column: column), .string)
  }

  private static func path(_ text: String, column: String) throws(CommandFailure) -> FieldPath {
    guard let path = FieldPath(text) else {
      throw .usage(
        "The column '\(column)' cannot be a field of the same name.",
        advice: [
          "Give it one:   --column \(ShellText.quote("\(column)=string:NAME"))",
          "Leave it out:  --column \(ShellText.quote("\(column)=skip"))",
        ])
    }
    return path
  }

  private static func malformed(_ text: String) -> CommandFailure {
    let kinds = ValueKind.allCases.filter { $0 != .null && $0 != .jsonText }.map { $0.rawValue }.joined(separator: ", ")
    return .usage("'\(text)' maps no column. Write column:kind or column:kind:field, where kind is one of \(kinds), skip.")
  }
}
