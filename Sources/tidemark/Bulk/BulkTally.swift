import TidemarkClient
import TidemarkCore

/// What became of one row of a bulk.
struct BulkResult: Sendable {
  var row: BulkRow
  /// The word for it: that of an outcome, `unreadable`, or `not_sent`.
  var word: String
  var message: String
  var outcome: Outcome?
  var isDone: Bool { outcome?.code.isSuccess ?? false }

  /// One line of a results file.
  func json() throws(CorruptFields) -> JSON {
    var members: [JSON.Member] = [
      .init("line", .int(row.line)), .init("type", .nonEmpty(row.type)),
      .init("id", .nonEmpty(outcome?.id?.text ?? row.id)), .init("operation", .nonEmpty(row.operation)),
      .init("outcome", .string(word)),
    ]
    if let name = row.name { members.append(.init("write", .string(name.description))) }
    if let outcome {
      members.append(.init("operation_id", .string(outcome.operation.description)))
      if let version = outcome.version { members.append(.init("version", .int(version.rawValue))) }
      if let revision = outcome.revision { members.append(.init("revision", .int(revision.rawValue))) }
      if outcome.isReplay { members.append(.init("is_replay", .bool(true))) }
      if let conflict = outcome.conflict { members.append(.init("conflict", try conflict.json())) }
      if !outcome.violations.isEmpty { members.append(.init("violations", .array(outcome.violations.map { $0.json }))) }
    }
    if !message.isEmpty { members.append(.init("message", .string(message))) }
    if !isDone, case .success(let item) = row.content { members.append(.init("item", item.json())) }
    return .object(members)
  }
}

/// Counts what became of the rows of a bulk, and keeps the first failures to tell.
struct BulkTally {
  /// How many failures are kept.
  static let failuresMax = 100
  /// How many are told one by one.
  private static let toldMax = 20

  private(set) var counts: [String: Int] = [:]
  /// Rows that an earlier run of the same file did.
  var doneBefore = 0
  private(set) var failed = 0
  private(set) var failures: [BulkResult] = []
  /// How many of the failures may be retried against what is there now.
  private(set) var conflicts = 0
  private var replays = 0

  var rows: Int { counts.values.reduce(0, +) + doneBefore }
  var done: Int { rows - failed }
  /// Whether no server said anything about any row.
  var isUnanswered: Bool { doneBefore == 0 && counts.keys.allSatisfy { $0 == "unreadable" || $0 == "not_sent" } }

  mutating func add(_ result: BulkResult) {
    counts[result.word, default: 0] += 1
    if result.outcome?.isReplay == true, result.isDone { replays += 1 }
    guard !result.isDone else { return }
    failed += 1
    if result.outcome?.code == .conflict { conflicts += 1 }
    // Rows that wait for another one say less than those that were judged.
    if failures.count < BulkTally.failuresMax { failures.append(result) }
  }

  /// For people, on standard error: the counts, then the failed with what differs side by side.
  func text(_ what: String, one: String, isComplete: Bool, validatesOnly: Bool, seconds: Double) -> String {
    let order = OutcomeCode.allCases.map(\.word) + ["unreadable", "not_sent"]
    var parts = order.compactMap { word in counts[word].map { "\($0) \(word.spaced)" } }
    if doneBefore > 0 { parts.insert("\(doneBefore) done by an earlier run", at: 0) }
    let rate = rows == 0 ? "" : "; \(TimeSpan.text(seconds)), \(Int(Double(rows) / max(seconds, 0.001)))/s"
    let head = validatesOnly ? "would be: " : ""
    var lines = [
      "\(rows) \(rows == 1 ? one : what): \(head)\(parts.isEmpty ? "nothing" : parts.joined(separator: ", "))\(rate)"
        + (isComplete ? "" : "; not complete")
    ]
    if replays > 0 { lines.append("\(replays) of them had been done before, and were not done twice") }
    for failure in failures.prefix(BulkTally.toldMax) { lines += BulkTally.story(of: failure) }
    if failed > BulkTally.toldMax { lines.append("… and \(failed - BulkTally.toldMax) more failed") }
    return lines.joined(separator: "\n")
  }

  private static func story(of failure: BulkResult) -> [String] {
    let row = failure.row
    var lines = ["\(row.place)  \(failure.word.spaced): \(failure.message)"]
    lines += (failure.outcome?.violations ?? []).filter { $0.message != failure.message }.map { violation in
      "  " + (violation.field.map { "\($0): " } ?? "") + violation.message
    }
    guard let conflict = failure.outcome?.conflict, !conflict.changes.isEmpty else { return lines }
    var item: WriteItem?
    if case .success(let found) = row.content { item = found }
    var table = [["FIELD", "YOU SAW", "IT IS NOW", "YOU WANT", ""]]
    for change in conflict.changes.prefix(12) {
      let wanted = item?.wanted(change.name)
      let after = ConflictText.show(change.after)
      let remark = wanted == nil ? "" : wanted == after ? "; as you want it" : "; you change it too"
      let who = "version \(change.version) by \(change.changed.by)" + remark
      table.append([
        change.name.text, ConflictText.show(change.before), after, wanted ?? "-", who,
      ])
    }
    lines += BulkTally.aligned(table)
    if conflict.changes.count > 12 || conflict.isTruncated { lines.append("  (more changed)") }
    return lines
  }

  /// Columns below each other, indented.
  private static func aligned(_ table: [[String]]) -> [String] {
    let columns = table.first?.count ?? 0
    let widths = (0..<columns).map { column in table.map { Sanitized.width($0[column]) }.max() ?? 0 }
    return table.map { row in
      var line = "  "
      for (index, cell) in row.enumerated() {
        line += cell + String(repeating: " ", count: widths[index] - Sanitized.width(cell) + 2)
      }
      while line.hasSuffix(" ") { line.removeLast() }
      return line
    }
  }

  /// For `--json`, on standard output.
  func json(isComplete: Bool, validatesOnly: Bool, seconds: Double) throws(CorruptFields) -> JSON {
    var list: [JSON] = []
    for failure in failures { list.append(try failure.json()) }
    return .object([
      .init("rows", .int(rows)), .init("done", .int(done)), .init("failed", .int(failed)),
      .init("done_before", .int(doneBefore)),
      .init("by_outcome", .object(counts.sorted { $0.key < $1.key }.map { .init($0.key, .int($0.value)) })),
      .init("failures", .array(list)), .init("is_complete", .bool(isComplete)), .init("validate_only", .bool(validatesOnly)),
      .init("seconds", .number(String((seconds * 1_000).rounded() / 1_000))),
    ])
  }
}
