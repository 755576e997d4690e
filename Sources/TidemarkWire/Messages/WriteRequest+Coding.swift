import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__WriteOptions> { static let writeOptions = MessageKind(tidemark__v1__write_options__init) }
extension MessageKind<Tidemark__V1__CreateRequest> { static let create = MessageKind(tidemark__v1__create_request__init) }
extension MessageKind<Tidemark__V1__GetOrCreateRequest> {
  static let getOrCreate = MessageKind(tidemark__v1__get_or_create_request__init)
}
extension MessageKind<Tidemark__V1__UpdateRequest> { static let update = MessageKind(tidemark__v1__update_request__init) }
extension MessageKind<Tidemark__V1__ReplaceRequest> { static let replace = MessageKind(tidemark__v1__replace_request__init) }
extension MessageKind<Tidemark__V1__DeleteRequest> { static let delete = MessageKind(tidemark__v1__delete_request__init) }
extension MessageKind<Tidemark__V1__RestoreRequest> { static let restore = MessageKind(tidemark__v1__restore_request__init) }
extension MessageKind<Tidemark__V1__CreateResponse> {
  static let writeResponse = MessageKind(tidemark__v1__create_response__init)
}

extension WriteRequest {
  /// Decodes the request of a write call.
  ///
  /// - Parameters:
  ///   - kind: the call it came with.
  ///   - makeOperation: makes the operation id when the client sent none.
  /// - Throws: `invalid` with rule `expected_required` when a write that needs it does not say which state it was made against.
  public static func decode(
    _ bytes: UnsafeRawBufferPointer, kind: Kind, using arena: MessageArena, makeOperation: () -> OperationID
  ) throws(WireError) -> WriteRequest {
    switch kind {
    case .create:
      try arena.decode(bytes, as: .create, fields: 4) { (m, fields) throws(WireError) in
        try WriteRequest(
          space: m.space, type: m.type, id: m.id.raw.isEmpty ? nil : Part.id(m.id),
          action: .create(fields), options: m.options, makeOperation)
      }
    case .getOrCreate:
      try arena.decode(bytes, as: .getOrCreate, fields: 4) { (m, fields) throws(WireError) in
        try WriteRequest(
          space: m.space, type: m.type, id: Part.id(m.id), action: .getOrCreate(fields),
          options: m.options, makeOperation)
      }
    case .update:
      try arena.decode(bytes, as: .update) { (m) throws(WireError) in
        try WriteRequest(
          space: m.space, type: m.type, id: Part.id(m.id),
          action: .update(Patch(m.n_operations, m.operations), required(m.expected)), options: m.options, makeOperation)
      }
    case .replace:
      try arena.decode(bytes, as: .replace, fields: 4) { (m, fields) throws(WireError) in
        try WriteRequest(
          space: m.space, type: m.type, id: Part.id(m.id),
          action: .replace(fields, required(m.expected)), options: m.options, makeOperation)
      }
    case .delete:
      try arena.decode(bytes, as: .delete) { (m) throws(WireError) in
        try WriteRequest(
          space: m.space, type: m.type, id: Part.id(m.id), action: .delete(required(m.expected)), options: m.options,
          makeOperation)
      }
    case .restore:
      try arena.decode(bytes, as: .restore) { (m) throws(WireError) in
        try WriteRequest(
          space: m.space, type: m.type, id: Part.id(m.id), action: .restore(required(m.expected)), options: m.options,
          makeOperation)
      }
    }
  }

  private init(
    space: ProtobufCBinaryData, type: ProtobufCBinaryData, id: EntityID?, action: WriteAction,
    options: UnsafeMutablePointer<Tidemark__V1__WriteOptions>?, _ makeOperation: () -> OperationID
  ) throws(WireError) {
    let space = try Part.space(space)
    let type = try Part.type(type)
    guard let options = options?.pointee else {
      self.init(space: space, item: WriteItem(operation: makeOperation(), type: type, id: id, action: action))
      return
    }
    let item = WriteItem(
      operation: options.operation_id.raw.isEmpty ? makeOperation() : try Part.operation(options.operation_id), type: type,
      id: id, action: action, knownRevision: try Part.optionalRevision(options.known_revision, "options.known_revision"),
      editedAt: options.edited_at_us == 0 ? nil : try Part.timestamp(options.edited_at_us, "options.edited_at_us"))
    self.init(space: space, item: item, returnEntity: options.return_entity != 0)
  }

  private static func required(_ expected: UnsafeMutablePointer<Tidemark__V1__Expected>?) throws(WireError) -> Expected {
    guard let expected = try Expected(expected) else {
      throw .invalid(
        "expected", rule: "expected_required", "The write does not say which version of the entity it was made against.")
    }
    return expected
  }
}

extension WriteRequest: EncodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let space = try arena.copy(self.space.text)
    let type = try arena.copy(item.type.text)
    let id = try arena.copy(item.id?.text ?? "")
    let options = try makeOptions(in: arena)
    switch item.action {
    case .create(let fields):
      let message = try arena.make(.create)
      (message.pointee.space, message.pointee.type, message.pointee.id) = (space, type, id)
      message.pointee.options = options
      try arena.attach(CanonicalFields(fields), as: 4, to: message)
      return MessagePointer(message)
    case .getOrCreate(let fields):
      let message = try arena.make(.getOrCreate)
      (message.pointee.space, message.pointee.type, message.pointee.id) = (space, type, id)
      message.pointee.options = options
      try arena.attach(CanonicalFields(fields), as: 4, to: message)
      return MessagePointer(message)
    case .update(let patch, let expected):
      let message = try arena.make(.update)
      (message.pointee.space, message.pointee.type, message.pointee.id) = (space, type, id)
      message.pointee.options = options
      message.pointee.expected = try expected.makeMessage(in: arena)
      message.pointee.n_operations = patch.entries.count
      message.pointee.operations = try arena.makeList(patch.entries) { (entry) throws(WireError) in
        try entry.makeMessage(in: arena)
      }
      return MessagePointer(message)
    case .replace(let fields, let expected):
      let message = try arena.make(.replace)
      (message.pointee.space, message.pointee.type, message.pointee.id) = (space, type, id)
      message.pointee.options = options
      message.pointee.expected = try expected.makeMessage(in: arena)
      try arena.attach(CanonicalFields(fields), as: 4, to: message)
      return MessagePointer(message)
    case .delete(let expected):
      let message = try arena.make(.delete)
      (message.pointee.space, message.pointee.type, message.pointee.id) = (space, type, id)
      message.pointee.options = options
      message.pointee.expected = try expected.makeMessage(in: arena)
      return MessagePointer(message)
    case .restore(let expected):
      let message = try arena.make(.restore)
      (message.pointee.space, message.pointee.type, message.pointee.id) = (space, type, id)
      message.pointee.options = options
      message.pointee.expected = try expected.makeMessage(in: arena)
      return MessagePointer(message)
    }
  }

  private func makeOptions(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__WriteOptions> {
    let options = try arena.make(.writeOptions)
    options.pointee.operation_id = try arena.copy(item.operation.description)
    options.pointee.known_revision = item.knownRevision?.rawValue ?? 0
    options.pointee.edited_at_us = item.editedAt?.rawValue ?? 0
    options.pointee.return_entity = returnEntity ? 1 : 0
    return options
  }
}

extension WriteResponse: EncodableMessage, DecodableMessage {
  // The six response messages are the same on the wire: an outcome in field 1.
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.writeResponse)
    message.pointee.outcome = try outcome.makeOutcome(in: arena)
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> WriteResponse {
    try arena.decode(bytes, as: .writeResponse) { (message) throws(WireError) in
      WriteResponse(outcome: try Part.required(message.outcome, "outcome") { (m) throws(WireError) in try Outcome(m) })
    }
  }
}

extension Part {
  static func operation(
    _ data: ProtobufCBinaryData, _ field: String = "options.operation_id"
  ) throws(WireError) -> OperationID {
    guard let value = UUIDText.parse(data.raw) else {
      throw .invalid(field, rule: "operation_id", "An operation id is a UUID in its form of 36 characters.")
    }
    return OperationID(rawValue: value)
  }

  /// A sub-message that must be there.
  static func required<Message, Result>(
    _ message: UnsafeMutablePointer<Message>?, _ field: String, _ read: (Message) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    guard let message else { throw .invalid(field, rule: "\(field)_required", "The part '\(field)' is missing.") }
    return try read(message.pointee)
  }
}
