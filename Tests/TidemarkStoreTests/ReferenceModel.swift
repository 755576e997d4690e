import TidemarkCore

/// What the rules say, written a second time and as plainly as possible: no engine, no encoding, no chain.
struct ReferenceModel {
  struct State {
    var version: UInt64
    var isAlive: Bool
    var fields: [FieldPath: Value]
  }

  struct Receipt {
    var content: WriteItem
    var code: OutcomeCode
    var version: UInt64?
  }

  var states: [EntityKey: State] = [:]
  var receipts: [OperationID: Receipt] = [:]
  var revision: UInt64 = 0

  /// The code and version that the item must be answered with, and whether that is a replay.
  mutating func apply(_ item: WriteItem, _ key: EntityKey) -> (code: OutcomeCode, version: UInt64?, isReplay: Bool) {
    if let receipt = receipts[item.operation] {
      return receipt.content == item ? (receipt.code, receipt.version, true) : (.invalid, nil, false)
    }
    let (code, version) = judge(item, key)
    receipts[item.operation] = Receipt(content: item, code: code, version: version)
    return (code, version, false)
  }

  private mutating func judge(_ item: WriteItem, _ key: EntityKey) -> (OutcomeCode, UInt64?) {
    let state = states[key]
    switch item.action {
    case .create(let fields):
      if let state, state.isAlive { return (.alreadyExists, state.version) }
      return store(key, state, true, plain(fields))
    case .getOrCreate(let fields):
      if let state, state.isAlive { return (.unchanged, state.version) }
      return store(key, state, true, plain(fields))
    case .update(let patch, let expected):
      guard let state else { return (.notFound, nil) }
      guard expected.version.rawValue == state.version else { return (.conflict, state.version) }
      guard state.isAlive else { return (.notFound, state.version) }
      guard let fields = patched(state.fields, patch) else { return (.invalid, state.version) }
      return fields == state.fields ? (.unchanged, state.version) : store(key, state, true, fields)
    case .replace(let fields, let expected):
      guard let state else { return (.notFound, nil) }
      guard expected.version.rawValue == state.version else { return (.conflict, state.version) }
      guard state.isAlive else { return (.notFound, state.version) }
      return plain(fields) == state.fields ? (.unchanged, state.version) : store(key, state, true, plain(fields))
    case .delete(let expected):
      guard let state else { return (.notFound, nil) }
      guard expected.version.rawValue == state.version else { return (.conflict, state.version) }
      return state.isAlive ? store(key, state, false, state.fields) : (.unchanged, state.version)
    case .restore(let expected):
      guard let state else { return (.notFound, nil) }
      guard expected.version.rawValue == state.version else { return (.conflict, state.version) }
      return state.isAlive ? (.unchanged, state.version) : store(key, state, true, state.fields)
    }
  }

  private mutating func store(
    _ key: EntityKey, _ old: State?, _ isAlive: Bool, _ fields: [FieldPath: Value]
  ) -> (OutcomeCode, UInt64?) {
    let version = (old?.version ?? 0) + 1
    states[key] = State(version: version, isAlive: isAlive, fields: fields)
    revision += 1
    return (.applied, version)
  }

  private func plain(_ fields: Fields) -> [FieldPath: Value] {
    Dictionary(fields.sorted.map { ($0.name, $0.value) }) { $1 }
  }

  /// The fields after a patch; `nil` when an increment does not fit.
  private func patched(_ fields: [FieldPath: Value], _ patch: Patch) -> [FieldPath: Value]? {
    var result = fields
    for entry in patch.entries {
      switch entry.operation {
      case .set(let value):
        result = result.filter { !$0.key.overlaps(entry.name) }
        result[entry.name] = value
      case .unset: result = result.filter { $0.key != entry.name && !entry.name.isAbove($0.key) }
      case .incrementInt(let amount):
        switch result[entry.name] ?? .null {
        case .null:
          result = result.filter { !$0.key.overlaps(entry.name) }
          result[entry.name] = .int(amount)
        case .int(let old):
          guard !old.addingReportingOverflow(amount).overflow else { return nil }
          result[entry.name] = .int(old + amount)
        default: return nil
        }
      case .incrementDouble: return nil
      }
    }
    return result
  }
}
