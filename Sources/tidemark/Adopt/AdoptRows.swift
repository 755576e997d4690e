import TidemarkClient
import TidemarkCore
import TidemarkWire

/// What adopting, comparing and taking back share: the entities that the rows of one table are, or become.
struct AdoptRows: Sendable {
  /// How a row and the entity of its id stand to each other.
  enum Relation {
    /// There is no entity, and never was one.
    case absent
    /// The entity holds what the row says.
    case same(Entity)
    /// These fields differ.
    case differs(Entity, [FieldPath])
    case deleted(Entity)
  }

  /// How often a row is asked for under another id, when what it was refused for before is over.
  static let attemptsMax = 4

  let space: SpaceClient
  let type: TypeName
  /// Names the source.
  let identity: String
  /// What the schema of the space puts into fields that a row does not have.
  private let defaults: [FieldPath: Value]
  /// The schema of the type; `nil` where the space has none.
  let schema: TypeSchema?

  init(_ space: SpaceClient, _ type: TypeName, identity: String) async throws(ClientError) {
    self.space = space
    self.type = type
    self.identity = identity
    schema = try await space.getSchema()?.schema.types.first { $0.name == type }
    var defaults: [FieldPath: Value] = [:]
    for field in schema?.fields ?? [] { defaults[field.name] = field.defaultValue }
    self.defaults = defaults
  }

  func key(_ id: EntityID) -> EntityKey { EntityKey(type: type, id: id) }

  /// The name of the write that adopts a row.
  ///
  /// - Parameters:
  ///   - life: the version of the deletion that it comes after; 0 for none.
  ///   - attempt: from 0.
  func operation(_ id: EntityID, life: UInt64 = 0, attempt: Int = 0) -> OperationID {
    OperationName.adopt(identity, space: space.name, key: key(id), life: life, attempt: attempt)
  }

  /// Reads the entities of rows, deleted ones too, however large they are together.
  func read(_ ids: [EntityID]) async throws(ClientError) -> [EntityID: Entity] {
    var found: [EntityID: Entity] = [:]
    var missing = ids.map { key($0) }
    while !missing.isEmpty {
      var left: [EntityKey] = []
      for result in try await space.batchGet(missing, includeDeleted: true).results {
        if let entity = result.entity { found[result.key.id] = entity } else if result.isTruncated { left.append(result.key) }
      }
      guard left.count == missing.count else {
        missing = left
        continue
      }
      // Each of these has no room beside any other.
      for key in left { found[key.id] = try await space.get(type, key.id, includeDeleted: true)?.entity }
      missing = []
    }
    return found
  }

  func compare(_ content: ImportRow.Content, with entity: Entity?) throws(CorruptFields) -> Relation {
    guard let entity else { return .absent }
    guard entity.life == .alive else { return .deleted(entity) }
    let current = try entity.fields.decoded()
    var names = content.fields.sorted.filter { current[$0.name] != $0.value }.map(\.name)
    // What a row does not have may be there by the schema's default.
    let spoken = Set(content.fields.sorted.map(\.name))
    names += current.sorted.filter { !spoken.contains($0.name) && defaults[$0.name] != $0.value }.map(\.name)
    return names.isEmpty ? .same(entity) : .differs(entity, names.sorted())
  }

  /// The writes by which these entities were adopted from this table by the caller. Others are not in it.
  func adopted(_ entities: [Entity]) async throws(ClientError) -> [EntityID: OperationID] {
    var found: [EntityID: OperationID] = [:]
    var left = entities
    for attempt in 0..<AdoptRows.attemptsMax where !left.isEmpty {
      var asked: [(id: EntityID, operation: OperationID)] = []
      for entity in left {
        let version = entity.version.rawValue
        for life in Set([0, version - 1]) {
          asked.append((entity.key.id, operation(entity.key.id, life: life, attempt: attempt)))
        }
      }
      var refused: Set<EntityID> = []
      let known = try await space.getOutcomes(asked.map(\.operation))?.results ?? []
      for (question, answer) in zip(asked, known) {
        guard let outcome = answer.outcome else { continue }
        if outcome.code == .applied { found[question.id] = question.operation } else { refused.insert(question.id) }
      }
      // Only after a refusal was there another attempt.
      left = left.filter { refused.contains($0.key.id) && found[$0.key.id] == nil }
    }
    return found
  }

  /// Says which fields differ, for people.
  static func list(_ names: [FieldPath]) -> String {
    names.prefix(5).map(\.text).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
  }
}
