public import TidemarkCore

/// Compares who holds which unique key, and who points to whom, with what the alive entities of a space say.
///
/// Goes in steps, each on a snapshot of its own, so that it runs beside writes: every step compares what one state says of itself. First every
/// entity must hold what it has; then everything that is held must be had by its holder.
public struct RelationVerifier: Sendable {
  private enum Phase { case entities, keys, references, done }

  public let name: SpaceName
  /// The faults found so far, at most `ChainVerifier.faultsMax`.
  public private(set) var faults: [ChainVerifier.Fault] = []
  private let decode: @Sendable ([UInt8]) throws -> Schema
  private var compiled: (version: UInt64, schema: CompiledSchema)?
  private var epoch: Epoch?
  private var phase = Phase.entities
  private var type: TypeName?
  private var after: EntityID?
  private var lastKey: HeldKey?
  private var lastReference: HeldReference?

  private static let pageBytesMax = 1 << 20

  /// - Parameter decode: reads what `SchemaRecord.content` keeps.
  public init(space name: SpaceName, decode: @escaping @Sendable ([UInt8]) throws -> Schema) {
    self.name = name
    self.decode = decode
  }

  /// True when everything was walked.
  public var isDone: Bool { phase == .done }

  /// Looks at up to `limit` more entities, keys or references.
  ///
  /// - Returns: false when the space is not there (any more).
  /// - Throws: what the store throws when it cannot be read. Damage is a fault, not an error.
  public mutating func step(_ snapshot: any StoreSnapshot, limit: Int) throws -> Bool {
    guard let record = try snapshot.space(named: name), epoch == nil || epoch == record.epoch else { return false }
    epoch = record.epoch
    do {
      let schema = try schema(of: record, snapshot)
      switch phase {
      case .entities: try walkEntities(snapshot, record.id, schema, limit)
      case .keys: try walkKeys(snapshot, record.id, schema, limit)
      case .references: try walkReferences(snapshot, record.id, schema, limit)
      case .done: break
      }
    } catch let error as StoreError where error.code == .corrupt {
      giveUpPhase()
    } catch is CorruptFields {
      giveUpPhase()
    }
    return true
  }

  /// Goes on after damage that leaves the rest of a phase out of reach.
  private mutating func giveUpPhase() {
    note(
      ChainVerifier.Fault(
        revision: .zero, key: type.flatMap { type in after.map { EntityKey(type: type, id: $0) } }, kind: .unreadable))
    switch phase {
    case .entities: phase = .keys
    case .keys: phase = .references
    case .references, .done: phase = .done
    }
    type = nil
  }

  /// The schema in force; `nil` when there is none, or when it is missing, which `ChainVerifier` finds.
  private mutating func schema(of record: SpaceRecord, _ snapshot: any StoreSnapshot) throws -> CompiledSchema? {
    guard record.schemaVersion > 0 else { return nil }
    if let compiled, compiled.version == record.schemaVersion { return compiled.schema }
    guard let stored = try snapshot.schema(version: record.schemaVersion, in: record.id),
      let decoded = try? decode(stored.content)
    else { throw StoreError(.corrupt, "the schema of the space \(record.name) is missing") }
    let schema = CompiledSchema(decoded)
    compiled = (record.schemaVersion, schema)
    return schema
  }

  // MARK: What entities have

  private mutating func walkEntities(
    _ snapshot: any StoreSnapshot, _ space: SpaceID, _ schema: CompiledSchema?, _ limit: Int
  ) throws {
    if type == nil || schema?[type ?? .unknown] == nil { (type, after) = (nextType(schema), nil) }
    guard let type, let rules = schema?[type] else { return phase = .keys }
    let page = try snapshot.entities(
      of: type, in: space, after: after, deleted: .exclude, limit: limit, bytesMax: RelationVerifier.pageBytesMax)
    for entity in page {
      let keys = try rules.heldKeys(of: entity)
      for holder in try snapshot.holders(of: keys, in: space) where holder != entity.key.id { note(entity, .key) }
      for isHeld in try snapshot.areHeld(try rules.heldReferences(of: entity), in: space) where !isHeld {
        note(entity, .reference)
      }
    }
    guard let last = page.last?.key.id else { return (self.type, after) = (nextType(schema), nil) }
    guard after.map({ $0 < last }) ?? true else { throw StoreError(.corrupt, "a listing does not advance") }
    after = last
  }

  /// The described type that follows the one that was walked; when there is none, the phase ends.
  private mutating func nextType(_ schema: CompiledSchema?) -> TypeName? {
    let next = (schema?.schema.types ?? []).map(\.name).filter { name in type.map { $0 < name } ?? true }.min()
    if next == nil { phase = .keys }
    return next
  }

  // MARK: What is held

  private mutating func walkKeys(
    _ snapshot: any StoreSnapshot, _ space: SpaceID, _ schema: CompiledSchema?, _ limit: Int
  ) throws {
    let held = try snapshot.heldKeys(after: lastKey, in: space, limit: limit)
    for (key, holder) in held {
      let name = EntityKey(type: key.type, id: holder)
      let entity = try snapshot.entities([name], in: space).first ?? nil
      var had: [HeldKey] = []
      if let entity, entity.life == .alive, let rules = schema?[key.type] { had = try rules.heldKeys(of: entity) }
      if !had.contains(key) { note(ChainVerifier.Fault(revision: entity?.revision ?? .zero, key: name, kind: .key)) }
    }
    lastKey = held.last?.key ?? lastKey
    if held.count < limit { phase = .references }
  }

  private mutating func walkReferences(
    _ snapshot: any StoreSnapshot, _ space: SpaceID, _ schema: CompiledSchema?, _ limit: Int
  ) throws {
    let held = try snapshot.heldReferences(after: lastReference, in: space, limit: limit)
    // Of an entity with many references to one, its fields are decoded once.
    var known: [EntityKey: (revision: Revision, references: Set<HeldReference>)] = [:]
    for reference in held {
      if known[reference.source] == nil {
        let entity = try snapshot.entities([reference.source], in: space).first ?? nil
        var had: [HeldReference] = []
        if let entity, entity.life == .alive, let rules = schema?[entity.key.type] { had = try rules.heldReferences(of: entity) }
        known[reference.source] = (entity?.revision ?? .zero, Set(had))
      }
      guard let had = known[reference.source], !had.references.contains(reference) else { continue }
      note(ChainVerifier.Fault(revision: had.revision, key: reference.source, kind: .reference))
    }
    lastReference = held.last ?? lastReference
    if held.count < limit { phase = .done }
  }

  private mutating func note(_ entity: Entity, _ kind: ChainVerifier.Fault.Kind) {
    note(ChainVerifier.Fault(revision: entity.revision, key: entity.key, kind: kind))
  }

  private mutating func note(_ fault: ChainVerifier.Fault) {
    if faults.count < ChainVerifier.faultsMax { faults.append(fault) }
  }
}

extension CompiledType {
  fileprivate func heldKeys(of entity: Entity) throws -> [HeldKey] {
    try uniqueKeys(of: entity.fields).map {
      HeldKey(type: type.name, key: type.uniqueKeys[$0.index].name, value: $0.bytes)
    }
  }

  fileprivate func heldReferences(of entity: Entity) throws -> [HeldReference] {
    try references(of: entity.fields).map { HeldReference(source: entity.key, field: $0.field, target: $0.target) }
  }
}
