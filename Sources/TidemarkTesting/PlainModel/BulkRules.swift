public import TidemarkCore

/// A schema with a unique key and references of each delete rule, and the same rules said plainly.
public struct BulkRules: Sendable {
  /// What references point to, and what has the unique key.
  public let target: TypeName
  /// The types that random writes are about; some come more often.
  public let types: [TypeName]
  /// A type with a counter that is never below 0, and no other rules.
  public let account: TypeName
  /// The field of the unique key.
  public let name: FieldPath
  /// The counter.
  public let number: FieldPath
  /// A field without rules.
  public let title: FieldPath
  private let pointing: [TypeName: [(FieldPath, DeleteRule)]]
  private let required: [TypeName: FieldPath]

  public init() throws {
    func path(_ text: String) throws -> FieldPath { try Made.made(FieldPath(text)) }
    func type(_ text: String) throws -> TypeName { try Made.made(TypeName(text)) }
    (name, number, title) = (try path("name"), try path("n"), try path("title"))
    let (room, item, lock) = (try type("room"), try type("item"), try type("lock"))
    target = room
    account = try type("account")
    types = [room, room, item, item, lock]
    let (must, may, part, need) = (try path("must"), try path("may"), try path("part"), try path("need"))
    pointing = [
      room: [(part, .cascade)], item: [(may, .setNull), (must, .restrict), (part, .cascade)], lock: [(need, .setNull)],
    ]
    required = [room: name, lock: need]
  }

  /// Says that a name of the tests is none.
  enum Made: Error {
    case nothing
    static func made<Value>(_ value: Value?) throws -> Value {
      guard let value else { throw Made.nothing }
      return value
    }
  }

  /// The rules as a schema.
  public var schema: Schema {
    Schema(
      types: (Set(types).union([account])).map { type in
        var fields = [
          FieldSchema(name: number, type: .int, minimum: .int(0), merge: .counter), FieldSchema(name: title, type: .string),
        ]
        if type == target { fields.append(FieldSchema(name: name, type: .string, isRequired: true)) }
        for (field, rule) in references(type) {
          fields.append(
            FieldSchema(
              name: field, type: .string, isRequired: required[type] == field,
              reference: Reference(target: target, onDelete: rule)))
        }
        return TypeSchema(
          name: type, fields: fields, uniqueKeys: type == target ? [UniqueKey(name: name, fields: [name])] : [])
      })
  }

  /// The fields that point to rooms, sorted.
  public func references(_ type: TypeName) -> [(FieldPath, DeleteRule)] { pointing[type] ?? [] }

  /// The entities that fields point to.
  public func targets(_ type: TypeName, _ fields: [FieldPath: Value]) -> [EntityKey] {
    references(type).compactMap { field, _ in
      guard case .string(let text)? = fields[field], let id = EntityID(text) else { return nil }
      return EntityKey(type: target, id: id)
    }
  }

  /// The value of the unique key that fields hold.
  public func uniqueValue(_ type: TypeName, _ fields: [FieldPath: Value]) -> String? {
    guard type == target, case .string(let text)? = fields[name] else { return nil }
    return text
  }

  public func isCounter(_ field: FieldPath) -> Bool { field == number }

  public func allows(_ type: TypeName, _ fields: [FieldPath: Value]) -> Bool {
    if let field = required[type], (fields[field] ?? .null) == .null { return false }
    return fields.allSatisfy { name, value in
      switch value {
      case .null: return true
      case .int(let number): return name == self.number && number >= 0
      case .string: return names(type).contains(name) && name != self.number
      default: return false
      }
    }
  }

  /// All fields of a type.
  public func names(_ type: TypeName) -> [FieldPath] {
    [number, title] + (type == target ? [name] : []) + references(type).map(\.0)
  }

  /// A value for a field, wrong now and then.
  public func value(_ field: FieldPath, _ ids: [EntityID], _ random: inout SeededGenerator) -> Value {
    if Int.random(in: 0..<25, using: &random) == 0 { return .null }
    switch field {
    case number: return Int.random(in: 0..<12, using: &random) == 0 ? .int(-1) : .int(Int64.random(in: 0..<4, using: &random))
    case title, name: return .string(["x", "y", "z", "å"].randomElement(using: &random) ?? "x")
    default: return .string((ids.randomElement(using: &random) ?? ids[0]).text)
    }
  }
}
