extension CanonicalFields {
  /// Whether a walk goes on.
  enum Step { case next, stop, corrupt }

  /// Visits the fields in order without decoding them.
  ///
  /// - Parameter visit: takes the bytes of the name and of the value, both valid during the call only.
  /// - Throws: `CorruptFields` when the bytes up to there are not fields in order, or the visit says so.
  func walk(_ visit: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Step) throws(CorruptFields) {
    let isIntact = bytes.withUnsafeBytes { raw in
      var cursor = FieldCursor(raw)
      while !cursor.isAtEnd {
        guard cursor.readNext() else { return false }
        switch visit(cursor.name, cursor.value) {
        case .next: continue
        case .stop: return true
        case .corrupt: return false
        }
      }
      return true
    }
    guard isIntact else { throw CorruptFields() }
  }

  /// Decodes the bytes of a value; `nil` when they are not one.
  static func decodeValue(_ bytes: UnsafeRawBufferPointer) -> Value? {
    var reader = ByteReader(bytes)
    guard let value = readValue(&reader), reader.isAtEnd else { return nil }
    return value
  }
}

/// Stands on one field of canonical fields.
private struct FieldCursor {
  private let source: UnsafeRawBufferPointer
  private var position = 0
  private(set) var name = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var value = UnsafeRawBufferPointer(start: nil, count: 0)

  init(_ source: UnsafeRawBufferPointer) { self.source = source }

  var isAtEnd: Bool { position == source.count }

  /// Moves to the next field; false when the bytes are not one that sorts behind the last.
  mutating func readNext() -> Bool {
    guard readByte() == 0x7A, let body = readLength() else { return false }
    let end = position + body
    guard readByte() == 0x0A, let nameLength = readLength(), nameLength > 0 else { return false }
    let next = slice(nameLength)
    guard readByte() == 0x12, let valueLength = readLength(), position + valueLength == end else { return false }
    guard name.isEmpty || compareBytes(name, next) < 0 else { return false }
    name = next
    value = slice(valueLength)
    return true
  }

  private mutating func slice(_ count: Int) -> UnsafeRawBufferPointer {
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: source[position..<(position + count)])
  }

  private mutating func readByte() -> UInt8? {
    guard position < source.count else { return nil }
    defer { position += 1 }
    return source[position]
  }

  /// Reads a length that fits into what is left.
  private mutating func readLength() -> Int? {
    var length = 0
    var shift = 0
    while position < source.count, shift <= 28 {
      let byte = source[position]
      position += 1
      length |= Int(byte & 0x7F) << shift
      if byte < 0x80 { return length <= source.count - position ? length : nil }
      shift += 7
    }
    return nil
  }
}

/// Below zero, zero or above it, as `a` sorts before, with or behind `b`.
func compareBytes(_ a: some RandomAccessCollection<UInt8>, _ b: UnsafeRawBufferPointer) -> Int {
  for (left, right) in zip(a, b) where left != right { return left < right ? -1 : 1 }
  return a.count - b.count
}
