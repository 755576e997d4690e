import Testing
import TidemarkCore

/// A space in memory for tests of the judge: what is stored, and what a judge makes of it.
final class JudgedSpace: JudgeSource {
  var revision = Revision.zero
  var heads: [EntityKey: Entity] = [:]
  var log: [Change] = []
  var keys: [HeldKey: EntityID] = [:]
  var references: Set<HeldReference> = []
  var receipts: [Receipt] = []
  /// The changes that the judge read.
  private(set) var changesRead = 0
  /// Whether keys and references are compared with what the entities say after each write.
  var comparesDerived = true
  var schema: CompiledSchema?
  var now = Timestamp(rawValue: 1_000_000)
  private var nextOperation: UInt64 = 1
  let epoch = Epoch(rawValue: Bytes16(high: 1, low: 1))
  let writer: Principal

  init(_ schema: Schema? = nil) {
    writer = Principal(name: PrincipalName("front desk") ?? JudgedSpace.anybody, roleEverywhere: .writer)
    self.schema = schema.map { CompiledSchema($0) }
  }

  private static var anybody: PrincipalName { preconditionFailure("a principal has a name") }

  // MARK: JudgeSource

  func entity(_ key: EntityKey) -> Entity? { heads[key] }

  func history(of entity: Entity, downTo version: EntityVersion, limit: Int) -> [Change] {
    let found = log.reversed().filter {
      $0.entity.key == entity.key && $0.entity.version <= entity.version && $0.entity.version >= version
    }
    changesRead += min(found.count, limit)
    return Array(found.prefix(limit))
  }

  func key(at revision: Revision) -> EntityKey? { log.first { $0.entity.revision == revision }?.entity.key }

  func holder(of key: HeldKey) -> EntityID? { keys[key] }

  func referrers(of target: EntityKey, limit: Int) -> [HeldReference] {
    Array(references.filter { $0.target == target }.sorted { ($0.source, $0.field) < ($1.source, $1.field) }.prefix(limit))
  }

  // MARK: Writing

  func makeOperation() -> OperationID {
    nextOperation += 1
    return OperationID(rawValue: Bytes16(high: 7, low: nextOperation))
  }

  /// Judges a bulk and stores what came of it, as a transaction would.
  func write(
    _ items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false, by principal: Principal? = nil
  ) throws -> [Outcome] {
    let principal = principal ?? writer
    var judge = SpaceJudge(
      context: .init(
        space: .default, epoch: epoch, revision: revision, receiptFloor: .zero, fence: .zero, now: now, schema: schema),
      entities: [:], source: self)
    judge.add(receipts, of: principal.name)
    var ids: [EntityID] = []
    for (index, item) in items.enumerated() {
      let before = item.afterItem.flatMap { ids.indices.contains($0) ? ids[$0] : nil }
      ids.append(try RandomValues.require(item.id ?? before ?? EntityID("made-\(revision)-\(index)")))
    }
    let contents = items.map { item in
      WriteContent.encode(item).reduce(into: Digest32(words: (0, 0, 0, 0))) { digest, byte in
        digest = Digest32(words: (digest.words.0 &* 31 &+ UInt64(byte), 0, 0, 0))
      }
    }
    let verdicts = try judge.judge(
      Bulk(items: items, ids: ids, contents: contents, mode: mode, validatesOnly: validatesOnly, principal: principal))
    try store(judge)
    return try zip(items, verdicts).map { item, verdict in
      switch verdict {
      case .judged(let outcome): return outcome
      case .replay(let receipt):
        return Outcome(
          code: receipt.code, type: item.type, id: item.id, operation: item.operation, version: receipt.version,
          revision: receipt.revision, epoch: epoch, isReplay: true)
      case .corrupt: throw RandomValues.Missing()
      }
    }
  }

  /// The one outcome of the one item.
  func write(_ item: WriteItem, by principal: Principal? = nil) throws -> Outcome {
    try RandomValues.require(write([item], by: principal).first)
  }

  private func store(_ judge: SpaceJudge) throws {
    for change in judge.changes {
      #expect(change.entity.revision == revision.next)
      #expect(change.previous == heads[change.entity.key]?.revision ?? .zero)
      #expect(change.entity.version == heads[change.entity.key]?.version.next ?? .first)
      revision = change.entity.revision
      heads[change.entity.key] = change.entity
      log.append(change)
    }
    #expect(judge.revision == revision)
    receipts += judge.receipts.map(\.receipt)
    let moves = judge.keyMoves
    for key in moves.released { #expect(keys.removeValue(forKey: key) != nil) }
    for (key, id) in moves.taken { #expect(keys.updateValue(id, forKey: key) == nil) }
    let references = judge.referenceMoves
    for reference in references.released { #expect(self.references.remove(reference) != nil) }
    for reference in references.taken { #expect(self.references.insert(reference).inserted) }
    try expectDerived()
  }

  /// Keys and references are what the alive entities say.
  private func expectDerived() throws {
    guard let schema, comparesDerived else { return }
    var keys: [HeldKey: EntityID] = [:]
    var references: Set<HeldReference> = []
    for entity in heads.values where entity.life == .alive {
      guard let type = schema[entity.key.type] else { continue }
      for key in try type.uniqueKeys(of: entity.fields) {
        keys[HeldKey(type: entity.key.type, key: type.type.uniqueKeys[key.index].name, value: key.bytes)] = entity.key.id
      }
      for reference in try type.references(of: entity.fields) {
        references.insert(HeldReference(source: entity.key, field: reference.field, target: reference.target))
      }
    }
    #expect(self.keys == keys)
    #expect(self.references == references)
  }

  // MARK: Items

  func create(_ type: String, _ id: String?, _ fields: [(String, Value)]) throws -> WriteItem {
    WriteItem(
      operation: makeOperation(), type: try RandomValues.require(TypeName(type)),
      id: try id.map { try RandomValues.require(EntityID($0)) },
      action: .create(try JudgedSpace.fields(fields)))
  }

  func getOrCreate(_ type: String, _ id: String, _ fields: [(String, Value)]) throws -> WriteItem {
    var item = try create(type, id, [])
    item.action = .getOrCreate(try JudgedSpace.fields(fields))
    return item
  }

  func update(_ type: String, _ id: String?, _ version: UInt64, _ fields: [(String, Value)]) throws -> WriteItem {
    var item = try create(type, id, [])
    let entries = try fields.map { Patch.Entry(try RandomValues.require(FieldPath($0.0)), .set($0.1)) }
    item.action = .update(try Patch(entries), JudgedSpace.expected(version))
    return item
  }

  func delete(_ type: String, _ id: String, _ version: UInt64) throws -> WriteItem {
    var item = try create(type, id, [])
    item.action = .delete(JudgedSpace.expected(version))
    return item
  }

  func restore(_ type: String, _ id: String, _ version: UInt64) throws -> WriteItem {
    var item = try create(type, id, [])
    item.action = .restore(JudgedSpace.expected(version))
    return item
  }

  func entity(_ type: String, _ id: String) throws -> Entity? {
    heads[EntityKey(type: try RandomValues.require(TypeName(type)), id: try RandomValues.require(EntityID(id)))]
  }

  func value(_ type: String, _ id: String, _ field: String) throws -> Value? {
    try entity(type, id)?.fields.decoded()[RandomValues.require(FieldPath(field))]
  }

  static func expected(_ version: UInt64) -> Expected { Expected(version: EntityVersion(rawValue: version)) }

  static func fields(_ fields: [(String, Value)]) throws -> Fields {
    try Fields(fields.map { Field(try RandomValues.require(FieldPath($0.0)), $0.1) })
  }
}
