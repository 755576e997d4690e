import CTidemarkProtobufC
import TidemarkCore

/// Reads repeated fields straight from the bytes of a message, and leaves the rest of the message to protobuf-c.
///
/// The mirror image of `MessageArena.attach`: an entity has a dozen fields and two C messages for each, and making those takes longer than
/// everything else about a request. Refuses what `MessagePrescan` refuses; a test and the fuzzer compare both ways.
struct FieldsReader {
  /// What was read so far, in the order of the message.
  private(set) var fields: [Field] = []
  private var budget: Int

  private init(elementsMax: Int) { budget = elementsMax }

  /// Takes the fields out of a message.
  ///
  /// - Parameter number: the number of the repeated field.
  /// - Returns: the fields, sorted and checked, the message without them, which lives in the arena until the next reset, and how many elements the
  ///   message may still have.
  static func split(
    _ bytes: UnsafeRawBufferPointer, number: UInt32, elementsMax: Int = WireLimits.messageElementsMax, in arena: MessageArena
  ) throws(WireError) -> (fields: Fields, rest: UnsafeRawBufferPointer, elementsLeft: Int) {
    guard bytes.count <= WireLimits.messageBytesMax else { throw .tooLarge }
    let rest = UnsafeMutableRawBufferPointer(start: try arena.allocate(bytes: max(1, bytes.count)), count: bytes.count)
    var restCount = 0
    var copiedUpTo = 0
    var fieldsReader = FieldsReader(elementsMax: elementsMax)
    fieldsReader.fields.reserveCapacity(16)
    var reader = WireReader(bytes)
    func copyRest(upTo end: Int) {
      guard end > copiedUpTo else { return }
      let piece = UnsafeRawBufferPointer(rebasing: bytes[copiedUpTo..<end])
      UnsafeMutableRawBufferPointer(rebasing: rest[restCount...]).copyMemory(from: piece)
      restCount += piece.count
    }
    while true {
      let start = reader.position
      guard let tag = try reader.readTag() else { break }
      guard tag.number == number, tag.type == .bytes else {
        try reader.skip(tag.type)
        continue
      }
      copyRest(upTo: start)
      try fieldsReader.readField(try reader.readBytes())
      copiedUpTo = reader.position
    }
    copyRest(upTo: bytes.count)
    do {
      return (try Fields(fieldsReader.fields), UnsafeRawBufferPointer(rebasing: rest[..<restCount]), fieldsReader.budget)
    } catch {
      throw WireError(error)
    }
  }

  private mutating func spend() throws(WireError) {
    budget &-= 1
    guard budget >= 0 else { throw .tooManyElements }
  }

  private mutating func readField(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    try spend()
    guard fields.count < Limits.fieldsPerEntityMax else { throw .tooManyFields }
    var reader = WireReader(bytes)
    var name = UnsafeRawBufferPointer(start: nil, count: 0)
    var value: UnsafeRawBufferPointer?
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .bytes): name = try reader.readBytes()
      case (2, .bytes):
        guard value == nil else { throw .repeatedSubmessage }
        try spend()
        value = try reader.readBytes()
      case (1...2, _): throw .unparsable
      default: try skipUnknown(tag, &reader)
      }
    }
    let path = try Part.fieldName(name, "fields")
    guard let value else { throw .noKind(path) }
    fields.append(Field(path, try readValue(value, path)))
  }

  private mutating func skipUnknown(_ tag: WireReader.Tag, _ reader: inout WireReader) throws(WireError) {
    try spend()
    try reader.skip(tag.type)
  }

  /// The last kind given counts, as protobuf says; the ones before it are not looked at, as protobuf-c does.
  private mutating func readValue(_ bytes: UnsafeRawBufferPointer, _ name: FieldPath) throws(WireError) -> Value {
    var reader = WireReader(bytes)
    var kind: UInt32 = 0
    var number: UInt64 = 0
    var content = UnsafeRawBufferPointer(start: nil, count: 0)
    var hasList = false
    var hasListNow = false
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1...3, .varint), (7, .varint): number = try reader.readVarint()
      case (4, .fixed64): number = try reader.readFixed64()
      case (5...6, .bytes), (9, .bytes): content = try reader.readBytes()
      case (8, .bytes):
        guard !hasList else { throw .repeatedSubmessage }
        try spend()
        hasList = true
        content = try reader.readBytes()
        try checkList(content)
      case (1...9, _): throw .unparsable
      default:
        try skipUnknown(tag, &reader)
        continue
      }
      kind = tag.number
      hasListNow = kind == 8
    }
    switch kind {
    case 8 where hasListNow: return .list(try readList(content, name))
    case 9:
      let text = try String(wire: content)
      guard JSONText.isValid(text) else { throw .notJSON(name) }
      return .json(text)
    default: return try FieldsReader.scalar(kind, number, content, name).value
    }
  }

  /// Checks the shape of a list, before it is known whether it counts.
  private mutating func checkList(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      guard tag.number == 1 else {
        try skipUnknown(tag, &reader)
        continue
      }
      guard tag.type == .bytes else { throw .unparsable }
      try spend()
      var element = WireReader(try reader.readBytes())
      while let tag = try element.readTag() {
        switch (tag.number, tag.type) {
        case (1...3, .varint), (7, .varint), (4, .fixed64), (5...6, .bytes): try element.skip(tag.type)
        case (1...7, _): throw .unparsable
        default: try skipUnknown(tag, &element)
        }
      }
    }
  }

  /// Reads a list whose shape was checked.
  private func readList(_ bytes: UnsafeRawBufferPointer, _ name: FieldPath) throws(WireError) -> [Scalar] {
    var reader = WireReader(bytes)
    var scalars: [Scalar] = []
    while let tag = try reader.readTag() {
      guard tag.number == 1 else {
        try reader.skip(tag.type)
        continue
      }
      guard scalars.count < Limits.listElementsMax else { throw .listTooLong(name) }
      var element = WireReader(try reader.readBytes())
      var kind: UInt32 = 0
      var number: UInt64 = 0
      var content = UnsafeRawBufferPointer(start: nil, count: 0)
      while let tag = try element.readTag() {
        switch tag.number {
        case 1...3, 7: number = try element.readVarint()
        case 4: number = try element.readFixed64()
        case 5...6: content = try element.readBytes()
        default:
          try element.skip(tag.type)
          continue
        }
        kind = tag.number
      }
      scalars.append(try FieldsReader.scalar(kind, number, content, name))
    }
    return scalars
  }

  /// Makes a scalar of a kind, which has the same number in `Value` and `Scalar`.
  private static func scalar(
    _ kind: UInt32, _ number: UInt64, _ content: UnsafeRawBufferPointer, _ name: FieldPath
  ) throws(WireError) -> Scalar {
    switch kind {
    case 1:
      guard number != 0 else { throw .nullFalse(name) }
      return .null
    case 2: return .bool(number != 0)
    case 3: return .int(Int64(bitPattern: number))
    case 4: return .double(bits: number)
    case 5: return .string(try String(wire: content))
    case 6: return .bytes([UInt8](content))
    case 7: return .timestamp(try Part.timestamp(Int64(bitPattern: number), name.text))
    default: throw .noKind(name)
    }
  }
}
