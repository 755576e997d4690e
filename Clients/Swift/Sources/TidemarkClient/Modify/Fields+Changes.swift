public import TidemarkCore

extension Fields {
  /// What must be set and removed so that these fields become others: as little as possible.
  ///
  /// Setting a field removes what is above and below it, so that is not removed in words.
  public func changes(to new: Fields) -> [Patch.Entry] {
    var set: [Patch.Entry] = []
    for field in new.sorted where self[field.name] != field.value { set.append(Patch.Entry(field.name, .set(field.value))) }
    let unset = sorted.filter { field in
      new[field.name] == nil && !set.contains { $0.name.overlaps(field.name) }
    }
    return set + unset.map { Patch.Entry($0.name, .unset) }
  }

  /// The write that turns these fields into others: an update, or a replace when an update cannot have so many operations.
  ///
  /// - Returns: `nil` when nothing changed.
  public func change(to new: Fields, expected: Expected) -> WriteAction? {
    let entries = changes(to: new)
    guard !entries.isEmpty else { return nil }
    guard let patch = try? Patch(entries) else { return .replace(new, expected) }
    return .update(patch, expected)
  }
}
