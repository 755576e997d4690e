import CTidemarkProtobufC
import TidemarkCore

/// Builds C messages in an arena, for packing.
extension MessageArena {
  /// Makes an empty message.
  func make<Message>(_ kind: MessageKind<Message>) throws(WireError) -> UnsafeMutablePointer<Message> {
    let memory = try allocate(bytes: max(MemoryLayout<Message>.size, MemoryLayout<ProtobufCMessage>.size))
    kind.descriptor.pointee.message_init(memory.assumingMemoryBound(to: ProtobufCMessage.self))
    return memory.assumingMemoryBound(to: Message.self)
  }

  /// Copies text.
  func copy(_ text: String) throws(WireError) -> ProtobufCBinaryData {
    let count = text.utf8.count
    guard count > 0 else { return ProtobufCBinaryData() }
    let memory = try allocate(bytes: count)
    var text = text
    text.withUTF8 { memory.copyMemory(from: UnsafeRawPointer($0.baseAddress.unsafelyUnwrapped), byteCount: $0.count) }
    return ProtobufCBinaryData(len: count, data: memory.assumingMemoryBound(to: UInt8.self))
  }

  /// Copies bytes.
  func copy(_ bytes: [UInt8]) throws(WireError) -> ProtobufCBinaryData {
    guard !bytes.isEmpty else { return ProtobufCBinaryData() }
    let memory = try allocate(bytes: bytes.count)
    bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: $0.count) }
    return ProtobufCBinaryData(len: bytes.count, data: memory.assumingMemoryBound(to: UInt8.self))
  }

  /// Copies the 16 bytes of an epoch; nothing for `nil`.
  func copy(_ epoch: Epoch?) throws(WireError) -> ProtobufCBinaryData {
    guard let value = epoch?.rawValue else { return ProtobufCBinaryData() }
    let memory = try allocate(bytes: 16)
    memory.storeBytes(of: value.high.bigEndian, as: UInt64.self)
    memory.storeBytes(of: value.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    return ProtobufCBinaryData(len: 16, data: memory.assumingMemoryBound(to: UInt8.self))
  }

  /// Makes the array of a repeated field; `nil` when it is empty.
  func makeList<Element, Item>(
    _ elements: [Element], _ makeItem: (Element) throws(WireError) -> Item
  ) throws(WireError) -> UnsafeMutablePointer<Item>? {
    guard !elements.isEmpty else { return nil }
    let memory = try allocate(bytes: elements.count * MemoryLayout<Item>.stride)
      .bindMemory(to: Item.self, capacity: elements.count)
    for (index, element) in elements.enumerated() { (memory + index).initialize(to: try makeItem(element)) }
    return memory
  }

  /// Puts fields into a message as they are encoded, without decoding them.
  ///
  /// protobuf-c writes "unknown" fields verbatim behind the known ones. So all fields travel as one unknown field: its tag is that of
  /// the first field, and its content is everything behind that tag.
  ///
  /// - Parameter number: the number of the repeated field, 1 to 15: its tag then takes one byte, as in the canonical form.
  func attach<Message>(
    _ fields: CanonicalFields, as number: UInt32, to message: UnsafeMutablePointer<Message>
  ) throws(WireError) {
    guard fields.bytes.count > 1 else { return }
    let content = try copy(fields.bytes)
    if number != CanonicalFields.fieldNumber { MessageArena.retag(content, as: UInt8(truncatingIfNeeded: number << 3 | 2)) }
    let unknown = try allocate(bytes: MemoryLayout<ProtobufCMessageUnknownField>.size)
      .bindMemory(to: ProtobufCMessageUnknownField.self, capacity: 1)
    unknown.initialize(
      to: ProtobufCMessageUnknownField(
        tag: number, wire_type: PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, len: content.len - 1, data: content.data + 1))
    UnsafeMutableRawPointer(message).withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) { base in
      base.pointee.n_unknown_fields = 1
      base.pointee.unknown_fields = unknown
    }
  }

  /// Overwrites the tag of every field.
  private static func retag(_ content: ProtobufCBinaryData, as tag: UInt8) {
    let bytes = UnsafeMutableBufferPointer(start: content.data, count: content.len)
    var position = 0
    while position < bytes.count {
      bytes[position] = tag
      position += 1
      var length = 0
      var shift = 0
      while position < bytes.count, shift < 35 {
        let byte = bytes[position]
        position += 1
        length |= Int(byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 { break }
      }
      position += length
    }
  }
}

extension CanonicalFields {
  /// The number of `Entity.fields`, under which canonical fields are encoded.
  static let fieldNumber: UInt32 = 15
}
