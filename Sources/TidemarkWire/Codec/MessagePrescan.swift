import CTidemarkProtobufC

/// Checks the shape of an encoded message before protobuf-c sees it.
///
/// protobuf-c 1.4 recurses as deep as the message is nested, and makes a whole struct of an empty sub-message of 2 bytes.
/// This scan bounds both, and refuses what protobuf-c is lax or unclear about: groups and unassigned wire types, field
/// number 0, varints of more than 64 bits, lengths past the end, a wire type that is not the field's (protobuf-c takes any for
/// a bool), and a singular sub-message given twice, which protobuf-c would merge. One pass, no allocation; sub-messages are found by the descriptor.
enum MessagePrescan {
  /// Checks one message.
  ///
  /// - Parameter elementsMax: the most sub-messages, repeated elements, packed bytes and unknown fields together.
  /// - Returns: how many of them are left.
  /// - Throws: `malformed` or `limitExceeded`.
  @discardableResult static func check(
    _ bytes: UnsafeRawBufferPointer, descriptor: UnsafePointer<ProtobufCMessageDescriptor>, elementsMax: Int
  ) throws(WireError) -> Int {
    var budget = elementsMax
    try scan(bytes, descriptor, depth: 1, budget: &budget)
    return budget
  }

  private static func scan(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int, budget: inout Int
  ) throws(WireError) {
    guard depth <= WireLimits.messageDepthMax else { throw .tooDeep }
    var reader = WireReader(bytes)
    var seen: UInt64 = 0
    while let tag = try reader.readTag() {
      guard let index = position(of: tag.number, in: descriptor) else {
        try spend(1, of: &budget)
        try reader.skip(tag.type)
        continue
      }
      let field = descriptor.pointee.fields + index
      let isRepeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
      let type = field.pointee.type
      guard tag.type == .bytes else {
        guard tag.type == wireType(of: type) else { throw .unparsable }
        if isRepeated { try spend(1, of: &budget) }
        try reader.skip(tag.type)
        continue
      }
      let content = try reader.readBytes()
      switch type {
      case PROTOBUF_C_TYPE_MESSAGE:
        try spend(1, of: &budget)
        if !isRepeated {
          // A message with more fields than bits would only lose the check for those beyond.
          let bit = UInt64(1) << UInt64(index)
          guard seen & bit == 0 else { throw .repeatedSubmessage }
          seen |= bit
        }
        try scan(
          content, UnsafeRawPointer(field.pointee.descriptor).assumingMemoryBound(to: ProtobufCMessageDescriptor.self),
          depth: depth + 1, budget: &budget)
      case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES:
        if isRepeated { try spend(1, of: &budget) }
      default:
        // A packed list: every element takes at least one byte.
        guard isRepeated else { throw .unparsable }
        try spend(content.count, of: &budget)
      }
    }
  }

  @inline(__always)
  private static func wireType(of type: ProtobufCType) -> WireReader.WireType {
    switch type {
    case PROTOBUF_C_TYPE_MESSAGE, PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES: .bytes
    case PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: .fixed64
    case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32: .fixed32
    default: .varint
    }
  }

  @inline(__always)
  private static func spend(_ count: Int, of budget: inout Int) throws(WireError) {
    budget &-= count
    guard budget >= 0 else { throw .tooManyElements }
  }

  /// The place of a field in the descriptor, whose fields are sorted by number; `nil` when there is none.
  ///
  /// Numbers mostly run from 1 without gaps, so the search starts where the field then is.
  @inline(__always)
  private static func position(of number: UInt32, in descriptor: UnsafePointer<ProtobufCMessageDescriptor>) -> Int? {
    guard let fields = descriptor.pointee.fields, descriptor.pointee.n_fields > 0 else { return nil }
    var index = Int(min(number, descriptor.pointee.n_fields)) &- 1
    while index >= 0 {
      let id = fields[index].id
      if id == number { return index }
      if id < number { return nil }
      index &-= 1
    }
    return nil
  }
}
