public import TidemarkCore
import TidemarkWire

/// Read, change, write.
extension SpaceClient {
  /// Reads an entity, changes its fields, and writes what changed against the version that was read.
  ///
  /// ```swift
  /// try await client.space("hotel").modify("booking", "17", retry: RetryOnConflict()) { $0.set(seats, .int(4)) }
  /// ```
  ///
  /// - Parameters:
  ///   - retry: whether, and how, the change is repeated from the read on when somebody else was faster; `nil` for not at all.
  ///   - deadline: for each call, over its attempts; `nil` for that of the options.
  ///   - change: called once for each attempt, with the fields as they are.
  /// - Returns: the outcome; `nil` when the change left the fields as they were, and nothing was written.
  /// - Throws: `RefusedWrite` with the conflict, or whatever else the write came to; `ClientError`, `notFound` when there is no such
  ///   entity; what `change` throws.
  @discardableResult
  public func modify(
    _ type: TypeName, _ id: EntityID, retry: RetryOnConflict? = nil, deadline: Duration? = nil,
    _ change: (inout Fields) throws -> Void
  ) async throws -> Outcome? {
    let timing = client.runner.options.timing
    var attempt = 1
    while true {
      let seen = try await read(type, id, deadline)
      var fields = seen.fields
      try change(&fields)
      guard let action = seen.fields.change(to: fields, expected: seen.expected) else { return nil }
      let item = WriteItem(operation: client.makeOperationID(), type: type, id: id, action: action)
      let outcome = try await client.runner.write(
        WriteRequest(space: name, item: item), attemptsBefore: attempt - 1, deadline: client.limit(deadline))
      if outcome.code.isSuccess { return outcome }
      guard outcome.code == .conflict, let retry, attempt < retry.attempts else {
        throw RefusedWrite(outcome: outcome, attempts: attempt)
      }
      try await timing.sleep(retry.wait(afterConflicts: attempt, random: timing.random()))
      attempt += 1
    }
  }

  /// The fields of an entity and the state to write against.
  func read(
    _ type: TypeName, _ id: EntityID, _ deadline: Duration?
  ) async throws(ClientError) -> (fields: Fields, expected: Expected) {
    guard let found = try await get(type, id, deadline: deadline) else {
      throw ClientError(.notFound, "There is no \(type) '\(id)' in the space '\(name)'.", reason: "ENTITY_NOT_FOUND")
    }
    let expected = Expected(version: found.entity.version, revision: found.entity.revision, epoch: found.epoch)
    do {
      return (try found.entity.fields.decoded(), expected)
    } catch {
      throw ClientError(.protocolError, "The fields of \(type) '\(id)' cannot be read.")
    }
  }
}
