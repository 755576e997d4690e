import CTidemarkWire
import TidemarkCore

extension MessageKind<Tidemark__V1__Entity> { static let entity = MessageKind(tidemark__v1__entity__init) }
extension MessageKind<Tidemark__V1__Expected> { static let expected = MessageKind(tidemark__v1__expected__init) }
extension MessageKind<Tidemark__V1__EntityKey> { static let entityKey = MessageKind(tidemark__v1__entity_key__init) }

extension Entity {
  /// Reads an entity with all its metadata, as a server sends it.
  init(_ message: Tidemark__V1__Entity) throws(WireError) {
    guard let life = UInt8(exactly: message.state.rawValue).flatMap({ EntityLife(rawValue: $0) }) else {
      throw .invalid("state", rule: "entity_state", "The state of the entity is not known.")
    }
    self.init(
      key: try Part.key(type: message.type, id: message.id), version: try Part.version(message.version),
      revision: try Part.revision(message.revision), life: life,
      created: try Part.mark(at: message.created_at_us, by: message.created_by, "created_by"),
      updated: try Part.mark(at: message.updated_at_us, by: message.updated_by, "updated_by"),
      fields: message.n_fields == 0 ? .empty : CanonicalFields(try Fields(message.n_fields, message.fields)))
  }

  /// Builds the metadata and puts the stored fields behind it, undecoded.
  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Entity> {
    let message = try arena.make(.entity)
    message.pointee.type = try arena.copy(key.type.text)
    message.pointee.id = try arena.copy(key.id.text)
    message.pointee.version = version.rawValue
    message.pointee.revision = revision.rawValue
    message.pointee.state = Tidemark__V1__EntityState(rawValue: UInt32(life.rawValue))
    message.pointee.created_at_us = created.at.rawValue
    message.pointee.created_by = try arena.copy(created.by.text)
    message.pointee.updated_at_us = updated.at.rawValue
    message.pointee.updated_by = try arena.copy(updated.by.text)
    if life != .alive {
      message.pointee.deleted_at_us = message.pointee.updated_at_us
      message.pointee.deleted_by = message.pointee.updated_by
    }
    try arena.attach(fields, as: CanonicalFields.fieldNumber, to: message)
    return message
  }
}

extension EntityKey {
  init(_ message: Tidemark__V1__EntityKey) throws(WireError) { self = try Part.key(type: message.type, id: message.id) }

  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__EntityKey> {
    let message = try arena.make(.entityKey)
    message.pointee.type = try arena.copy(type.text)
    message.pointee.id = try arena.copy(id.text)
    return message
  }
}

extension Expected {
  /// Reads the state a write was made against. Version 0 counts as absent.
  init?(_ message: UnsafeMutablePointer<Tidemark__V1__Expected>?) throws(WireError) {
    guard let message = message?.pointee, message.version != 0 else { return nil }
    self.init(
      version: try Part.version(message.version, "expected.version"),
      revision: try Part.optionalRevision(message.revision, "expected.revision"),
      epoch: try Part.epoch(message.epoch, "expected.epoch"))
  }

  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Expected> {
    let message = try arena.make(.expected)
    message.pointee.version = version.rawValue
    message.pointee.revision = revision?.rawValue ?? 0
    message.pointee.epoch = try arena.copy(epoch)
    return message
  }
}
