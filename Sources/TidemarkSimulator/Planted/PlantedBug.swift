/// A mistake that a store could have, made on purpose to show that the simulator finds it. None of them is in the product's code.
public enum PlantedBug: String, CaseIterable, Sendable {
  /// Answers leave before the commit.
  case ackBeforeCommit = "ack-before-commit"
  /// Receipts are not kept.
  case noReceipts = "no-receipts"
  /// The state that a write is checked against was read before the transaction began.
  case checkOutsideTransaction = "check-outside-transaction"
  /// The items of a group are applied each on its own.
  case groupHalfApplied = "group-half-applied"
  /// An entity that is created over a deleted one begins again at version 1.
  case versionReset = "version-reset"
  /// A commit whose answer was lost counts as one that was not done. Only a database can show it.
  case lostAnswerIsRefusal = "lost-answer-is-refusal"
  /// What was committed here is remembered although other nodes change it. Only a database can show it.
  case remembersWhatOthersChange = "remembers-what-others-change"

  /// Those that can be seen on an engine. In memory nothing fails, so an answer before the commit is none too early.
  public static func all(on engine: SimulatedEngine) -> [PlantedBug] {
    switch engine {
    case .sqlite: allCases.filter { $0 != .lostAnswerIsRefusal && $0 != .remembersWhatOthersChange }
    case .memory: [.noReceipts, .checkOutsideTransaction, .groupHalfApplied, .versionReset]
    case .postgres: allCases
    }
  }
}
