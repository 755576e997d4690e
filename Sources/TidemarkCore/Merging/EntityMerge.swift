/// What became of two changes of one entity.
public struct MergedEntity: Hashable, Sendable {
  /// The fields after the merge. Overlapping fields hold what theirs holds.
  public var fields: Fields
  /// The fields that both sides changed and that did not merge, sorted; empty when the merge is complete.
  public var overlapping: [FieldPath]
  /// The fields that both sides changed and that became one value, sorted.
  public var combined: [FieldPath]
  /// The stamps of the `last_writer` fields after the merge.
  public var stamps: FieldStamps

  /// Whether nothing is left to decide.
  public var isComplete: Bool { overlapping.isEmpty }
}

/// Merges two changes of one entity, field by field.
///
/// A path and one below it exclude each other, so a change of `a` and the other side's change of `a.b` overlap, and with them
/// everything below `a` that either side changed: half of a rearranged object is never mixed with half of another.
///
/// The result is always an entity: when it would have more than `Limits.fieldsPerEntityMax` fields or `Limits.entityBytesMax`
/// bytes, what either side changed overlaps.
public enum EntityMerge {
  /// Merges three states. Swapping mine and theirs gives the same names, and the same fields when nothing overlaps.
  ///
  /// - Parameters:
  ///   - base: The last common state: no fields for an entity that both made; `nil` when it is not known any more, and then only
  ///     fields that need no base merge (`FieldMerge.mergeWithoutBase`).
  ///   - kinds: The merge kind of a field; `register` where no schema says otherwise.
  public static func merge(
    base: Fields?, mine: Fields, theirs: Fields, kinds: (FieldPath) -> MergeKind, mineStamps: FieldStamps = FieldStamps(),
    theirsStamps: FieldStamps = FieldStamps()
  ) -> MergedEntity {
    var budget = MergeBudget.unlimited
    return merge(
      base: base, mine: mine, theirs: theirs, kinds: kinds, mineStamps: mineStamps, theirsStamps: theirsStamps, budget: &budget)
  }

  /// The same, for one of many merges: texts overlap when the budget is spent.
  public static func merge(
    base: Fields?, mine: Fields, theirs: Fields, kinds: (FieldPath) -> MergeKind, mineStamps: FieldStamps,
    theirsStamps: FieldStamps, budget: inout MergeBudget
  ) -> MergedEntity {
    var run = MergeRun(base: base, mine: mine, theirs: theirs, mineStamps: mineStamps, theirsStamps: theirsStamps)
    run.merge { name in
      let (kind, mine, theirs) = (kinds(name), mine[name], theirs[name])
      let (mineStamp, theirsStamp) = (mineStamps[name], theirsStamps[name])
      guard let base else {
        return FieldMerge.mergeWithoutBase(
          kind, mine: mine, theirs: theirs, mineStamp: mineStamp, theirsStamp: theirsStamp)
      }
      return FieldMerge.merge(
        kind, base: base[name], mine: mine, theirs: theirs, mineStamp: mineStamp, theirsStamp: theirsStamp,
        budget: &budget)
    }
    return run.result
  }
}

/// One merge of an entity: which side changed which fields, and what became of each.
struct MergeRun {
  private let base: Fields?
  private let mine: Fields
  private let theirs: Fields
  private let mineStamps: FieldStamps
  private let theirsStamps: FieldStamps
  private let names: [FieldPath]
  /// What each side changed. A patch adds what it touched without changing its value.
  private var mineChanged: Set<FieldPath> = []
  private var theirsChanged: Set<FieldPath> = []
  private(set) var result: MergedEntity

  init(
    base: Fields?, mine: Fields, theirs: Fields, mineStamps: FieldStamps, theirsStamps: FieldStamps, touched: [FieldPath] = []
  ) {
    self.base = base
    self.mine = mine
    self.theirs = theirs
    self.mineStamps = mineStamps
    self.theirsStamps = theirsStamps
    var names = FieldStates.names(base ?? Fields(), mine, theirs)
    if !touched.isEmpty { names = Set(names + touched).sorted() }
    self.names = names
    for name in names {
      // Without a base a difference may be anybody's.
      if mine[name] != (base ?? theirs)[name] { mineChanged.insert(name) }
      if theirs[name] != (base ?? mine)[name] { theirsChanged.insert(name) }
    }
    mineChanged.formUnion(touched)
    result = MergedEntity(fields: theirs, overlapping: [], combined: [], stamps: mineStamps.merged(with: theirsStamps))
  }

  /// Merges every field that both changed with `mergeField`, and takes over the rest.
  mutating func merge(_ mergeField: (FieldPath) -> FieldMergeResult) {
    let rearranged = rearrangedTops()
    var fields: [Field] = []
    var top: FieldPath?
    for name in names {
      if rearranged.contains(name) { top = top.flatMap { $0.isAbove(name) ? $0 : nil } ?? name }
      let isRearranged = top.map { $0 == name || $0.isAbove(name) } ?? false
      let (isMine, isTheirs) = (mineChanged.contains(name), theirsChanged.contains(name))
      var value = isMine ? mine[name] : theirs[name]
      // The stamp follows the value: that of a side which changed nothing would make later merges depend on their order.
      if isMine != isTheirs { result.stamps[name] = isMine ? mineStamps[name] : theirsStamps[name] }
      if isRearranged && (isMine || isTheirs) {
        value = overlap(name)
      } else if isMine && isTheirs {
        value = decide(name, mergeField(name))
      }
      if let value { fields.append(Field(name, value)) }
    }
    finish(fields)
  }

  private mutating func decide(_ name: FieldPath, _ merged: FieldMergeResult) -> Value? {
    switch merged {
    case .value(let value):
      result.combined.append(name)
      return value
    case .overlap: return overlap(name)
    }
  }

  private mutating func overlap(_ name: FieldPath) -> Value? {
    result.overlapping.append(name)
    result.stamps[name] = theirsStamps[name]
    return theirs[name]
  }

  /// The upper paths of all pairs of which one side changed the upper and the other a lower one, unless both hold the same at
  /// both.
  private func rearrangedTops() -> Set<FieldPath> {
    var tops: Set<FieldPath> = []
    var above: [FieldPath] = []
    for name in names {
      while let last = above.last, !last.isAbove(name) { above.removeLast() }
      for upper in above where isCrossed(upper, name) { tops.insert(upper) }
      above.append(name)
    }
    return tops
  }

  private func isCrossed(_ upper: FieldPath, _ lower: FieldPath) -> Bool {
    guard
      mineChanged.contains(upper) && theirsChanged.contains(lower)
        || theirsChanged.contains(upper) && mineChanged.contains(lower)
    else { return false }
    return mine[upper] != theirs[upper] || mine[lower] != theirs[lower]
  }

  /// Keeps the fields when they are an entity; otherwise everything that was changed overlaps.
  private mutating func finish(_ fields: [Field]) {
    if let merged = try? Fields(fields), FieldStates.encodedSize(merged) <= Limits.entityBytesMax {
      result.fields = merged
      return
    }
    result = MergedEntity(
      fields: theirs, overlapping: names.filter { mineChanged.contains($0) || theirsChanged.contains($0) }, combined: [],
      stamps: theirsStamps)
  }
}
