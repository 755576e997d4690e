internal import Crypto
public import TidemarkCore

/// The hash chain of a space: every entry of the log proves its own content and everything before it.
///
/// ```
/// genesis        = SHA-256("tidemark.chain.1" epoch)
/// content digest = SHA-256(salt, canonical fields)
/// chain hash     = SHA-256(chain hash of the entry before, metadata, content digest)
/// metadata       = revision u64 | version u64 | previous u64 | kind u8 | created at i64 | updated at i64 | operation 16 bytes
///                  | edited at i64, only when it is known
///                  | then type, id, created by, updated by: each u32 length and its bytes        (numbers big-endian)
/// kind           = kind of change | manner << 4 | 0x40 when the next change belongs to it | 0x80 when edited at is known
/// ```
/// Pruning the fields keeps the content digest, so the chain still verifies.
public enum Chain {
  /// The hash before the first change of a space.
  public static func genesis(_ epoch: Epoch) -> Digest32 {
    var hasher = SHA256()
    hasher.update(data: Array("tidemark.chain.1".utf8))
    hasher.update(data: epoch.rawValue.bytes)
    return Digest32(hasher.finalize())
  }

  /// The digest of an entry's fields.
  public static func contentDigest(salt: Bytes16, fields: CanonicalFields) -> Digest32 {
    var hasher = SHA256()
    withUnsafeBytes(of: (salt.high.bigEndian, salt.low.bigEndian)) { hasher.update(bufferPointer: $0) }
    fields.bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    return Digest32(hasher.finalize())
  }

  /// The chain hash of a change that follows `previous`.
  public static func hash(after previous: Digest32, _ change: Change, contentDigest: Digest32) -> Digest32 {
    let entity = change.entity
    let size =
      137 + (change.editedAt == nil ? 0 : 8) + entity.key.type.text.utf8.count + entity.key.id.text.utf8.count
      + entity.created.by.text.utf8.count + entity.updated.by.text.utf8.count
    return withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { memory in
      var bytes = ChainBytes(memory)
      bytes.append(previous)
      bytes.append(entity.revision.rawValue)
      bytes.append(entity.version.rawValue)
      bytes.append(change.previous.rawValue)
      bytes.append(change.kindByte | (change.editedAt == nil ? 0 : 0x80))
      bytes.append(UInt64(bitPattern: entity.created.at.rawValue))
      bytes.append(UInt64(bitPattern: entity.updated.at.rawValue))
      bytes.append(change.operation.rawValue.high)
      bytes.append(change.operation.rawValue.low)
      if let editedAt = change.editedAt { bytes.append(UInt64(bitPattern: editedAt.rawValue)) }
      bytes.append(entity.key.type.text)
      bytes.append(entity.key.id.text)
      bytes.append(entity.created.by.text)
      bytes.append(entity.updated.by.text)
      bytes.append(contentDigest)
      var hasher = SHA256()
      hasher.update(bufferPointer: bytes.written)
      return Digest32(hasher.finalize())
    }
  }

  /// The entry of a change that follows `previous`.
  public static func seal(_ change: Change, after previous: Digest32, salt: Bytes16) -> LogEntry {
    let digest = contentDigest(salt: salt, fields: change.entity.fields)
    return LogEntry(
      change: change, salt: salt, contentDigest: digest, chainHash: hash(after: previous, change, contentDigest: digest))
  }
}

extension Digest32 {
  /// Takes over a digest of swift-crypto.
  init(_ digest: SHA256Digest) {
    self = digest.withUnsafeBytes { raw in
      func word(_ index: Int) -> UInt64 {
        UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
      return Digest32(words: (word(0), word(1), word(2), word(3)))
    }
  }

  /// The SHA-256 of bytes.
  public static func sha256(_ bytes: [UInt8]) -> Digest32 {
    bytes.withUnsafeBytes { raw in
      var hasher = SHA256()
      hasher.update(bufferPointer: raw)
      return Digest32(hasher.finalize())
    }
  }
}

/// Writes what is hashed, big-endian, into memory on the stack. The slice checks the room.
private struct ChainBytes {
  private let memory: UnsafeMutableRawBufferPointer
  private var count = 0

  init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

  var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[0..<count]) }

  mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.bigEndian) { append($0) }
  }

  mutating func append(_ digest: Digest32) {
    append(digest.words.0)
    append(digest.words.1)
    append(digest.words.2)
    append(digest.words.3)
  }

  /// Appends a length of four bytes and the text.
  mutating func append(_ text: String) {
    append(UInt32(truncatingIfNeeded: text.utf8.count))
    if text.utf8.withContiguousStorageIfAvailable({ append(UnsafeRawBufferPointer($0)) }) == nil {
      for byte in text.utf8 { append(byte) }
    }
  }

  private mutating func append(_ bytes: UnsafeRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + bytes.count)]).copyMemory(from: bytes)
    count += bytes.count
  }
}
