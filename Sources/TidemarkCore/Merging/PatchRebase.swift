/// What became of a stale write that asked to be merged.
public enum RebasedWrite: Hashable, Sendable {
  /// The entity with the write and what was changed since. Nothing overlaps.
  case merged(MergedEntity)
  /// The fields that both the write and somebody else changed, sorted.
  case overlapping([FieldPath])
  /// The write does not fit the state that it was made against.
  case invalid(Violation)
}

/// Moves a write that was made against an older state onto the current one: `on conflict: merge`.
///
/// It succeeds when the fields changed since are others than the write's, or merge by their kinds. An increment is a difference
/// whatever the kind of its field: it is added to the number that is there now. The entity as a result, not a patch: the same
/// fields go on to the rules of the schema and to the log as after any other write.
public enum PatchRebase {
  /// Moves a patch from `base` onto `current`.
  ///
  /// A patch that sets or removes `a` also claims everything below it: what somebody else put there meanwhile overlaps, rather
  /// than being removed unseen. An operation that would change nothing in `base` claims nothing.
  ///
  /// - Parameters:
  ///   - stamp: When and by which write the patch was made, clamped; `nil` loses against every stamp.
  ///   - budget: Texts overlap when it is spent.
  public static func rebase(
    _ patch: Patch, base: Fields, current: Fields, kinds: (FieldPath) -> MergeKind, stamp: EditStamp? = nil,
    currentStamps: FieldStamps = FieldStamps(), budget: inout MergeBudget
  ) -> RebasedWrite {
    var mine = base
    var touched: [FieldPath] = []
    var increments: [FieldPath: Patch.Entry] = [:]
    for entry in patch.entries {
      switch entry.operation {
      case .set(let value):
        if base[entry.name] == value { continue }
        mine.set(entry.name, value)
        touched.append(entry.name)
      case .unset:
        let count = mine.count
        mine.unset(entry.name)
        if mine.count != count { touched.append(entry.name) }
      case .incrementInt, .incrementDouble:
        switch entry.newValue(over: base[entry.name]) {
        case .success(let value): if let value { mine.set(entry.name, value) }
        case .failure(let violation): if base[entry.name] == current[entry.name] { return .invalid(violation) }
        }
        touched.append(entry.name)
        increments[entry.name] = entry
      }
    }
    guard mine.count <= Limits.fieldsPerEntityMax else { return .invalid(.tooManyFields(mine.count)) }
    let stamps = stamps(of: mine, base: base, current: current, stamp: stamp, currentStamps: currentStamps, kinds: kinds)
    var run = MergeRun(
      base: base, mine: mine, theirs: current, mineStamps: stamps, theirsStamps: currentStamps, touched: touched)
    run.merge { name in
      if let entry = increments[name] { return increment(entry, base: base[name], current: current[name]) }
      return FieldMerge.merge(
        kinds(name), base: base[name], mine: mine[name], theirs: current[name], mineStamp: stamps[name],
        theirsStamp: currentStamps[name], budget: &budget)
    }
    return rebased(run.result)
  }

  /// Moves a replacement of all fields from `base` onto `current`: what it changes is the difference between `base` and `fields`.
  public static func rebase(
    replacement fields: Fields, base: Fields, current: Fields, kinds: (FieldPath) -> MergeKind, stamp: EditStamp? = nil,
    currentStamps: FieldStamps = FieldStamps(), budget: inout MergeBudget
  ) -> RebasedWrite {
    rebased(
      EntityMerge.merge(
        base: base, mine: fields, theirs: current, kinds: kinds,
        mineStamps: stamps(of: fields, base: base, current: current, stamp: stamp, currentStamps: currentStamps, kinds: kinds),
        theirsStamps: currentStamps, budget: &budget))
  }

  private static func rebased(_ merged: MergedEntity) -> RebasedWrite {
    merged.isComplete ? .merged(merged) : .overlapping(merged.overlapping)
  }

  /// Adds to what is there now. A number that somebody removed meanwhile is no number to add to.
  private static func increment(_ entry: Patch.Entry, base: Value?, current: Value?) -> FieldMergeResult {
    let isGone = current == nil || current == .null
    let wasThere = base != nil && base != .null
    if isGone && wasThere { return .overlap }
    switch entry.newValue(over: current) {
    case .success(let value): return .value(value)
    case .failure: return .overlap
    }
  }

  /// The current stamps, and the write's for what it changed.
  private static func stamps(
    of mine: Fields, base: Fields, current: Fields, stamp: EditStamp?, currentStamps: FieldStamps,
    kinds: (FieldPath) -> MergeKind
  ) -> FieldStamps {
    var stamps = currentStamps
    for name in FieldStates.names(base, mine) where base[name] != mine[name] && kinds(name) == .lastWriter {
      // Where nobody else changed the field, the writer saw the value that is there.
      stamps[name] = base[name] == current[name] ? stamp?.following(currentStamps[name]) : stamp
    }
    return stamps
  }
}
