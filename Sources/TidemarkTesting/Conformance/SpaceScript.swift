public import TidemarkCore
public import TidemarkStore

/// Makes valid entries for the log of one space, one after another, and knows what the space must hold after them.
public struct SpaceScript: Sendable {
  /// The space after the latest entry.
  public private(set) var record: SpaceRecord
  /// The latest version of each entity.
  public private(set) var entities: [EntityKey: Entity] = [:]
  /// Every entry made.
  public private(set) var log: [LogEntry] = []

  public init(_ record: SpaceRecord) { self.record = record }

  /// The entry of the next change.
  public mutating func make(
    _ kind: ChangeKind, _ key: EntityKey, fields: CanonicalFields = .empty, by: PrincipalName = .sample,
    createdBy: PrincipalName? = nil, manner: ChangeManner = .plain, editedAt: Timestamp? = nil, goesOn: Bool = false,
    bits: UInt64 = 7
  ) -> LogEntry {
    let before = entities[key]
    let at = Timestamp(rawValue: record.changedAt.rawValue + 1)
    let updated = Mark(at: at, by: by)
    var entity = Entity(
      key: key, version: before?.version.next ?? .first, revision: record.revision.next, life: kind.life,
      created: before?.created ?? Mark(at: at, by: createdBy ?? by), updated: updated, fields: fields)
    if kind == .delete || kind == .restore { entity.fields = before?.fields ?? fields }
    if kind == .purge { entity.fields = .empty }
    let number = entity.revision.rawValue
    let change = Change(
      entity: entity, kind: kind, previous: before?.revision ?? .zero,
      operation: OperationID(rawValue: Bytes16(high: bits, low: number)), manner: manner, editedAt: editedAt,
      goesOn: goesOn)
    let entry = Chain.seal(change, after: record.chainHash, salt: Bytes16(high: ~bits, low: number))
    let wasAlive = before?.life == .alive
    record.revision = entity.revision
    record.chainHash = entry.chainHash
    record.changedAt = at
    if entity.life == .alive, !wasAlive { record.aliveCount += 1 }
    if entity.life != .alive, wasAlive { record.aliveCount -= 1 }
    entities[key] = entity
    log.append(entry)
    return entry
  }

  /// The heads the space must have, in order.
  public var heads: [Head] {
    entities.values.map { Head(key: $0.key, version: $0.version, revision: $0.revision, life: $0.life) }
      .sorted { $0.key < $1.key }
  }

  /// The entities of a type a listing must show, in order.
  public func listing(_ type: TypeName, _ filter: DeletedFilter) -> [Entity] {
    entities.values.filter { entity in
      guard entity.key.type == type else { return false }
      return switch filter {
      case .exclude: entity.life == .alive
      case .include: entity.life != .purged
      case .only: entity.life == .deleted
      }
    }.sorted { $0.key < $1.key }
  }
}

extension StoreUnderTest {
  /// Makes a space and returns the script of its log.
  public func makeSpace(_ name: String, seed: UInt64 = 1) throws -> SpaceScript {
    try write { SpaceScript(try $0.makeSampleSpace(name, seed: seed)) }
  }

  /// Appends entries that a script makes, and stores the space's counters, in one transaction.
  public func extend(_ script: inout SpaceScript, _ make: (inout SpaceScript) -> [LogEntry]) throws {
    let entries = make(&script)
    try write { try $0.extend(script, entries) }
  }
}

extension StoreTransaction {
  /// Makes a space whose epoch follows from the seed.
  public func makeSampleSpace(_ name: String, seed: UInt64) throws -> SpaceRecord {
    let epoch = Epoch(rawValue: Bytes16(high: seed, low: ~seed))
    return try insertSpace(
      named: try .sample(name), epoch: epoch, createdAt: Timestamp(rawValue: 1_000), genesis: Chain.genesis(epoch))
  }

  /// Appends a script's entries and stores its counters.
  public func extend(_ script: SpaceScript, _ entries: [LogEntry]) throws {
    try append(entries, in: script.record.id)
    try updateSpace(script.record)
  }
}

/// A text of a test breaks the rule of its type.
struct UnfitSample: Error {
  var text: String
}

extension SpaceName {
  static func sample(_ text: String) throws -> SpaceName {
    guard let name = SpaceName(text) else { throw UnfitSample(text: text) }
    return name
  }
}

extension TypeName {
  static func sample(_ text: String) throws -> TypeName {
    guard let name = TypeName(text) else { throw UnfitSample(text: text) }
    return name
  }
}

extension EntityID {
  static func sample(_ text: String) throws -> EntityID {
    guard let id = EntityID(text) else { throw UnfitSample(text: text) }
    return id
  }
}

extension PrincipalName {
  static func sample(_ text: String) throws -> PrincipalName {
    guard let name = PrincipalName(text) else { throw UnfitSample(text: text) }
    return name
  }

  /// The principal of samples that need just one.
  public static let sample: PrincipalName = PrincipalName("tester") ?? fallback
  // Evaluated only if the rule of the type came to refuse that name; then every claim fails with its text.
  private static var fallback: PrincipalName { preconditionFailure("the sample principal is no longer a valid name") }
}

extension EntityKey {
  /// A key of the given texts.
  public static func sample(_ type: String, _ id: String) throws -> EntityKey {
    EntityKey(type: try .sample(type), id: try .sample(id))
  }
}

extension CanonicalFields {
  /// Fields with one text and one number.
  public static func sample(_ text: String, _ number: Int64 = 0) throws -> CanonicalFields {
    guard let title = FieldPath("title"), let count = FieldPath("count") else { throw UnfitSample(text: "title") }
    return CanonicalFields(try Fields([Field(title, .string(text)), Field(count, .int(number))]))
  }
}
