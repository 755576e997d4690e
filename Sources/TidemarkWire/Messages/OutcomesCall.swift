import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__GetOutcomesRequest> {
  static let getOutcomesRequest = MessageKind(tidemark__v1__get_outcomes_request__init)
}
extension MessageKind<Tidemark__V1__GetOutcomesResponse> {
  static let getOutcomesResponse = MessageKind(tidemark__v1__get_outcomes_response__init)
}
extension MessageKind<Tidemark__V1__KnownOutcome> {
  static let knownOutcome = MessageKind(tidemark__v1__known_outcome__init)
}

/// Asks what became of 1 to 1,000 earlier writes of the caller.
public struct GetOutcomesRequest: Hashable, Sendable {
  public var space: SpaceName
  public var operations: [OperationID]

  public init(space: SpaceName, operations: [OperationID]) {
    self.space = space
    self.operations = operations
  }
}

extension GetOutcomesRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.getOutcomesRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.n_operation_ids = operations.count
    message.pointee.operation_ids = try arena.makeList(operations) { (operation) throws(WireError) in
      try arena.copy(operation.description)
    }
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> GetOutcomesRequest {
    try arena.decode(bytes, as: .getOutcomesRequest) { (message) throws(WireError) in
      guard (1...Limits.itemsPerRequestMax).contains(message.n_operation_ids), let ids = message.operation_ids else {
        throw .itemCount("operation_ids")
      }
      var request = GetOutcomesRequest(space: try Part.space(message.space), operations: [])
      request.operations.reserveCapacity(message.n_operation_ids)
      for index in 0..<message.n_operation_ids {
        do throws(WireError) {
          request.operations.append(try Part.operation(ids[index], ""))
        } catch {
          throw error.at("operation_ids", index)
        }
      }
      return request
    }
  }
}

/// Carries what is known of earlier writes, in the order of the request.
public struct GetOutcomesResponse: Hashable, Sendable {
  /// What is known of one operation id.
  public struct KnownOutcome: Hashable, Sendable {
    public var operation: OperationID
    /// `nil` when there is no receipt.
    public var outcome: Outcome?

    public init(operation: OperationID, outcome: Outcome?) {
      self.operation = operation
      self.outcome = outcome
    }
  }

  public var results: [KnownOutcome]
  /// The revision of the space.
  public var revision: Revision
  /// Receipts of writes made with knowledge below this revision may be gone.
  public var receiptFloor: Revision
  public var epoch: Epoch

  public init(results: [KnownOutcome], revision: Revision, receiptFloor: Revision, epoch: Epoch) {
    self.results = results
    self.revision = revision
    self.receiptFloor = receiptFloor
    self.epoch = epoch
  }
}

extension GetOutcomesResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.getOutcomesResponse)
    message.pointee.n_results = results.count
    message.pointee.results = try arena.makeList(results) { (result) throws(WireError) in
      let message = try arena.make(.knownOutcome)
      message.pointee.operation_id = try arena.copy(result.operation.description)
      if let outcome = result.outcome { message.pointee.outcome = try outcome.makeOutcome(in: arena) }
      return message
    }
    message.pointee.revision = revision.rawValue
    message.pointee.receipt_floor = receiptFloor.rawValue
    message.pointee.epoch = try arena.copy(epoch)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> GetOutcomesResponse {
    try arena.decode(bytes, as: .getOutcomesResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      GetOutcomesResponse(
        results: try Part.list(message.n_results, message.results) { (result) throws(WireError) in
          var known = KnownOutcome(operation: try Part.operation(result.operation_id, "operation_id"), outcome: nil)
          if let outcome = result.outcome { known.outcome = try Outcome(outcome.pointee) }
          return known
        }, revision: try Part.revision(message.revision),
        receiptFloor: try Part.revision(message.receipt_floor, "receipt_floor"), epoch: try Part.requiredEpoch(message.epoch))
    }
  }
}
