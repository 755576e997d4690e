/// Moving a stale write onto what the entity has become: `on conflict: merge`.
extension SpaceJudge {
  /// Applies an update or replace that was made against an older version, when the fields changed since are others or merge by their kinds.
  ///
  /// `nil` when it has to be refused: fields overlap, or the version it was made against is not retained.
  mutating func merge(_ attempt: Attempt, _ entity: Entity, _ expected: Expected) throws -> Decision? {
    guard entity.life == .alive, expected.version < entity.version else { return nil }
    let history = try state.history(of: entity, downTo: expected.version, limit: Limits.historyPerConflictMax)
    guard let base = history.last?.entity, base.version == expected.version, base.life == .alive,
      expected.revision.map({ $0 == base.revision }) ?? true,
      // Created anew since, it is not what the writer saw, whatever its fields are.
      !history.dropLast().contains(where: { $0.kind == .create })
    else { return nil }
    let type = context.schema?[entity.key.type]?.type
    let kinds = { (name: FieldPath) in type?[name]?.merge ?? .register }
    let fields = try base.fields.decoded()
    let current = try entity.fields.decoded()
    let stamp = EditStamp(editedAt: attempt.editedAt ?? context.now, operation: attempt.operation)
      .clamped(to: context.now)
    // Reading every version costs, and only this kind asks who wrote last.
    let hasStamps = type?.fields.contains { $0.merge == .lastWriter } ?? false
    let stamps = hasStamps ? try SpaceJudge.stamps(history, kinds) : FieldStamps()
    let rebased: RebasedWrite
    let kind: ChangeKind
    var checked: Patch?
    switch attempt.action {
    case .update(let patch, _):
      kind = .update
      // As for every update, what was wrong before and is not touched is not held against it.
      checked = patch
      rebased = PatchRebase.rebase(
        patch, base: fields, current: current, kinds: kinds, stamp: stamp, currentStamps: stamps,
        budget: &mergeBudget)
    case .replace(let replacement, _):
      kind = .replace
      rebased = PatchRebase.rebase(
        replacement: context.schema?[entity.key.type]?.complete(replacement) ?? replacement, base: fields, current: current,
        kinds: kinds, stamp: stamp, currentStamps: stamps, budget: &mergeBudget)
    case .create, .getOrCreate, .delete, .restore: return nil
    }
    switch rebased {
    case .overlapping:
      // Perhaps they would have merged, with more time.
      return mergeBudget.isSpent ? .refuse(.conflict, entity, Messages.tooMuchToMerge(expected, entity)) : nil
    case .invalid(let violation): return .invalid([violation], entity)
    case .merged(let merged):
      var merging = attempt
      merging.manner = .merged
      return try store(merging, kind, CanonicalFields(merged.fields), over: entity, patch: checked, as: .merged)
    }
  }

  /// The stamps of the fields that were changed since the oldest of some changes: those of the change that touched each last.
  ///
  /// A change whose writer did not say when it was edited was edited when it was stored.
  private static func stamps(_ history: [Change], _ kinds: (FieldPath) -> MergeKind) throws(CorruptFields) -> FieldStamps {
    var stamps = FieldStamps()
    guard var newer = try history.first?.entity.fields.decoded() else { return stamps }
    for (change, before) in zip(history, history.dropFirst()) {
      let older = try before.entity.fields.decoded()
      for name in ConflictStory.differing(older, newer) where kinds(name) == .lastWriter && stamps[name] == nil {
        stamps[name] = EditStamp(editedAt: change.editedAt ?? change.entity.updated.at, operation: change.operation)
      }
      newer = older
    }
    return stamps
  }
}
