/// The parameters of one statement in PostgreSQL's binary format, in order.
public struct Parameters: Sendable {
  /// Length and bytes of each value, as the elements of an array have them. Begins with a byte of nothing, so that its address is never that of no memory.
  private var writer = ValueWriter()
  /// Where each parameter lies; `nil` for NULL.
  private var ranges: [Range<Int>?] = []

  public init() {}

  public mutating func add(_ value: Int64) { add { $0.put(value) } }
  public mutating func add(_ value: Int32) { add { $0.put(value) } }
  public mutating func add(_ value: Int16) { add { $0.put(value) } }
  public mutating func add(_ value: String) { add { $0.put(value) } }
  public mutating func add(_ value: [UInt8]) { add { $0.put(value) } }
  public mutating func add(_ value: Int16?) { add { if let value { $0.put(value) } else { $0.putNull() } } }

  /// Adds an array with one element for each of `elements`, of which `put` writes exactly one value.
  public mutating func add<Elements: Collection>(
    _ type: ElementType, _ elements: Elements, _ put: (inout ValueWriter, Elements.Element) -> Void
  ) {
    // int32 dimensions | int32 whether there are NULLs | int32 type | for each dimension: int32 count, int32 first index | elements
    let start = writer.bytes.count
    writer.putWord(elements.isEmpty ? 0 : 1)
    writer.putWord(0)
    writer.putWord(Int32(bitPattern: type.rawValue))
    if !elements.isEmpty {
      writer.putWord(Int32(clamping: elements.count))
      writer.putWord(1)
    }
    let hadNull = writer.hasNull
    writer.hasNull = false
    for element in elements { put(&writer, element) }
    if writer.hasNull { writer.bytes[start + 7] = 1 }
    writer.hasNull = hadNull
    ranges.append(start..<writer.bytes.count)
  }

  private mutating func add(_ put: (inout ValueWriter) -> Void) {
    let start = writer.bytes.count
    writer.hasNull = false
    put(&writer)
    ranges.append(writer.hasNull ? nil : (start + 4)..<writer.bytes.count)
    writer.hasNull = false
  }

  /// Runs `body` with what `PQsendQueryPrepared` takes: count, addresses, lengths and formats.
  func withUnsafeValues<Result>(
    _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
  ) -> Result {
    writer.bytes.withUnsafeBytes { bytes in
      let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      let values = ranges.map { range in range.flatMap { range in base.map { $0 + range.lowerBound } } }
      let lengths = ranges.map { Int32(clamping: $0?.count ?? 0) }
      let formats = [Int32](repeating: 1, count: ranges.count)
      return body(Int32(clamping: ranges.count), values, lengths, formats)
    }
  }

  /// The types of elements, by their numbers in `pg_type`.
  public enum ElementType: UInt32, Sendable {
    case bytes = 17
    case int64 = 20
    case int16 = 21
    case int32 = 23
    case text = 25
  }
}

/// Writes values in PostgreSQL's binary format, each with its length before it.
public struct ValueWriter: Sendable {
  fileprivate(set) var bytes: [UInt8] = [0]
  fileprivate var hasNull = false

  public mutating func put(_ value: Int64) { putInteger(value) }
  public mutating func put(_ value: Int32) { putInteger(value) }
  public mutating func put(_ value: Int16) { putInteger(value) }

  public mutating func put(_ value: String) {
    putWord(Int32(clamping: value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  public mutating func put(_ value: [UInt8]) {
    putWord(Int32(clamping: value.count))
    bytes.append(contentsOf: value)
  }

  /// Puts words one after another, big-endian, as one value of bytes.
  public mutating func put(words: UInt64...) {
    putWord(Int32(clamping: words.count * 8))
    for word in words { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
  }

  public mutating func putNull() {
    putWord(-1)
    hasNull = true
  }

  private mutating func putInteger(_ value: some FixedWidthInteger) {
    putWord(Int32(truncatingIfNeeded: value.bitWidth / 8))
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  fileprivate mutating func putWord(_ value: Int32) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }
}
