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
}
