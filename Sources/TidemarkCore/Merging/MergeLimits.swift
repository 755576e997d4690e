/// What bounds the work of a merge. Beyond a limit the two sides overlap, so that every replica answers the same.
public enum MergeLimits {
  /// The most lines a text may have to be merged by lines.
  public static let textLinesMax = 10_000
  /// The most lines that one side may add and remove, together.
  public static let textEditsMax = 500
  /// The most lines compared to find what one side changed.
  public static let textStepsMax = 2_000_000
}
