internal import TidemarkCore

extension ExpectedReads {
  /// What judging some requests will look up. A guess that is wrong costs time and changes nothing.
  ///
  /// - Parameters:
  ///   - ids: for each request, the ids of its entities.
  ///   - schema: the rules of the space's types, as far as they are known.
  init(_ requests: [WriteSubmission], _ ids: [[EntityID]], in space: SpaceName, schema: CompiledSchema?) {
    let expected = requests.indices.filter { requests[$0].principal.can(.writer, in: space) }
    for index in expected {
      receipts += requests[index].items.lazy.map { (requests[index].principal.name, $0.operation) }
      // Those of single writes are loaded before any is judged.
      if requests[index].items.count == 1 { entities.append(EntityKey(type: requests[index].items[0].type, id: ids[index][0])) }
    }
    for index in expected {
      let items = requests[index].items
      for (item, id) in zip(items, ids[index]) {
        if items.count > 1 { entities.append(EntityKey(type: item.type, id: id)) }
        if let schema { add(item, id, schema) }
      }
    }
  }

  /// Adds the keys and references that an item needs. What follows only from the stored entity is not known here.
  private mutating func add(_ item: WriteItem, _ id: EntityID, _ schema: CompiledSchema) {
    guard let type = schema[item.type], item.fault == nil else { return }
    switch item.action {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _): add(type.complete(fields), type, id)
    case .update(let patch, _):
      guard type.touchesKeys(patch) || type.touchesReferences(patch) else { return }
      let fields = patch.entries.compactMap { entry in
        if case .set(let value) = entry.operation { Field(entry.name, value) } else { nil }
      }
      if let fields = try? Fields(fields) { add(fields, type, id) }
    case .delete:
      if schema.referrers(to: item.type) != nil { targets.append(EntityKey(type: item.type, id: id)) }
    case .restore: return
    }
  }

  private mutating func add(_ fields: Fields, _ type: CompiledType, _ id: EntityID) {
    guard !type.type.uniqueKeys.isEmpty || type.hasReferences else { return }
    let encoded = CanonicalFields(fields)
    for key in (try? type.uniqueKeys(of: encoded)) ?? [] {
      keys.append(HeldKey(type: type.type.name, key: type.type.uniqueKeys[key.index].name, value: key.bytes))
    }
    entities += ((try? type.references(of: encoded)) ?? []).lazy.map(\.target)
  }
}
