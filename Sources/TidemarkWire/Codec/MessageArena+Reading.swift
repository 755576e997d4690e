import CTidemarkProtobufC
import TidemarkCore

/// Reads unpacked C messages.
extension MessageArena {
  /// Unpacks a message, reads it, and takes the memory back.
  func decode<Message, Result>(
    _ bytes: UnsafeRawBufferPointer, as kind: MessageKind<Message>, elementsMax: Int = WireLimits.messageElementsMax,
    _ body: (Message) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    reset()
    defer { reset() }
    return try body(try unpack(bytes, as: kind, elementsMax: elementsMax).pointee)
  }
}

extension MessageArena {
  /// As `decode`, for a message with repeated fields that are read apart from the rest.
  func decode<Message, Result>(
    _ bytes: UnsafeRawBufferPointer, as kind: MessageKind<Message>, fields number: UInt32,
    _ body: (Message, Fields) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    reset()
    defer { reset() }
    let parts = try FieldsReader.split(bytes, number: number, in: self)
    return try body(try unpack(parts.rest, as: kind).pointee, parts.fields)
  }
}

extension ProtobufCBinaryData {
  /// The bytes, in place.
  var raw: UnsafeRawBufferPointer {
    guard let data, len > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: data, count: len)
  }

  /// A copy of the bytes.
  var copied: [UInt8] { [UInt8](raw) }

  /// The bytes as text.
  func text() throws(WireError) -> String { try String(wire: raw) }
}

/// Reads single parts of messages. `field` is the name of the part in the .proto file, for the answer.
enum Part {
  static func space(_ data: ProtobufCBinaryData, _ field: String = "space") throws(WireError) -> SpaceName {
    guard let name = SpaceName(try data.text()) else {
      throw .invalid(field, rule: "space_name", "A space name has the form [a-z0-9][a-z0-9._-]{0,62}.")
    }
    return name
  }

  static func type(_ data: ProtobufCBinaryData, _ field: String = "type") throws(WireError) -> TypeName {
    guard let name = TypeName(try data.text()) else {
      throw .invalid(field, rule: "type_name", "A type name has the form [A-Za-z_][A-Za-z0-9_]{0,62}.")
    }
    return name
  }

  static func id(_ data: ProtobufCBinaryData, _ field: String = "id") throws(WireError) -> EntityID {
    guard let id = EntityID(try data.text()) else {
      throw .invalid(field, rule: "entity_id", "An id has 1 to 128 bytes of UTF-8 and no control characters.")
    }
    return id
  }

  static func key(type: ProtobufCBinaryData, id: ProtobufCBinaryData) throws(WireError) -> EntityKey {
    EntityKey(type: try Part.type(type), id: try Part.id(id))
  }

  static func principal(_ data: ProtobufCBinaryData, _ field: String) throws(WireError) -> PrincipalName {
    guard let name = PrincipalName(try data.text()) else {
      throw .invalid(field, rule: "principal", "A principal has 1 to 128 bytes of UTF-8 and no control characters.")
    }
    return name
  }

  static func fieldName(_ data: ProtobufCBinaryData, _ field: String) throws(WireError) -> FieldPath {
    try fieldName(data.raw, field)
  }

  static func fieldName(_ bytes: UnsafeRawBufferPointer, _ field: String) throws(WireError) -> FieldPath {
    guard let name = FieldPath(try String(wire: bytes)) else {
      throw .invalid(
        field, rule: "field_name",
        "A field name has segments of the form [A-Za-z_][A-Za-z0-9_]{0,62} joined by dots, at most 255 bytes in all.")
    }
    return name
  }

  static func timestamp(_ value: Int64, _ field: String) throws(WireError) -> Timestamp {
    let timestamp = Timestamp(rawValue: value)
    guard Timestamp.validRange.contains(timestamp) else {
      throw .invalid(field, rule: "timestamp_range", "A time lies outside the years 1 to 9999.")
    }
    return timestamp
  }

  static func mark(at: Int64, by: ProtobufCBinaryData, _ field: String) throws(WireError) -> Mark {
    Mark(at: try timestamp(at, field), by: try principal(by, field))
  }

  /// An epoch of 16 bytes; `nil` when it is empty.
  static func epoch(_ data: ProtobufCBinaryData, _ field: String = "epoch") throws(WireError) -> Epoch? {
    let raw = data.raw
    guard !raw.isEmpty else { return nil }
    guard raw.count == 16 else { throw .invalid(field, rule: "epoch", "An epoch has 16 bytes.") }
    return Epoch(
      rawValue: Bytes16(
        high: UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
        low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))))
  }

  static func requiredEpoch(_ data: ProtobufCBinaryData) throws(WireError) -> Epoch {
    guard let epoch = try Part.epoch(data) else { throw .invalid("epoch", rule: "epoch", "The epoch is missing.") }
    return epoch
  }

  /// A revision that engines can hold.
  static func revision(_ value: UInt64, _ field: String = "revision") throws(WireError) -> Revision {
    guard value <= Limits.revisionMax else {
      throw .invalid(field, rule: "revision_range", "A revision is at most \(Limits.revisionMax).")
    }
    return Revision(rawValue: value)
  }

  /// A revision; `nil` for 0.
  static func optionalRevision(_ value: UInt64, _ field: String = "revision") throws(WireError) -> Revision? {
    value == 0 ? nil : try revision(value, field)
  }

  /// A version from 1 that engines can hold as a signed number.
  static func version(_ value: UInt64, _ field: String = "version") throws(WireError) -> EntityVersion {
    guard value >= 1, value <= UInt64(Int64.max) else {
      throw .invalid(field, rule: "version_range", "A version is at least 1 and at most \(Int64.max).")
    }
    return EntityVersion(rawValue: value)
  }

  /// The elements of a repeated sub-message.
  static func list<Message, Result>(
    _ count: Int, _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?,
    _ read: (Message) throws(WireError) -> Result
  ) throws(WireError) -> [Result] {
    guard let elements, count > 0 else { return [] }
    var results: [Result] = []
    results.reserveCapacity(count)
    for index in 0..<count {
      guard let element = elements[index] else { throw .unparsable }
      results.append(try read(element.pointee))
    }
    return results
  }
}
