internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkWire

/// What changing the schema of a space takes: what to check, and which keys and references to make anew.
struct SchemaPlan: Sendable {
  /// What the answer needs if nothing is to be done.
  enum Step: Sendable {
    case answer(ApplySchemaResponse)
    case plan(SchemaPlan)
  }

  let space: SpaceName
  let epoch: Epoch
  let principal: PrincipalName
  /// The version of the schema in force; 0 for none.
  let version: UInt64
  let content: [UInt8]
  let schema: CompiledSchema
  let changes: [SchemaChange]
  let validatesOnly: Bool
  /// The types whose entities are looked at; `nil` for all there are.
  let types: Set<TypeName>?
  /// Of some of these types only the fields that are looked at: fields that were added, and may have been removed before.
  private let fields: [TypeName: PathSet]
  /// Unique keys that are new or different, by the place of the key in its type.
  private(set) var newKeys: [TypeName: [Int: FieldPath]] = [:]
  /// Fields that point, and did not, or elsewhere.
  private(set) var newReferences: [TypeName: Set<FieldPath>] = [:]
  /// Unique keys and pointing fields that are no longer there, or different.
  private(set) var goneKeys: [(type: TypeName, key: FieldPath)] = []
  private(set) var goneReferences: [(type: TypeName, field: FieldPath)] = []
  /// Fields of which a breaking change was insisted on: what entities hold there is left as it is.
  private let tolerated: [TypeName: PathSet]

  /// The most changes that are told: those that matter most.
  static let changesToldMax = 2_000

  /// Looks at the schema in force and finds out what is to be done.
  static func make(
    _ request: ApplySchemaRequest, by principal: PrincipalName, in record: SpaceRecord, _ snapshot: any StoreSnapshot
  ) throws -> Step {
    let version = record.schemaVersion
    guard version == request.expectedVersion else {
      return .answer(
        ApplySchemaResponse(
          isApplied: false, version: version,
          message: "The schema moved on: you expected version \(request.expectedVersion), version \(version) is in force."))
    }
    // Not encoded before it is known to be sound: what it may consist of has limits of its own.
    var problems = request.schema.problems()
    if problems.isEmpty, try request.schema.encode().count > Limits.schemaBytesMax { problems.append(.tooLarge) }
    guard problems.isEmpty else {
      return .answer(
        ApplySchemaResponse(
          isApplied: false, version: version, problems: problems.prefix(SchemaPlan.changesToldMax).map { Violation($0) },
          message: "The schema has faults."))
    }
    let old = try snapshot.storedSchema(version: version, in: record)?.schema
    let diff = SchemaDiff(from: old, to: request.schema)
    let changes = diff.changes
    let told = SchemaPlan.told(changes)
    if changes.isEmpty { return .answer(ApplySchemaResponse(isApplied: !request.validatesOnly, version: version)) }
    if !request.allowsBreaking, let breaking = changes.first(where: { $0.compatibility == .breaking }) {
      return .answer(
        ApplySchemaResponse(
          isApplied: false, version: version, changes: told,
          message: "The change breaks programs, and that was not asked for. \(breaking)"))
    }
    return .plan(try SchemaPlan(request, from: old, diff, told, by: principal, in: record))
  }

  private init(
    _ request: ApplySchemaRequest, from old: Schema?, _ diff: SchemaDiff, _ told: [SchemaChange],
    by principal: PrincipalName, in record: SpaceRecord
  ) throws {
    space = record.name
    epoch = record.epoch
    self.principal = principal
    version = record.schemaVersion
    content = try request.schema.encode()
    schema = CompiledSchema(request.schema)
    self.changes = told
    validatesOnly = request.validatesOnly
    fields = diff.fieldsToCheck.mapValues { PathSet($0) }
    var types = diff.typesToCheck?.union(fields.keys)
    for type in request.schema.types {
      let before = old?[type.name]
      for (index, key) in type.uniqueKeys.enumerated() where before?.uniqueKeys.contains(key) != true {
        newKeys[type.name, default: [:]][index] = key.name
        types?.insert(type.name)
      }
      for field in type.fields {
        guard let target = field.reference?.target, before?[field.name]?.reference?.target != target else { continue }
        newReferences[type.name, default: []].insert(field.name)
        types?.insert(type.name)
      }
    }
    for type in old?.types ?? [] {
      let after = request.schema[type.name]
      for key in type.uniqueKeys where after?.uniqueKeys.contains(key) != true { goneKeys.append((type.name, key.name)) }
      for field in type.fields {
        guard let target = field.reference?.target, after?[field.name]?.reference?.target != target else { continue }
        goneReferences.append((type.name, field.name))
      }
    }
    var tolerated: [TypeName: Set<FieldPath>] = [:]
    for change in diff.changes where change.compatibility == .breaking {
      if let type = change.type, let field = change.field { tolerated[type, default: []].insert(field) }
    }
    self.tolerated = tolerated.mapValues { PathSet($0) }
    self.types = types
  }

  /// The types of which keys or references are to be made anew.
  var rebuilds: Set<TypeName> { Set(newKeys.keys).union(newReferences.keys) }

  /// The rules that an entity of an examined type breaks.
  func violations(of entity: Entity) throws(CorruptFields) -> [Violation] {
    guard let type = schema[entity.key.type] else {
      // A type that was described stays readable. One that never was must go first.
      return version == 0 ? [CompiledSchema.unknownType(entity.key.type)] : []
    }
    let found = try type.violations(of: entity.fields)
    guard !found.isEmpty else { return [] }
    let (fields, tolerated) = (fields[entity.key.type], tolerated[entity.key.type])
    return found.filter { violation in
      let isOf = { (fields: PathSet) in violation.field.map(fields.overlaps) ?? false }
      return fields.map(isOf) ?? true && !(tolerated.map(isOf) ?? false)
    }
  }

  /// The changes that the answer tells, in their order: when they are too many, the harmless ones are left out first.
  private static func told(_ changes: [SchemaChange]) -> [SchemaChange] {
    guard changes.count > changesToldMax else { return changes }
    let grave = changes.filter { $0.compatibility != .compatible }
    let harmless = changes.filter { $0.compatibility == .compatible }
    return Array((grave + harmless).prefix(changesToldMax))
  }
}

extension SchemaProblem {
  fileprivate static let tooLarge = SchemaProblem(
    rule: .bytesMax, message: "The schema takes more than \(Limits.schemaBytesMax) bytes.")
}

extension Violation {
  /// A fault of a schema, with its place in the sentence.
  fileprivate init(_ problem: SchemaProblem) {
    self.init(field: problem.field ?? problem.key, rule: problem.rule.rawValue, message: problem.description)
  }
}

extension StoreSnapshot {
  /// One schema of a space with what is known of it; `nil` when there is none of this version.
  func storedSchema(version: UInt64, in space: SpaceRecord) throws -> SchemaVersion? {
    guard version > 0 else { return nil }
    guard let record = try self.schema(version: version, in: space.id) else {
      guard version > space.schemaVersion else {
        throw StoreError(.corrupt, "the schema \(version) of the space \(space.name) is missing")
      }
      return nil
    }
    let decoded: Schema
    do { decoded = try Schema.decode(record.content) } catch {
      throw StoreError(.corrupt, "the schema \(version) of the space \(space.name) does not decode")
    }
    let hash = Digest32.sha256(record.content).bytes.prefix(8)
    return SchemaVersion(
      version: version, schema: decoded, applied: Mark(at: record.appliedAt, by: record.appliedBy), hash: Array(hash))
  }
}
