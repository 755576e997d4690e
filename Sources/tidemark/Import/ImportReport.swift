/// Counts what became of the rows.
struct ImportReport {
  /// One row that was refused.
  struct Refusal {
    var line: Int
    var id: String?
    var outcome: String
    var reason: String
  }

  /// How many refusals are told one by one.
  static let refusalsMax = 100

  var created = 0
  var updated = 0
  /// How many of the updated ones held edits by others.
  var overwritten = 0
  var unchanged = 0
  var refused = 0
  /// The first refusals.
  private(set) var refusals: [Refusal] = []
  private(set) var refusedByOutcome: [String: Int] = [:]

  var rows: Int { created + updated + unchanged + refused }

  mutating func add(_ refusal: Refusal) {
    refused += 1
    refusedByOutcome[refusal.outcome, default: 0] += 1
    if refusals.count < ImportReport.refusalsMax { refusals.append(refusal) }
  }

  /// For people, on standard error.
  func text(isComplete: Bool, seconds: Double) -> String {
    var lines = refusals.prefix(10).map { refusal in
      "line \(refusal.line)\(refusal.id.map { ", id '\($0)'" } ?? ""): \(refusal.outcome.spaced): \(refusal.reason)"
    }
    if refused > lines.count { lines.append("… and \(refused - lines.count) more refused") }
    let rate = Int(Double(rows) / max(seconds, 0.001))
    var summary = "\(rows) rows: \(created) created, \(updated) updated, \(unchanged) unchanged, \(refused) refused"
    if !refusedByOutcome.isEmpty {
      let parts = refusedByOutcome.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key.spaced)" }
      summary += " (\(parts.joined(separator: ", ")))"
    }
    if let edited = refusedByOutcome[RowImporter.editedSince] {
      lines.append("left as they are, because somebody edited them since their import: \(edited); --overwrite replaces them")
    }
    if overwritten > 0 { lines.append("replaced although somebody had edited them since their import: \(overwritten)") }
    lines.append(summary + "; \(TimeSpan.text(seconds)), \(rate)/s" + (isComplete ? "" : "; not complete"))
    return lines.joined(separator: "\n")
  }

  /// For `--json`, on standard output.
  func json(isComplete: Bool, seconds: Double) -> JSON {
    let list = refusals.map { refusal in
      JSON.object([
        .init("line", .int(refusal.line)), .init("id", .text(refusal.id)), .init("outcome", .string(refusal.outcome)),
        .init("reason", .string(refusal.reason)),
      ])
    }
    return .object([
      .init("rows", .int(rows)), .init("created", .int(created)), .init("updated", .int(updated)),
      .init("overwritten", .int(overwritten)), .init("unchanged", .int(unchanged)), .init("refused", .int(refused)),
      .init("refused_by_outcome", .object(refusedByOutcome.sorted { $0.key < $1.key }.map { .init($0.key, .int($0.value)) })),
      .init("refusals", .array(list)), .init("is_complete", .bool(isComplete)),
      .init("seconds", .number(String((seconds * 1_000).rounded() / 1_000))),
    ])
  }
}
