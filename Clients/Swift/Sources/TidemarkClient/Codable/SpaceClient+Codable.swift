public import TidemarkCore
import TidemarkWire

/// An entity as a value of the program's own type, with what the next write of it needs.
public struct Seen<Value: Sendable>: Sendable {
  /// The value.
  public let value: Value
  /// The entity that it was read from.
  public let entity: Entity
  /// The epoch of the space.
  public let epoch: Epoch

  /// The state to write against.
  public var expected: Expected { Expected(version: entity.version, revision: entity.revision, epoch: epoch) }
}

/// Reading and writing entities as values of the program's own types; `FieldsEncoder` says how members become fields.
extension SpaceClient {
  /// Reads one entity.
  ///
  /// - Returns: `nil` when there is none.
  /// - Throws: `ClientError`, or `FieldsCodingError` when the fields do not make a value.
  public func get<Value: Decodable & Sendable>(
    _ type: TypeName, _ id: EntityID, as value: Value.Type, deadline: Duration? = nil
  ) async throws -> Seen<Value>? {
    guard let found = try await get(type, id, deadline: deadline) else { return nil }
    let fields = try found.entity.fields.decoded()
    return Seen(value: try FieldsDecoder().decode(value, from: fields), entity: found.entity, epoch: found.epoch)
  }

  /// Makes an entity of a value.
  ///
  /// - Parameter id: `nil` lets the server make one.
  /// - Throws: `ClientError`, or `FieldsCodingError` when the value does not make fields.
  public func create(
    _ type: TypeName, _ id: EntityID?, from value: some Encodable, operation: OperationID? = nil, returnEntity: Bool = false,
    deadline: Duration? = nil
  ) async throws -> Outcome {
    try await create(
      type, id, try FieldsEncoder().encode(value), operation: operation, returnEntity: returnEntity, deadline: deadline)
  }

  /// Writes what is different in a value that was read and changed, and nothing else: fields that its type does not know stay.
  ///
  /// - Parameters:
  ///   - seen: the value as it was read.
  ///   - value: the value as it should be.
  /// - Returns: the outcome, a conflict included; `nil` when there is nothing to change.
  /// - Throws: `ClientError`; `FieldsCodingError` when a value does not make fields; `Violation` when the changes are more than
  ///   one update can have.
  public func update<Value: Encodable>(
    _ seen: Seen<Value>, to value: Value, operation: OperationID? = nil, returnEntity: Bool = false, deadline: Duration? = nil
  ) async throws -> Outcome? {
    let encoder = FieldsEncoder()
    let entries = try encoder.encode(seen.value).changes(to: try encoder.encode(value))
    guard !entries.isEmpty else { return nil }
    return try await update(
      seen.entity.key.type, seen.entity.key.id, try Patch(entries), expected: seen.expected, operation: operation,
      returnEntity: returnEntity, deadline: deadline)
  }
}
