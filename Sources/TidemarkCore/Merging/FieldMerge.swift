/// What became of two changes of one field.
public enum FieldMergeResult: Hashable, Sendable {
  /// The field holds this; `nil` when it is gone.
  case value(Value?)
  /// Both sides changed it and neither may be dropped.
  case overlap
}

/// Merges two changes of one field: pure, the same on every replica, and symmetric: no kind names a side.
///
/// A side that equals the base did not change the field, so the other side is the result. Two equal changes are one, except for a
/// counter, where two people who both add 1 have added 2. In what remains both sides changed the field, differently:
///
/// | kind | result | overlap |
/// |---|---|---|
/// | register | | always |
/// | counter | the base plus both differences | ints leave 64 bits, doubles are or become infinite or NaN, mixed kinds |
/// | set | what either added is in, what either removed is out | more than `Limits.listElementsMax` |
/// | max, min | the greater or smaller int, double, timestamp, string or bytes | other or mixed kinds |
/// | text | both sides' changes of lines | changes touch each other, or pass `MergeLimits` |
/// | last writer | the side with the later stamp, also when it removed the field | stamps are equal, or both missing |
///
/// An absent or null base counts as 0 for a counter and as empty for a set. A merged set holds what stays in the order of the
/// base, then what was added, sorted. A missing stamp is earlier than every other. Sums of doubles depend on their order where
/// they are rounded.
///
/// Removing a field against changing it is an overlap for every kind but last writer; so is setting it to null.
///
/// Because equal counters are two changes, a client must not merge a write with its own echo: it settles operations of unknown
/// outcome first.
public enum FieldMerge {
  /// Merges three states of one field, each `nil` when the field was or is absent.
  public static func merge(
    _ kind: MergeKind, base: Value?, mine: Value?, theirs: Value?, mineStamp: EditStamp? = nil, theirsStamp: EditStamp? = nil
  ) -> FieldMergeResult {
    var budget = MergeBudget.unlimited
    return merge(
      kind, base: base, mine: mine, theirs: theirs, mineStamp: mineStamp, theirsStamp: theirsStamp, budget: &budget)
  }

  /// The same, for one of many merges: texts overlap when the budget is spent.
  public static func merge(
    _ kind: MergeKind, base: Value?, mine: Value?, theirs: Value?, mineStamp: EditStamp?, theirsStamp: EditStamp?,
    budget: inout MergeBudget
  ) -> FieldMergeResult {
    if mine == base { return .value(theirs) }
    if theirs == base { return .value(mine) }
    if kind == .counter, let result = sum(base: base, mine: mine, theirs: theirs) { return result }
    if mine == theirs { return .value(mine) }
    switch kind {
    case .register, .counter: return .overlap
    case .set: return union(base: base, mine: mine, theirs: theirs)
    case .max: return extreme(mine, theirs, isMaximum: true)
    case .min: return extreme(mine, theirs, isMaximum: false)
    case .text: return lines(base: base, mine: mine, theirs: theirs, &budget)
    case .lastWriter: return latest(mine, theirs, mineStamp: mineStamp, theirsStamp: theirsStamp)
    }
  }

  /// Merges two states of one field whose common state is not known any more: who changed what cannot be told.
  ///
  /// Equal states are the result, and kinds that do not look at the base (max, min, last writer) merge; everything else overlaps.
  public static func mergeWithoutBase(
    _ kind: MergeKind, mine: Value?, theirs: Value?, mineStamp: EditStamp? = nil, theirsStamp: EditStamp? = nil
  ) -> FieldMergeResult {
    if mine == theirs { return .value(mine) }
    switch kind {
    case .register, .counter, .set, .text: return .overlap
    case .max: return extreme(mine, theirs, isMaximum: true)
    case .min: return extreme(mine, theirs, isMaximum: false)
    case .lastWriter: return latest(mine, theirs, mineStamp: mineStamp, theirsStamp: theirsStamp)
    }
  }

  /// Adds both differences; `nil` when the three are not numbers of one kind.
  private static func sum(base: Value?, mine: Value?, theirs: Value?) -> FieldMergeResult? {
    switch (mine, theirs) {
    case (.int(let mine), .int(let theirs)):
      guard let base = intBase(base) else { return nil }
      // The sum of two 64-bit differences and a base may leave 64 bits on the way and come back; mine + theirs - base is the same
      // number.
      let wide = Int128(mine) + Int128(theirs) - Int128(base)
      return Int64(exactly: wide).map { .value(.int($0)) } ?? .overlap
    case (.double(let mine), .double(let theirs)):
      guard let base = doubleBase(base) else { return nil }
      let added = (Double(bitPattern: mine) - base) + (Double(bitPattern: theirs) - base)
      let result = base + added
      return result.isFinite ? .value(.double(result)) : .overlap
    default: return nil
    }
  }

  private static func intBase(_ base: Value?) -> Int64? {
    switch base {
    case nil, .null: 0
    case .int(let value): value
    default: nil
    }
  }

  private static func doubleBase(_ base: Value?) -> Double? {
    switch base {
    case nil, .null: 0
    case .double(let bits): Double(bitPattern: bits)
    default: nil
    }
  }

  private static func extreme(_ mine: Value?, _ theirs: Value?, isMaximum: Bool) -> FieldMergeResult {
    guard let mine, let theirs, let isLess = mine.isLess(than: theirs) else { return .overlap }
    return .value(isLess == isMaximum ? theirs : mine)
  }

  private static func latest(
    _ mine: Value?, _ theirs: Value?, mineStamp: EditStamp?, theirsStamp: EditStamp?
  ) -> FieldMergeResult {
    guard mineStamp != theirsStamp, let later = EditStamp.later(mineStamp, theirsStamp) else { return .overlap }
    return .value(later == mineStamp ? mine : theirs)
  }

  private static func union(base: Value?, mine: Value?, theirs: Value?) -> FieldMergeResult {
    guard case .list(let mine) = mine, case .list(let theirs) = theirs else { return .overlap }
    let old: [Scalar]
    switch base {
    case nil, .null: old = []
    case .list(let scalars): old = scalars
    default: return .overlap
    }
    let (inMine, inTheirs, inBase) = (Set(mine), Set(theirs), Set(old))
    var kept = Set<Scalar>()
    var result = old.filter { inMine.contains($0) && inTheirs.contains($0) && kept.insert($0).inserted }
    result += inMine.union(inTheirs).subtracting(inBase).sorted(by: Scalar.precedes)
    return result.count <= Limits.listElementsMax ? .value(.list(result)) : .overlap
  }

  private static func lines(
    base: Value?, mine: Value?, theirs: Value?, _ budget: inout MergeBudget
  ) -> FieldMergeResult {
    guard case .string(let base) = base, case .string(let mine) = mine, case .string(let theirs) = theirs,
      let merged = TextMerge.merge(base: base, mine: mine, theirs: theirs, budget: &budget)
    else { return .overlap }
    return .value(.string(merged))
  }
}
