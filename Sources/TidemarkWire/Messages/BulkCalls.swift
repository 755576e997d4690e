import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__BulkWriteRequest> {
  static let bulkWriteRequest = MessageKind(tidemark__v1__bulk_write_request__init)
}
extension MessageKind<Tidemark__V1__BulkWriteResponse> {
  static let bulkWriteResponse = MessageKind(tidemark__v1__bulk_write_response__init)
}

/// Carries 1 to 1,000 writes to one space.
public struct BulkWriteRequest: Hashable, Sendable {
  public var space: SpaceName
  /// The writes, judged in this order.
  public var items: [WriteItem]
  public var mode: BulkMode
  /// Only tell what would become of the writes.
  public var validatesOnly: Bool
  /// Return the entities as they are after the writes.
  public var returnsEntities: Bool
  /// The revision of the space that the client knew when it made the writes; `nil` when it knew none. Each item carries it, too.
  public var knownRevision: Revision?

  /// - Parameter items: get `knownRevision`, whatever they had.
  public init(
    space: SpaceName, items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false, returnsEntities: Bool = false,
    knownRevision: Revision? = nil
  ) {
    self.space = space
    self.items = items
    for index in self.items.indices { self.items[index].knownRevision = knownRevision }
    self.mode = mode
    self.validatesOnly = validatesOnly
    self.returnsEntities = returnsEntities
    self.knownRevision = knownRevision
  }
}

extension BulkWriteRequest: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makeBulk(in: arena))
  }

  func makeBulk(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__BulkWriteRequest> {
    let message = try arena.make(.bulkWriteRequest)
    message.pointee.space = try arena.copy(space.text)
    message.pointee.n_items = items.count
    message.pointee.items = try arena.makeList(items) { (item) throws(WireError) in try item.makeMessage(in: arena) }
    message.pointee.mode = mode.code
    message.pointee.validate_only = validatesOnly ? 1 : 0
    message.pointee.return_entities = returnsEntities ? 1 : 0
    message.pointee.known_revision = knownRevision?.rawValue ?? 0
    return message
  }

  /// Decodes the items one after the other, so that the memory of decoding is that of one item.
  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> BulkWriteRequest {
    let (elements, header) = try decodeHeader(bytes, using: arena)
    var request = header
    request.items.reserveCapacity(elements.count)
    var elementsLeft = WireLimits.bulkElementsMax
    var operations: Set<OperationID> = []
    operations.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      do throws(WireError) {
        let item = try WriteItem.decode(
          element, index: index, knownRevision: request.knownRevision, elementsLeft: &elementsLeft, using: arena)
        guard operations.insert(item.operation).inserted else { throw .duplicateOperation("operation_id") }
        request.items.append(item)
      } catch {
        throw error.at("items", index)
      }
    }
    return request
  }

  /// The items, in place, and everything else.
  private static func decodeHeader(
    _ bytes: UnsafeRawBufferPointer, using arena: MessageArena
  ) throws(WireError) -> (items: [UnsafeRawBufferPointer], request: BulkWriteRequest) {
    arena.reset()
    defer { arena.reset() }
    let parts = try WireReader.split(
      bytes, number: 2, countMax: Limits.itemsPerRequestMax, tooMany: .itemCount("items"), in: arena)
    guard !parts.elements.isEmpty else { throw .itemCount("items") }
    let message = try arena.unpack(parts.rest, as: .bulkWriteRequest).pointee
    let request = BulkWriteRequest(
      space: try Part.space(message.space), items: [], mode: try BulkMode(message.mode),
      validatesOnly: message.validate_only != 0, returnsEntities: message.return_entities != 0,
      knownRevision: try Part.optionalRevision(message.known_revision, "known_revision"))
    return (parts.elements, request)
  }
}

/// Carries an outcome for each write of a bulk, in order.
public struct BulkWriteResponse: Hashable, Sendable {
  public var outcomes: [Outcome]
  /// The revision of the space after the bulk.
  public var revision: Revision
  public var epoch: Epoch

  public init(outcomes: [Outcome], revision: Revision, epoch: Epoch) {
    self.outcomes = outcomes
    self.revision = revision
    self.epoch = epoch
  }
}

extension BulkWriteResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    MessagePointer(try makeBulk(in: arena))
  }

  func makeBulk(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__BulkWriteResponse> {
    let message = try arena.make(.bulkWriteResponse)
    message.pointee.n_outcomes = outcomes.count
    message.pointee.outcomes = try arena.makeList(outcomes) { (outcome) throws(WireError) in
      try outcome.makeOutcome(in: arena)
    }
    message.pointee.revision = revision.rawValue
    message.pointee.epoch = try arena.copy(epoch)
    return message
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> BulkWriteResponse {
    try arena.decode(bytes, as: .bulkWriteResponse, elementsMax: WireLimits.answerElementsMax) { (message) throws(WireError) in
      try BulkWriteResponse(message)
    }
  }

  init(_ message: Tidemark__V1__BulkWriteResponse) throws(WireError) {
    self.init(
      outcomes: try Part.list(message.n_outcomes, message.outcomes) { (outcome) throws(WireError) in try Outcome(outcome) },
      revision: try Part.revision(message.revision), epoch: try Part.requiredEpoch(message.epoch))
  }
}

extension WireError {
  static func itemCount(_ field: String) -> WireError {
    .invalid(field, rule: "items_max", "A request has 1 to \(Limits.itemsPerRequestMax) of '\(field)'.")
  }

  static func duplicateOperation(_ field: String) -> WireError {
    .invalid(field, rule: "operation_id_duplicate", "The operation id is used twice in this request.")
  }
}
