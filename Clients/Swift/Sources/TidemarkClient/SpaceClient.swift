public import TidemarkCore
public import TidemarkWire

/// The calls that read and write the entities of one space. A value: make it where it is needed.
///
/// Every write gets a fresh operation id unless it is given one. Give the same id again to ask again for a write whose outcome
/// is unknown.
public struct SpaceClient: Sendable {
  /// The space.
  public let name: SpaceName
  let client: TidemarkClient

  private var runner: CallRunner { client.runner }

  // MARK: Reading

  /// Reads one entity.
  ///
  /// - Parameter includeDeleted: answer with a deleted entity too.
  /// - Returns: the entity and the epoch of the space; `nil` when there is none.
  public func get(
    _ type: TypeName, _ id: EntityID, includeDeleted: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> GetResponse? {
    let request = GetRequest(space: name, key: EntityKey(type: type, id: id), includeDeleted: includeDeleted)
    do {
      return try await runner.unary(.get, request, as: GetResponse.self, deadline: client.limit(deadline))
    } catch {
      if error.code == .notFound, error.reason == "ENTITY_NOT_FOUND" { return nil }
      throw error
    }
  }

  /// Reads up to 1,000 entities in one consistent state. The results are in the order of the keys.
  public func batchGet(
    _ keys: [EntityKey], includeDeleted: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> BatchGetResponse {
    let request = BatchGetRequest(space: name, keys: keys, includeDeleted: includeDeleted)
    return try await runner.unary(.batchGet, request, as: BatchGetResponse.self, deadline: client.limit(deadline))
  }

  /// Streams the entities of one type, sorted by the bytes of their ids. Reads as fast as the caller does, and continues on its
  /// own when the connection is lost.
  ///
  /// - Parameters:
  ///   - after: only ids above this one.
  ///   - limit: at most this many.
  ///   - deadline: for the whole stream; `nil` for none.
  public func list(
    _ type: TypeName, after: EntityID? = nil, limit: Int? = nil, deleted: ListRequest.Deleted = .exclude,
    deadline: Duration? = nil
  ) -> EntityList {
    let request = ListRequest(space: name, type: type, afterID: after, limit: limit, deleted: deleted)
    return EntityList(runner: runner, request: request, deadline: deadline)
  }

  // MARK: Writing

  /// Makes an entity. A deleted one of the same id is made anew, and its versions continue.
  ///
  /// - Parameter id: `nil` lets the server make one.
  public func create(
    _ type: TypeName, _ id: EntityID?, _ fields: Fields, operation: OperationID? = nil, returnEntity: Bool = false,
    deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    try await write(type, id, .create(fields), operation, returnEntity: returnEntity, deadline)
  }

  /// Returns the entity with this id, made now if it is not there: `applied` or `unchanged`, with the entity in both cases.
  public func getOrCreate(
    _ type: TypeName, _ id: EntityID, _ fields: Fields, operation: OperationID? = nil, deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    try await write(type, id, .getOrCreate(fields), operation, returnEntity: true, deadline)
  }

  /// Changes some fields.
  public func update(
    _ type: TypeName, _ id: EntityID, _ patch: Patch, expected: Expected, operation: OperationID? = nil,
    returnEntity: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    try await write(type, id, .update(patch, expected), operation, returnEntity: returnEntity, deadline)
  }

  /// Changes all fields.
  public func replace(
    _ type: TypeName, _ id: EntityID, _ fields: Fields, expected: Expected, operation: OperationID? = nil,
    returnEntity: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    try await write(type, id, .replace(fields, expected), operation, returnEntity: returnEntity, deadline)
  }

  /// Hides an entity. It can be restored.
  public func delete(
    _ type: TypeName, _ id: EntityID, expected: Expected, operation: OperationID? = nil, deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    try await write(type, id, .delete(expected), operation, returnEntity: false, deadline)
  }

  /// Brings a deleted entity back with the fields it had.
  ///
  /// - Parameter expected: the version of the delete.
  public func restore(
    _ type: TypeName, _ id: EntityID, expected: Expected, operation: OperationID? = nil, returnEntity: Bool = false,
    deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    try await write(type, id, .restore(expected), operation, returnEntity: returnEntity, deadline)
  }

  /// Sends a write that was put together before.
  public func send(
    _ item: WriteItem, returnEntity: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> Outcome {
    let request = WriteRequest(space: name, item: item, returnEntity: returnEntity)
    return try await runner.write(request, deadline: client.limit(deadline))
  }

  private func write(
    _ type: TypeName, _ id: EntityID?, _ action: WriteAction, _ operation: OperationID?, returnEntity: Bool,
    _ deadline: Duration?
  ) async throws(ClientError) -> Outcome {
    let item = WriteItem(operation: operation ?? client.makeOperationID(), type: type, id: id, action: action)
    return try await send(item, returnEntity: returnEntity, deadline: deadline)
  }

  // MARK: The space itself

  /// Describes the space.
  public func describe(deadline: Duration? = nil) async throws(ClientError) -> SpaceDescription {
    try await runner.unary(
      .getSpace, SpaceRequest(name: name), as: SpaceResponse.self, deadline: client.limit(deadline)
    ).space
  }

  /// Checks the hash chain and the heads of the space, and streams the progress. The last element has `isDone`. Needs the role
  /// admin on the space.
  ///
  /// - Parameter deadline: for the whole check; `nil` for none.
  public func verify(deadline: Duration? = nil) -> VerifyProgress {
    VerifyProgress(runner: runner, request: SpaceRequest(name: name), deadline: deadline)
  }
}
