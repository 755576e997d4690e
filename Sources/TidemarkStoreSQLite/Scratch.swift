internal import TidemarkCore

/// Memory that stays in place, from which short values are bound without an allocation or a copy by SQLite.
final class Scratch {
  /// Where values lie. Parameters bound in one statement use different places; each row of a statement of several has its own, `end`
  /// behind those of the row before.
  enum Place {
    static let id = 0
    static let operation = 128
    static let salt = 144
    static let digest = 160
    static let hash = 192
    static let otherID = 224
    static let end = 352
  }

  private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Place.end * SQL.rowsAtOnce, alignment: 8)

  deinit { memory.deallocate() }

  /// The bytes of an id; valid until the next use of its place.
  func id(_ id: EntityID, at place: Int = Place.id) -> UnsafeRawBufferPointer {
    // An id has at most 128 bytes. The bound keeps the promise of memory safety should that ever change.
    let count = min(id.text.utf8.count, Limits.entityIDBytesMax)
    let target = UnsafeMutableRawBufferPointer(rebasing: memory[place..<(place + count)])
    target.copyBytes(from: id.text.utf8.prefix(count))
    return UnsafeRawBufferPointer(target)
  }

  func store(_ value: Bytes16, at place: Int) -> UnsafeRawBufferPointer {
    memory.storeBytes(of: value.high.bigEndian, toByteOffset: place, as: UInt64.self)
    memory.storeBytes(of: value.low.bigEndian, toByteOffset: place + 8, as: UInt64.self)
    return UnsafeRawBufferPointer(rebasing: memory[place..<(place + 16)])
  }

  func store(_ value: Digest32, at place: Int) -> UnsafeRawBufferPointer {
    memory.storeBytes(of: value.words.0.bigEndian, toByteOffset: place, as: UInt64.self)
    memory.storeBytes(of: value.words.1.bigEndian, toByteOffset: place + 8, as: UInt64.self)
    memory.storeBytes(of: value.words.2.bigEndian, toByteOffset: place + 16, as: UInt64.self)
    memory.storeBytes(of: value.words.3.bigEndian, toByteOffset: place + 24, as: UInt64.self)
    return UnsafeRawBufferPointer(rebasing: memory[place..<(place + 32)])
  }
}

extension Bytes16 {
  /// Reads a column; `nil` when it is no blob of 16 bytes.
  init?(column: UnsafeRawBufferPointer?) {
    guard let column, column.count == 16 else { return nil }
    self.init(high: column.bigEndianWord(at: 0), low: column.bigEndianWord(at: 8))
  }
}

extension Digest32 {
  /// Reads a column; `nil` when it is no blob of 32 bytes.
  init?(column: UnsafeRawBufferPointer?) {
    guard let column, column.count == 32 else { return nil }
    self.init(
      words: (
        column.bigEndianWord(at: 0), column.bigEndianWord(at: 8), column.bigEndianWord(at: 16), column.bigEndianWord(at: 24)
      ))
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func bigEndianWord(at offset: Int) -> UInt64 {
    UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
