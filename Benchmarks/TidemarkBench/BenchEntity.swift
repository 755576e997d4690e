internal import TidemarkCore
internal import TidemarkWire

/// The entities of every measurement: an assignment with strings, numbers and a truth value, in 320 bytes of fields.
struct BenchEntities: Sendable {
  static let type = "assignment"
  static let fieldBytes = 320
  /// The record of Echo, encoded.
  static let recordBytes = 378

  let space: SpaceName
  let type: TypeName

  init() throws(BenchError) {
    guard let type = TypeName(BenchEntities.type) else { throw BenchError("the type is no type name") }
    self.type = type
    space = .default
  }

  /// The id of entity `index`: a UUID whose first bytes grow with time, as our clients make them.
  static func idText(_ index: Int) -> String {
    var random = SplitMix(seed: UInt64(index))
    let now = Timestamp(rawValue: 1_760_000_000_000_000 + Int64(index) * 1_000)
    return UUIDText.format(UUIDText.makeVersion7(now: now, using: &random))
  }

  func key(_ index: Int) throws(BenchError) -> EntityKey {
    guard let id = EntityID(BenchEntities.idText(index)) else { throw BenchError("no id") }
    return EntityKey(type: type, id: id)
  }

  /// Fields whose canonical encoding has `bytes` bytes, or whose long text has `textBytes` when that is not 0.
  func fields(_ index: Int, bytes: Int = fieldBytes, textBytes: Int = 0) throws -> Fields {
    func make(_ text: Int) throws -> Fields {
      let pairs: [(String, Value)] = [
        ("confirmed", .bool(true)), ("count", .int(Int64(index % 100))), ("customer", .string("customer-0042-north")),
        ("duration_minutes", .int(90)), ("location", .string("Berlin, Depot 4")),
        ("note", .string(String(repeating: "n", count: text))),
        ("rate", .double(0.25 + Double(index % 4))), ("title", .string("Morning shift, line 7")),
      ]
      return try Fields(
        pairs.map { name, value in
          guard let path = FieldPath(name) else { throw BenchError("no field \(name)") }
          return Field(path, value)
        })
    }
    if textBytes > 0 { return try make(textBytes) }
    var text = 100
    for _ in 0..<4 { text += bytes - CanonicalFields(try make(text)).bytes.count }
    return try make(text)
  }

  /// The request of Echo, whose entity encodes to `recordBytes`.
  func echo(using arena: MessageArena) throws -> [UInt8] {
    var echo = Echo()
    echo.type = type.text
    echo.id = BenchEntities.idText(7)
    echo.version = 3
    echo.updatedAtMicroseconds = 1_760_000_000_000_000
    echo.fields = try fields(7, bytes: 0, textBytes: 1)
    // The entity stands behind one byte of tag and two of length.
    let text = BenchEntities.recordBytes + 3 - (try echo.encode(using: arena)).count
    for bytes in (text - 5)...(text + 5) where bytes > 0 {
      echo.fields = try fields(7, textBytes: bytes)
      let encoded = try echo.encode(using: arena)
      if encoded.count == BenchEntities.recordBytes + 3 { return encoded }
    }
    throw BenchError("no record of \(BenchEntities.recordBytes) bytes")
  }
}
