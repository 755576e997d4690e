/// Prints records to standard output as a table, as labelled lines, as one JSON list or as JSON lines.
///
/// A table needs widths before its first line, so the first records are held back: `heldMax` at most, whatever the number of
/// records.
struct RecordWriter {
  /// How many records decide the widths of a table.
  static let heldMax = 200
  /// The widest cell on a terminal.
  private static let cellWidthMax = 48

  private let format: RecordFormat
  private let chosen: [String]?
  private let columns: [String]
  /// A member whose own members become columns too, as far as they fit.
  private let spread: String?
  private let width: Int?
  /// Names that are right even when no record has them.
  private let known: Set<String>

  private var held: [JSON] = []
  private var layout: [(name: String, width: Int)]?
  private var count = 0
  /// The chosen names that no record had so far.
  private var missing: Set<String>

  /// - Parameters:
  ///   - columns: what a table shows when nothing else was asked for.
  ///   - spread: a member of kind object, whose members can be chosen by their names alone.
  ///   - known: further names that records may have.
  init(_ options: OutputOptions, columns: [String], spread: String? = nil, known: [String] = []) {
    format = options.format
    chosen = options.chosen
    self.columns = columns
    self.spread = spread
    self.known = Set(columns + known)
    missing = Set(options.chosen ?? []).subtracting(self.known)
    width = Terminal.outputWidth
  }

  /// Prints a record, or holds it back.
  mutating func write(_ record: JSON) {
    defer { count += 1 }
    notice(record)
    switch format {
    case .lines: StandardStream.output.write(select(record).compact + "\n")
    case .json: StandardStream.output.write((count == 0 ? "[" : ",") + "\n  " + select(record).compact)
    case .labels: writeLabels(record)
    case .table:
      if layout != nil { return writeRow(record) }
      held.append(record)
      if held.count >= RecordWriter.heldMax { release() }
    }
  }

  /// Prints what was held back, and the end.
  mutating func finish() {
    switch format {
    case .json: StandardStream.output.write(count == 0 ? "[]\n" : "\n]\n")
    case .table: release()
    case .lines, .labels: break
    }
    StandardStream.output.flush()
    if count > 0 { tellMissing() }
  }

  /// Prints what is held back now, for whoever waits for it. A table keeps the widths that it has then.
  mutating func flush() {
    if case .table = format { release() }
    StandardStream.output.flush()
  }

  /// Whether no record was written.
  var isEmpty: Bool { count == 0 }

  private mutating func notice(_ record: JSON) {
    for name in missing where value(name, of: record) != nil { missing.remove(name) }
  }

  /// Says which chosen names are probably mistyped.
  private func tellMissing() {
    for name in missing.sorted() {
      StandardStream.error.write("Nothing here has '\(Sanitized.text(name))'. To see the names there are: --fields '?'\n")
    }
    StandardStream.error.flush()
  }

  /// Prints one record that stands alone: a JSON document, or labelled lines.
  static func writeOne(_ record: JSON, _ options: OutputOptions, spread: String? = nil, known: [String] = []) {
    var writer = RecordWriter(options, columns: [], spread: spread, known: known)
    writer.notice(record)
    switch options.format {
    case .json: StandardStream.output.write(writer.select(record).pretty + "\n")
    case .lines: StandardStream.output.write(writer.select(record).compact + "\n")
    case .labels: writer.writeLabels(record)
    case .table: writer.writeForm(record)
    }
    StandardStream.output.flush()
    writer.tellMissing()
  }

  // MARK: Choosing

  private func value(_ name: String, of record: JSON) -> JSON? {
    if let value = record[name] { return value }
    guard let spread, let inner = record[spread] else { return nil }
    let prefix = spread + "."
    return inner[name] ?? (name.hasPrefix(prefix) ? inner[String(name.dropFirst(prefix.count))] : nil)
  }

  private func select(_ record: JSON) -> JSON {
    guard let chosen else { return record }
    return .object(chosen.map { JSON.Member($0, value($0, of: record) ?? .null) })
  }

  /// The members in the order of a form: those of `spread` one by one, and without the kinds, which are for programs.
  private func members(of record: JSON) -> [JSON.Member] {
    guard case .object(let members) = select(record) else { return [] }
    guard chosen == nil, let spread else { return members }
    return members.filter { $0.name != "kinds" }.flatMap { member -> [JSON.Member] in
      guard member.name == spread, case .object(let inner) = member.value else { return [member] }
      return inner.map { JSON.Member("\(spread).\($0.name)", $0.value) }
    }
  }

  // MARK: Writing

  private func writeLabels(_ record: JSON) {
    var text = ""
    for member in members(of: record) where member.value != .null {
      text += "\(Sanitized.text(member.name)): \(member.value.cell)\n"
    }
    StandardStream.output.write(text + "\n")
  }

  private func writeForm(_ record: JSON) {
    let members = members(of: record)
    let labelWidth = members.map { Sanitized.width($0.name) }.max() ?? 0
    for member in members { StandardStream.output.write(pad(member.name, labelWidth) + "  " + member.value.cell + "\n") }
  }

  private mutating func release() {
    guard layout == nil, !held.isEmpty else { return }
    layout = makeLayout()
    writeLine((layout ?? []).map { ($0.name.uppercased(), $0.width) })
    for record in held { writeRow(record) }
    held = []
  }

  private func makeLayout() -> [(name: String, width: Int)] {
    var names = chosen ?? columns
    if chosen == nil, let spread {
      var seen: Set<String> = Set(names)
      for record in held {
        guard case .object(let inner)? = record[spread] else { continue }
        for member in inner where seen.insert(member.name).inserted { names.append(member.name) }
      }
    }
    var used = 0
    var layout: [(name: String, width: Int)] = []
    for name in names {
      let widest = held.map { Sanitized.width(value(name, of: $0)?.cell ?? "") }.max() ?? 0
      let column = max(Sanitized.width(name), width == nil ? widest : min(widest, RecordWriter.cellWidthMax))
      // On a terminal, further fields are left out when there is no room; --fields shows any.
      if chosen == nil, let width, !layout.isEmpty, used + 2 + column > width { break }
      used += column + 2
      layout.append((name, column))
    }
    return layout
  }

  private func writeRow(_ record: JSON) {
    writeLine((layout ?? []).map { (value($0.name, of: record)?.cell ?? "", $0.width) })
  }

  private func writeLine(_ cells: [(text: String, width: Int)]) {
    var line = ""
    for (index, cell) in cells.enumerated() {
      let text = width == nil ? cell.text : Sanitized.cut(cell.text, to: cell.width)
      line += index + 1 < cells.count ? pad(text, cell.width) + "  " : text
    }
    while line.hasSuffix(" ") { line.removeLast() }
    StandardStream.output.write(line + "\n")
  }

  private func pad(_ text: String, _ columns: Int) -> String {
    text + String(repeating: " ", count: max(0, columns - Sanitized.width(text)))
  }
}

extension JSON {
  /// The value in a table: text as it is, everything else as JSON. Safe for a terminal.
  var cell: String {
    switch self {
    case .null: ""
    case .string(let text): Sanitized.text(text)
    case .bool, .number, .array, .object: Sanitized.text(compact)
    }
  }
}
