/// The stamps of an entity's `last_writer` fields, sorted by field.
///
/// A removed field keeps its stamp, so that an older edit which arrives later does not bring the field back.
///
/// ```
/// nothing             no stamps
/// 0x01                version of the encoding
/// ( len path          varint, bytes of UTF-8; paths rise by bytes
///   editedAt          8 bytes LE, microseconds, two's complement
///   operation         16 bytes )+
/// ```
public struct FieldStamps: Hashable, Sendable {
  /// One field's stamp.
  public struct Entry: Hashable, Sendable {
    public var name: FieldPath
    public var stamp: EditStamp
  }

  /// The stamps in order, each field once.
  public private(set) var sorted: [Entry] = []

  /// No stamps.
  public init() {}

  public var isEmpty: Bool { sorted.isEmpty }

  /// The stamp of a field; `nil` for a field that has none. Setting `nil` removes it.
  public subscript(_ name: FieldPath) -> EditStamp? {
    get {
      let index = position(of: name)
      return index < sorted.count && sorted[index].name == name ? sorted[index].stamp : nil
    }
    set {
      let index = position(of: name)
      let isThere = index < sorted.count && sorted[index].name == name
      switch (newValue, isThere) {
      case (let stamp?, true): sorted[index].stamp = stamp
      case (let stamp?, false): sorted.insert(Entry(name: name, stamp: stamp), at: index)
      case (nil, true): sorted.remove(at: index)
      case (nil, false): break
      }
    }
  }

  /// Notes a write that was made against the current state: every `last_writer` field that it changed gets its stamp, put behind
  /// the one that its writer saw (`EditStamp.following`). The stamp is clamped already.
  public mutating func record(
    from old: Fields, to new: Fields, stamp: EditStamp, kinds: (FieldPath) -> MergeKind
  ) {
    for name in FieldStates.names(old, new) where old[name] != new[name] && kinds(name) == .lastWriter {
      self[name] = stamp.following(self[name])
    }
  }

  /// The later stamp of each field of either side: the stamps of a merge of both.
  public func merged(with other: FieldStamps) -> FieldStamps {
    var result = self
    for entry in other.sorted { result[entry.name] = EditStamp.later(self[entry.name], entry.stamp) }
    return result
  }

  private func position(of name: FieldPath) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle].name < name { low = middle + 1 } else { high = middle }
    }
    return low
  }

  // MARK: Bytes

  private static let encodingVersion: UInt8 = 1

  /// The canonical bytes: equal stamps have equal bytes.
  public var encoded: [UInt8] {
    guard !sorted.isEmpty else { return [] }
    let size = sorted.reduce(1) { sum, entry in
      let length = entry.name.text.utf8.count
      return sum + ByteWriter.sizeOfVarint(UInt64(length)) + length + 24
    }
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      var writer = ByteWriter(buffer)
      writer.writeByte(FieldStamps.encodingVersion)
      for entry in sorted {
        writer.writeText(entry.name.text)
        writer.writeFixed64(UInt64(bitPattern: entry.stamp.editedAt.rawValue))
        for byte in entry.stamp.operation.rawValue.bytes { writer.writeByte(byte) }
      }
      count = writer.position
    }
  }

  /// Reads what `encoded` wrote.
  ///
  /// - Throws: `CorruptFieldStamps` for any other bytes.
  public init(decoding bytes: [UInt8]) throws(CorruptFieldStamps) {
    guard !bytes.isEmpty else { return }
    var entries: [Entry]?
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      entries = FieldStamps.read(&reader)
    }
    guard let entries else { throw CorruptFieldStamps() }
    sorted = entries
  }

  private static func read(_ reader: inout ByteReader) -> [Entry]? {
    guard reader.readByte() == encodingVersion, !reader.isAtEnd else { return nil }
    var entries: [Entry] = []
    while !reader.isAtEnd {
      guard let text = reader.readText(), let name = FieldPath(text), entries.last.map({ $0.name < name }) ?? true,
        let editedAt = reader.readFixed64(), let high = reader.readFixed64(), let low = reader.readFixed64()
      else { return nil }
      let operation = OperationID(rawValue: Bytes16(high: high.byteSwapped, low: low.byteSwapped))
      entries.append(
        Entry(name: name, stamp: EditStamp(editedAt: Timestamp(rawValue: Int64(bitPattern: editedAt)), operation: operation)))
    }
    return entries
  }
}

/// Stored stamps do not decode: the store was damaged, or a newer program wrote it.
public struct CorruptFieldStamps: Error, Hashable, Sendable {
  public init() {}
}
