extension CanonicalFields {
  /// The fields with every operation of a patch applied: equal to encoding what `Patch.applied(to:)` makes of the decoded fields, but only
  /// the fields that the patch names are decoded, and the others are copied as they are.
  ///
  /// - Throws: `CorruptFields` when the stored bytes are not fields in order.
  public func patched(by patch: Patch) throws(CorruptFields) -> Result<CanonicalFields, Violation> {
    var outcome: Result<CanonicalFields, Violation>?
    bytes.withUnsafeBytes { raw in
      guard let spans = Span.all(in: raw) else { return }
      var merge = Merge(source: raw, spans: spans)
      outcome = merge.run(patch)
    }
    guard let outcome else { throw CorruptFields() }
    return outcome
  }

  /// Where one field stands in the bytes, and where its name does.
  private struct Span {
    var field: Range<Int>
    var name: Range<Int>

    /// The spans of all fields; `nil` when the bytes are not fields in order.
    static func all(in raw: UnsafeRawBufferPointer) -> [Span]? {
      var spans: [Span] = []
      spans.reserveCapacity(32)
      var position = 0
      while position < raw.count {
        let start = position
        guard raw[position] == 0x7A else { return nil }
        position += 1
        guard let body = readLength(raw, &position), body > 2, raw[position] == 0x0A else { return nil }
        let end = position + body
        position += 1
        guard let length = readLength(raw, &position), length > 0, position + length < end else { return nil }
        let span = Span(field: start..<end, name: position..<(position + length))
        if let last = spans.last, !precedes(raw, last.name, span.name) { return nil }
        spans.append(span)
        position = end
      }
      return spans
    }

    /// Reads a length that fits into what is left.
    private static func readLength(_ raw: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
      var value = 0
      var shift = 0
      while position < raw.count, shift <= 28 {
        let byte = raw[position]
        position += 1
        value |= Int(byte & 0x7F) << shift
        if byte < 0x80 { return value <= raw.count - position ? value : nil }
        shift += 7
      }
      return nil
    }

    private static func precedes(_ raw: UnsafeRawBufferPointer, _ a: Range<Int>, _ b: Range<Int>) -> Bool {
      compare(UnsafeRawBufferPointer(rebasing: raw[a]), UnsafeRawBufferPointer(rebasing: raw[b])) < 0
    }
  }

  /// Walks stored fields and operations side by side: both are sorted by name.
  private struct Merge {
    let source: UnsafeRawBufferPointer
    let spans: [Span]
    /// What the result is made of, in order.
    private var parts: [Part] = []

    private enum Part {
      case stored(Span)
      case new(Field)
    }

    init(source: UnsafeRawBufferPointer, spans: [Span]) {
      self.source = source
      self.spans = spans
      parts.reserveCapacity(spans.count + 4)
    }

    /// The result; `nil` when a field that the patch names does not decode.
    mutating func run(_ patch: Patch) -> Result<CanonicalFields, Violation>? {
      var index = 0
      for entry in patch.entries {
        var name = entry.name.text
        let isSet = entry.operation != .unset
        var value: Value?
        var isIntact = true
        name.withUTF8 { bytes in
          let wanted = UnsafeRawBufferPointer(bytes)
          // A set removes every path above it; those stand before it, in what was copied already.
          if isSet { removeAbove(wanted) }
          while index < spans.count {
            let stored = UnsafeRawBufferPointer(rebasing: source[spans[index].name])
            let order = compare(stored, wanted)
            if order < 0 {
              if !(isSet && isAbove(stored, wanted)) { parts.append(.stored(spans[index])) }
            } else if order == 0 {
              value = decodeValue(spans[index].field)
              isIntact = value != nil
            } else if !isAbove(wanted, stored) {
              break
            }
            index += 1
          }
        }
        guard isIntact else { return nil }
        switch entry.newValue(over: value) {
        case .success(let new): if let new { parts.append(.new(Field(entry.name, new))) }
        case .failure(let violation): return .failure(violation)
        }
      }
      for span in spans[index...] { parts.append(.stored(span)) }
      guard parts.count <= Limits.fieldsPerEntityMax else { return .failure(.tooManyFields(parts.count)) }
      return .success(CanonicalFields(unchecked: joined()))
    }

    /// Takes back stored fields whose paths lie above `wanted`.
    private mutating func removeAbove(_ wanted: UnsafeRawBufferPointer) {
      guard wanted.contains(UInt8(ascii: ".")) else { return }
      parts.removeAll { part in
        guard case .stored(let span) = part else { return false }
        return isAbove(UnsafeRawBufferPointer(rebasing: source[span.name]), wanted)
      }
    }

    private func decodeValue(_ range: Range<Int>) -> Value? {
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: source[range]))
      return CanonicalFields.readField(&reader)?.value
    }

    private func joined() -> [UInt8] {
      let size = parts.reduce(0) { sum, part in
        switch part {
        case .stored(let span): sum + span.field.count
        case .new(let field): sum + CanonicalFields.encodedSize(field)
        }
      }
      return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        var writer = ByteWriter(buffer)
        for part in parts {
          switch part {
          case .stored(let span): writer.copy(UnsafeRawBufferPointer(rebasing: source[span.field]))
          case .new(let field): CanonicalFields.write(field, to: &writer)
          }
        }
        count = writer.position
      }
    }
  }
}

/// Below zero, zero or above it, as `a` sorts before, with or behind `b` by bytes.
private func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
  for index in 0..<min(a.count, b.count) where a[index] != b[index] { return a[index] < b[index] ? -1 : 1 }
  return a.count - b.count
}

/// Whether the path `b` lies below the path `a`.
private func isAbove(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  guard b.count > a.count, b[a.count] == UInt8(ascii: ".") else { return false }
  return compare(a, UnsafeRawBufferPointer(rebasing: b[0..<a.count])) == 0
}
