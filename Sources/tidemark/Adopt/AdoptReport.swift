/// Counts what became of the rows of a table, and keeps the first that need a look.
struct AdoptReport {
  /// What was done with them, for the sentences.
  enum Work {
    case adopt, dryRun, verify, undo
  }

  /// How many are told one by one.
  private static let toldMax = 20

  let work: Work
  /// Rows adopted, found the same, or entities taken back.
  var done = 0
  /// Rows whose entities were there already; entities that were not adopted from here.
  var others = 0
  private(set) var refused = 0
  private(set) var refusals: [ImportReport.Refusal] = []
  private(set) var refusedByOutcome: [String: Int] = [:]

  init(_ work: Work) { self.work = work }

  var rows: Int { done + others + refused }

  mutating func refuse(_ number: Int, _ key: String?, _ outcome: String, _ reason: String) {
    refused += 1
    refusedByOutcome[outcome, default: 0] += 1
    if refusals.count < ImportReport.refusalsMax {
      refusals.append(ImportReport.Refusal(line: number, id: key, outcome: outcome, reason: reason))
    }
  }

  /// Takes back what was said of one, because it is tried again.
  mutating func forgetRefusals() {
    refused = 0
    refusals = []
    refusedByOutcome = [:]
  }

  private var words: (what: String, done: String, others: String, refused: String) {
    switch work {
    case .adopt: ("rows", "adopted", "there already", "refused")
    case .dryRun: ("rows", "would be adopted", "there already", "would be refused")
    case .verify: ("rows", "the same", "not adopted yet", "different")
    case .undo: ("entities", "taken back", "not adopted from there", "kept")
    }
  }

  /// For people, on standard error.
  func text(isComplete: Bool, seconds: Double) -> String {
    var lines = refusals.prefix(AdoptReport.toldMax).map { refusal in
      "\(refusal.id.map { "'\($0)'" } ?? "row \(refusal.line)"): \(refusal.outcome.spaced): \(refusal.reason)"
    }
    if refused > lines.count { lines.append("… and \(refused - lines.count) more") }
    let words = words
    var summary = "\(rows) \(words.what): \(done) \(words.done), \(others) \(words.others), \(refused) \(words.refused)"
    if !refusedByOutcome.isEmpty {
      let parts = refusedByOutcome.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key.spaced)" }
      summary += " (\(parts.joined(separator: ", ")))"
    }
    lines.append(summary + "; \(TimeSpan.text(seconds))" + (isComplete ? "" : "; not complete"))
    return lines.joined(separator: "\n")
  }

  /// For `--json`, on standard output.
  func json(isComplete: Bool, seconds: Double) -> JSON {
    let list = refusals.map { refusal in
      JSON.object([
        .init("row", .int(refusal.line)), .init("id", .text(refusal.id)), .init("outcome", .string(refusal.outcome)),
        .init("reason", .string(refusal.reason)),
      ])
    }
    let names: (String, String, String) =
      switch work {
      case .adopt, .dryRun: ("adopted", "unchanged", "refused")
      case .verify: ("same", "not_adopted", "different")
      case .undo: ("undone", "others", "kept")
      }
    return .object([
      .init("rows", .int(rows)), .init(names.0, .int(done)), .init(names.1, .int(others)), .init(names.2, .int(refused)),
      .init("by_outcome", .object(refusedByOutcome.sorted { $0.key < $1.key }.map { .init($0.key, .int($0.value)) })),
      .init(work == .verify ? "differences" : "refusals", .array(list)), .init("is_complete", .bool(isComplete)),
      .init("dry_run", .bool(work == .dryRun)), .init("seconds", .number(String((seconds * 1_000).rounded() / 1_000))),
    ])
  }
}
