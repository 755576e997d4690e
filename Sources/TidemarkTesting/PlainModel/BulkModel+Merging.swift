internal import TidemarkCore

/// Patches, and stale writes that ask to be merged.
extension BulkModel {
  func plain(_ fields: Fields, _ more: [(FieldPath, Value)]) -> [FieldPath: Value] {
    Dictionary(fields.sorted.map { ($0.name, $0.value) } + more) { $1 }
  }

  /// The fields after a patch; `nil` when an increment does not fit.
  func patched(_ fields: [FieldPath: Value], _ patch: Patch, _ more: [(FieldPath, Value)]) -> [FieldPath: Value]? {
    var result = fields
    for entry in patch.entries {
      switch entry.operation {
      case .set(let value): result[entry.name] = value
      case .unset: result[entry.name] = nil
      case .incrementInt(let amount):
        guard let sum = sum(result[entry.name], amount) else { return nil }
        result[entry.name] = .int(sum)
      case .incrementDouble: return nil
      }
    }
    for (name, value) in more { result[name] = value }
    return result
  }

  private func sum(_ value: Value?, _ amount: Int64) -> Int64? {
    switch value ?? .null {
    case .null: amount
    case .int(let old): old.addingReportingOverflow(amount).overflow ? nil : old + amount
    default: nil
    }
  }

  /// What an update or replace that was made against an older version becomes.
  mutating func merge(
    _ item: WriteItem, _ key: EntityKey, _ state: State, _ expected: (UInt64, UInt64?), _ more: [(FieldPath, Value)]
  ) -> Decision {
    let conflict: Decision = (.conflict, key, state)
    guard state.isAlive, expected.0 < state.version,
      let base = world.past[key]?.first(where: { $0.version == expected.0 }), base.isAlive,
      !(world.past[key] ?? []).contains(where: { $0.version > expected.0 && world.creations.contains($0.revision) }),
      expected.1.map({ $0 == base.revision }) ?? true
    else { return conflict }
    var mine = base.fields
    var added: [FieldPath: Int64] = [:]
    switch item.action {
    case .replace(let fields, _): mine = plain(fields, more)
    case .update(let patch, _):
      for entry in patch.entries {
        guard case .incrementInt(let amount) = entry.operation else { continue }
        added[entry.name] = amount
        if sum(base.fields[entry.name], amount) == nil, base.fields[entry.name] == state.fields[entry.name] {
          return (.invalid, key, state)
        }
      }
      let others = patch.entries.filter { added[$0.name] == nil }
      mine = (try? Patch(others)).flatMap { patched(mine, $0, more) } ?? plain(Fields(), mine.map { ($0, $1) } + more)
    case .create, .getOrCreate, .delete, .restore: return conflict
    }
    var merged: [FieldPath: Value] = [:]
    for name in Set(base.fields.keys).union(mine.keys).union(state.fields.keys).union(added.keys) {
      let (old, theirs) = (base.fields[name], state.fields[name])
      if let amount = added[name] {
        let wasRemoved = (theirs ?? .null) == .null && (old ?? .null) != .null
        guard !wasRemoved, let sum = sum(theirs, amount) else { return conflict }
        merged[name] = .int(sum)
      } else if mine[name] == old {
        merged[name] = theirs
      } else if theirs == old {
        merged[name] = mine[name]
      } else if rules.isCounter(name), case .int(let a)? = mine[name], case .int(let b)? = theirs, let c = number(old) {
        guard let sum = Int64(exactly: Int128(a) + Int128(b) - Int128(c)) else { return conflict }
        merged[name] = .int(sum)
      } else if mine[name] == theirs {
        merged[name] = theirs
      } else {
        return conflict
      }
    }
    return store(key, true, merged, as: .merged)
  }

  /// A number, or 0 where there is nothing.
  private func number(_ value: Value?) -> Int64? {
    switch value ?? .null {
    case .null: 0
    case .int(let number): number
    default: nil
    }
  }
}
