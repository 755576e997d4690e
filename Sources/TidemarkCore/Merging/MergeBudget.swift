/// What the merges of texts may still cost, for those who merge for many: `Limits.mergeStepsPerBulkMax` for a bulk.
public struct MergeBudget: Hashable, Sendable {
  /// The lines that may still be compared.
  public private(set) var steps: Int

  /// For a single merge, which `MergeLimits` bound.
  public static let unlimited = MergeBudget(steps: .max)

  public init(steps: Int) { self.steps = steps }

  /// Whether nothing is left: every further merge of texts overlaps.
  public var isSpent: Bool { steps <= 0 }

  /// Takes steps away. False when there were fewer: then nothing is left.
  mutating func spend(_ count: Int) -> Bool {
    let isEnough = count <= steps
    steps = isEnough ? steps - count : 0
    return isEnough
  }
}
