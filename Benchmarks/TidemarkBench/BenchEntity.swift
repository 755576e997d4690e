internal import TidemarkCore
internal import TidemarkWire

/// The entities of every measurement: an assignment with strings, numbers and a truth value, in 320 bytes of fields.
struct BenchEntities: Sendable {
  static let type = "assignment"
  static let fieldBytes = 320
  /// The record of Echo, encoded.
  static let recordBytes = 378

  /// Entity `index` lies in the space of number `index` modulo their count.
  let spaces: [SpaceName]
  let type: TypeName

  init(_ spaces: [SpaceName] = [.default]) throws(BenchError) {
    guard let type = TypeName(BenchEntities.type) else { throw BenchError("the type is no type name") }
    self.type = type
    self.spaces = spaces
  }

  /// The spaces that the options ask for: the default one, a typed one, or several.
  init(_ options: Options) throws(BenchError) {
    guard options.isTyped || options.spaces > 1 else {
      try self.init()
      return
    }
    let names = options.isTyped ? ["typed"] : (0..<options.spaces).map { "part-\($0)" }
    try self.init(names.compactMap { SpaceName($0) })
    guard spaces.count == names.count else { throw BenchError("no name of a space") }
  }

  func space(_ index: Int) -> SpaceName { spaces[index % spaces.count] }

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

  /// A field that differs between any two entities, 19 bytes long.
  static func customer(_ index: Int) -> String {
    let number = String(index)
    return "customer-" + String(repeating: "0", count: 10 - min(10, number.count)) + number
  }

  /// Fields whose canonical encoding has `bytes` bytes, or whose long text has `textBytes` when that is not 0.
  func fields(_ index: Int, bytes: Int = fieldBytes, textBytes: Int = 0) throws -> Fields {
    func make(_ text: Int) throws -> Fields {
      let pairs: [(String, Value)] = [
        ("confirmed", .bool(true)), ("count", .int(Int64(index % 100))), ("customer", .string(BenchEntities.customer(index))),
        ("duration_minutes", .int(90)), ("location", .string("Berlin, Depot 4")),
        ("note", .string(String(repeating: "n", count: text))),
        ("rate", .double(0.25 + Double(index % 4))), ("title", .string("Morning shift, line 7")),
      ]
      return try Fields(
        pairs.map { name, value in
          Field(try path(name), value)
        })
    }
    if textBytes > 0 { return try make(textBytes) }
    var text = 100
    for _ in 0..<4 { text += bytes - CanonicalFields(try make(text)).bytes.count }
    return try make(text)
  }

  /// A schema for them: every field with its type, most with a rule, and one unique key.
  func schema() throws(BenchError) -> Schema {
    func field(
      _ name: String, _ type: ValueType, required: Bool = true, allowed: [Scalar] = [], minimum: Scalar? = nil,
      maximum: Scalar? = nil, lengthMax: Int? = nil
    ) throws(BenchError) -> FieldSchema {
      FieldSchema(
        name: try path(name), type: type, isRequired: required, allowedValues: allowed, minimum: minimum, maximum: maximum,
        lengthMax: lengthMax)
    }
    let places = ["Berlin, Depot 4", "Bremen, Depot 2", "Hamburg, Depot 1", "Kiel, Depot 3"]
    return Schema(types: [
      TypeSchema(
        name: type,
        fields: [
          try field("confirmed", .bool),
          try field("count", .int, minimum: .int(0), maximum: .int(1 << 40)),
          try field("customer", .string, lengthMax: 40),
          try field("duration_minutes", .int, minimum: .int(1), maximum: .int(1_440)),
          try field("location", .string, allowed: places.map { .string($0) }),
          try field("note", .string, required: false, lengthMax: 10_000),
          try field("rate", .double, minimum: .double(0), maximum: .double(1_000)),
          try field("title", .string, lengthMax: 200),
        ],
        uniqueKeys: [UniqueKey(name: try path("by_customer"), fields: [try path("customer")])])
    ])
  }

  private func path(_ name: String) throws(BenchError) -> FieldPath {
    guard let path = FieldPath(name) else { throw BenchError("no field \(name)") }
    return path
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
