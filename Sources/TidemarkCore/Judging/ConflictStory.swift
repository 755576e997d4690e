/// Tells what happened to an entity since a stale write's expected version: a pure function of the versions in between.
public enum ConflictStory {
  /// Makes the story of a refused write.
  ///
  /// - Parameters:
  ///   - action: what the write asked for.
  ///   - current: the entity as it is.
  ///   - past: its versions before `current`, newest first, down to the expected one where they are retained.
  /// - Throws: `CorruptFields` when a stored version does not decode.
  public static func make(for action: WriteAction, current: Entity, past: [Entity]) throws(CorruptFields) -> Conflict {
    guard let expected = action.expected else { return Conflict(expected: nil, current: current) }
    guard let base = past.last, base.version == expected.version,
      expected.revision.map({ $0 == base.revision }) ?? true
    else { return Conflict(expected: expected, current: current) }
    let changes = try changes(from: base, through: past.dropLast().reversed() + [current])
    let mine = try touched(by: action, base: base)
    let overlapping = changes.map(\.name).filter { changed in mine.contains { $0.overlaps(changed) } }
    return Conflict(expected: expected, current: current, base: base, changes: changes, overlapping: overlapping)
  }

  /// The fields that differ between `base` and the last of `versions`, each with the version that changed it last.
  private static func changes(from base: Entity, through versions: [Entity]) throws(CorruptFields) -> [FieldChange] {
    let before = try base.fields.decoded()
    var lastChange: [FieldPath: (EntityVersion, Mark)] = [:]
    var previous = before
    for entity in versions {
      let fields = try entity.fields.decoded()
      for name in differing(previous, fields) { lastChange[name] = (entity.version, entity.updated) }
      previous = fields
    }
    return differing(before, previous).compactMap { name in
      guard let (version, mark) = lastChange[name] else { return nil }
      return FieldChange(name: name, before: before[name], after: previous[name], version: version, changed: mark)
    }
  }

  /// The names of the fields whose values differ, sorted.
  public static func differing(_ a: Fields, _ b: Fields) -> [FieldPath] {
    var names: [FieldPath] = []
    var left = a.sorted[...]
    var right = b.sorted[...]
    while let x = left.first, let y = right.first {
      if x.name == y.name {
        if x.value != y.value { names.append(x.name) }
        left.removeFirst()
        right.removeFirst()
      } else if x.name < y.name {
        names.append(x.name)
        left.removeFirst()
      } else {
        names.append(y.name)
        right.removeFirst()
      }
    }
    return names + left.map(\.name) + right.map(\.name)
  }

  /// The fields a write would change, seen from the version it was made against.
  private static func touched(by action: WriteAction, base: Entity) throws(CorruptFields) -> [FieldPath] {
    switch action {
    case .create, .getOrCreate: []
    case .update(let patch, _): patch.entries.map(\.name)
    case .replace(let fields, _): differing(try base.fields.decoded(), fields)
    case .delete, .restore: try base.fields.decoded().sorted.map(\.name)
    }
  }
}
