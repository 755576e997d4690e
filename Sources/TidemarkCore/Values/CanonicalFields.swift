/// The fields of an entity as bytes: the form in which they are stored, hashed and sent.
///
/// The bytes are the protobuf encoding of `repeated Field fields = 15` of `tidemark.v1.Entity`, with these rules that make it canonical:
/// fields sorted by name, every varint as short as possible, members in the order of their numbers, nothing unknown. Equal fields have equal
/// bytes, so comparing states is comparing bytes; and an entity is answered by putting these bytes behind its metadata, undecoded.
///
/// ```
/// field   0x7A len ( 0x0A len name  0x12 len value )
/// value   null 08 01 | bool 10 b | int 18 varint | double 21 8 bytes LE | string 2A len … | bytes 32 len …
///         | timestamp 38 varint | list 42 len ( 0A len scalar )* | json 4A len …
/// ```
public struct CanonicalFields: Hashable, Sendable {
  /// The encoding.
  public let bytes: [UInt8]

  /// No fields.
  public static let empty = CanonicalFields(unchecked: [])

  /// Encodes fields.
  public init(_ fields: Fields) {
    let size = fields.sorted.reduce(0) { $0 + CanonicalFields.encodedSize($1) }
    bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      var writer = ByteWriter(buffer)
      for field in fields.sorted { CanonicalFields.write(field, to: &writer) }
      count = writer.position
    }
  }

  /// Takes bytes that an engine stored. They are checked when they are decoded.
  public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  /// The fields.
  ///
  /// - Throws: `CorruptFields` when the bytes were not written by this type.
  public func decoded() throws(CorruptFields) -> Fields {
    var fields: [Field] = []
    var isIntact = true
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      while !reader.isAtEnd {
        guard let field = CanonicalFields.readField(&reader), fields.last.map({ $0.name < field.name }) ?? true else {
          isIntact = false
          return
        }
        fields.append(field)
      }
    }
    guard isIntact else { throw CorruptFields() }
    return Fields(trusted: fields)
  }

  // MARK: Writing

  static func encodedSize(_ field: Field) -> Int { ByteWriter.sizeOfNested(bodySize(field)) }

  private static func bodySize(_ field: Field) -> Int {
    ByteWriter.sizeOfNested(field.name.text.utf8.count) + ByteWriter.sizeOfNested(size(field.value))
  }

  static func write(_ field: Field, to writer: inout ByteWriter) {
    writer.writeByte(0x7A)
    writer.writeVarint(UInt64(bodySize(field)))
    writer.writeByte(0x0A)
    writer.writeText(field.name.text)
    writer.writeByte(0x12)
    writer.writeVarint(UInt64(size(field.value)))
    write(field.value, to: &writer)
  }

  private static func size(_ value: Value) -> Int {
    switch value {
    case .null, .bool: 2
    case .int(let value): 1 + ByteWriter.sizeOfVarint(UInt64(bitPattern: value))
    case .timestamp(let value): 1 + ByteWriter.sizeOfVarint(UInt64(bitPattern: value.rawValue))
    case .double: 9
    case .string(let text), .json(let text): ByteWriter.sizeOfNested(text.utf8.count)
    case .bytes(let bytes): ByteWriter.sizeOfNested(bytes.count)
    case .list(let scalars): ByteWriter.sizeOfNested(listSize(scalars))
    }
  }

  private static func listSize(_ scalars: [Scalar]) -> Int {
    scalars.reduce(0) { $0 + ByteWriter.sizeOfNested(size($1.value)) }
  }

  private static func write(_ value: Value, to writer: inout ByteWriter) {
    switch value {
    case .null:
      writer.writeByte(0x08)
      writer.writeByte(1)
    case .bool(let value):
      writer.writeByte(0x10)
      writer.writeByte(value ? 1 : 0)
    case .int(let value):
      writer.writeByte(0x18)
      writer.writeVarint(UInt64(bitPattern: value))
    case .double(let bits):
      writer.writeByte(0x21)
      writer.writeFixed64(bits)
    case .string(let text):
      writer.writeByte(0x2A)
      writer.writeText(text)
    case .bytes(let bytes):
      writer.writeByte(0x32)
      writer.writeBytes(bytes)
    case .timestamp(let value):
      writer.writeByte(0x38)
      writer.writeVarint(UInt64(bitPattern: value.rawValue))
    case .list(let scalars):
      writer.writeByte(0x42)
      writer.writeVarint(UInt64(listSize(scalars)))
      for scalar in scalars {
        writer.writeByte(0x0A)
        writer.writeVarint(UInt64(size(scalar.value)))
        write(scalar.value, to: &writer)
      }
    case .json(let text):
      writer.writeByte(0x4A)
      writer.writeText(text)
    }
  }

  // MARK: Reading

  static func readField(_ reader: inout ByteReader) -> Field? {
    guard reader.readByte() == 0x7A, var body = reader.readNested(), body.readByte() == 0x0A, let nameText = body.readText(),
      let name = FieldPath(nameText), body.readByte() == 0x12, var valueBytes = body.readNested(), body.isAtEnd,
      let value = readValue(&valueBytes), valueBytes.isAtEnd
    else { return nil }
    return Field(name, value)
  }

  static func readValue(_ reader: inout ByteReader) -> Value? {
    switch reader.readByte() {
    case 0x08: reader.readByte() == 1 ? .null : nil
    case 0x10: reader.readBool().map { .bool($0) }
    case 0x18: reader.readVarint().map { .int(Int64(bitPattern: $0)) }
    case 0x21: reader.readFixed64().map { .double(bits: $0) }
    case 0x2A: reader.readText().map { .string($0) }
    case 0x32: reader.readNested().map { .bytes($0.remainingBytes) }
    case 0x38: reader.readVarint().map { .timestamp(Timestamp(rawValue: Int64(bitPattern: $0))) }
    case 0x42: reader.readNested().flatMap { readList($0) }.map { .list($0) }
    case 0x4A: reader.readText().map { .json($0) }
    default: nil
    }
  }

  private static func readList(_ bytes: ByteReader) -> [Scalar]? {
    var reader = bytes
    var scalars: [Scalar] = []
    while !reader.isAtEnd {
      guard reader.readByte() == 0x0A, var element = reader.readNested(), let value = readValue(&element), element.isAtEnd,
        let scalar = Scalar(value)
      else { return nil }
      scalars.append(scalar)
    }
    return scalars
  }
}

/// Stored fields do not decode: the store was damaged.
public struct CorruptFields: Error, Hashable, Sendable {
  public init() {}
}
