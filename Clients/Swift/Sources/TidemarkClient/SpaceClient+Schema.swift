public import TidemarkCore
public import TidemarkWire

/// The calls that keep the schema of a space.
extension SpaceClient {
  /// Reads the schema.
  ///
  /// - Parameter version: `nil` for the one in force.
  /// - Returns: `nil` when the space has none.
  public func getSchema(version: UInt64? = nil, deadline: Duration? = nil) async throws(ClientError) -> SchemaVersion? {
    try await client.runner.unary(
      .getSchema, GetSchemaRequest(space: name, version: version ?? 0), as: GetSchemaResponse.self,
      deadline: client.limit(deadline)
    ).schema
  }

  /// Changes the schema, after the server checked what exists against new rules. Needs the role admin on the space.
  ///
  /// - Parameters:
  ///   - expectedVersion: the version that the schema was made from; 0 when the space has none.
  ///   - validatesOnly: only tell what would happen.
  ///   - allowsBreaking: apply it although it breaks programs.
  /// - Returns: what became of it; `isApplied` says whether it is in force.
  public func applySchema(
    _ schema: Schema, expectedVersion: UInt64, validatesOnly: Bool = false, allowsBreaking: Bool = false,
    deadline: Duration? = nil
  ) async throws(ClientError) -> ApplySchemaResponse {
    let request = ApplySchemaRequest(
      space: name, schema: schema, expectedVersion: expectedVersion, validatesOnly: validatesOnly,
      allowsBreaking: allowsBreaking)
    // Sent twice, a lost success would come back as a version that moved on.
    return try await client.runner.unary(
      .applySchema, request, as: ApplySchemaResponse.self, safety: validatesOnly ? .idempotent : .once,
      isWrite: !validatesOnly, deadline: client.limit(deadline))
  }

  /// Brings the content of an earlier schema back into force, as a new version. Needs the role admin on the space.
  ///
  /// - Parameters:
  ///   - version: the version whose content is wanted; `nil` for the one before the one in force.
  ///   - expectedVersion: the version in force.
  ///   - validatesOnly: only tell what would happen.
  public func rollbackSchema(
    to version: UInt64? = nil, expectedVersion: UInt64, validatesOnly: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> RollbackSchemaResponse {
    let request = RollbackSchemaRequest(
      space: name, toVersion: version ?? 0, expectedVersion: expectedVersion, validatesOnly: validatesOnly)
    return try await client.runner.unary(
      .rollbackSchema, request, as: RollbackSchemaResponse.self, safety: validatesOnly ? .idempotent : .once,
      isWrite: !validatesOnly, deadline: client.limit(deadline))
  }
}
