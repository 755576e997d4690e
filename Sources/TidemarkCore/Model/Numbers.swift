/// Counts the accepted changes of one entity, from 1. Never reset, never set by a client.
public struct EntityVersion: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The version of a new entity.
  public static let first = EntityVersion(rawValue: 1)
  /// The version after this one.
  public var next: EntityVersion { EntityVersion(rawValue: rawValue &+ 1) }
  public var description: String { String(rawValue) }
  public static func < (a: EntityVersion, b: EntityVersion) -> Bool { a.rawValue < b.rawValue }
}

/// Counts all changes of one space in commit order, without gaps. 0 is the empty space.
public struct Revision: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Before the first change.
  public static let zero = Revision(rawValue: 0)
  /// The revision after this one.
  public var next: Revision { Revision(rawValue: rawValue &+ 1) }
  public var description: String { String(rawValue) }
  public static func < (a: Revision, b: Revision) -> Bool { a.rawValue < b.rawValue }
}

/// An instant in microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: Int64
  public init(rawValue: Int64) { self.rawValue = rawValue }
  /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z, the range of protobuf's Timestamp.
  public static let validRange = Timestamp(rawValue: -62_135_596_800_000_000)...Timestamp(rawValue: 253_402_300_799_999_999)
  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.rawValue < b.rawValue }
}

/// 128 bits of identity: an operation id, an epoch, a salt.
public struct Bytes16: Hashable, Comparable, Sendable {
  /// The first eight bytes, big-endian.
  public let high: UInt64
  /// The last eight bytes, big-endian.
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Reads 16 bytes; `nil` when there are more or fewer.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (index, byte) in bytes.enumerated() {
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    self.init(high: high, low: low)
  }

  /// The 16 bytes.
  public var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
      for index in 0..<8 {
        buffer[index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - index * 8))
        buffer[index + 8] = UInt8(truncatingIfNeeded: low >> UInt64(56 - index * 8))
      }
      count = 16
    }
  }

  public static func < (a: Bytes16, b: Bytes16) -> Bool { a.high == b.high ? a.low < b.low : a.high < b.high }

  /// Fresh random bits.
  public static func random(using random: inout some RandomNumberGenerator) -> Bytes16 {
    Bytes16(high: random.next(), low: random.next())
  }
}

/// The random id of a space's history. It changes when the history is replaced.
public struct Epoch: RawRepresentable, Hashable, Sendable {
  public let rawValue: Bytes16
  public init(rawValue: Bytes16) { self.rawValue = rawValue }
}

/// The client-made id of one write, a UUID; the key of its receipt.
public struct OperationID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: Bytes16
  public init(rawValue: Bytes16) { self.rawValue = rawValue }
  public var description: String { UUIDText.format(rawValue) }
  public static func < (a: OperationID, b: OperationID) -> Bool { a.rawValue < b.rawValue }
}

/// A SHA-256 digest, or all zero before the first change of a chain.
public struct Digest32: Hashable, Sendable {
  /// The four words, big-endian, first to last.
  public let words: (UInt64, UInt64, UInt64, UInt64)

  public init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// The digest before the first change.
  public static let zero = Digest32(words: (0, 0, 0, 0))

  /// Reads 32 bytes; `nil` when there are more or fewer.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    var words: [UInt64] = [0, 0, 0, 0]
    for (index, byte) in bytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    Bytes16(high: words.0, low: words.1).bytes + Bytes16(high: words.2, low: words.3).bytes
  }

  public static func == (a: Digest32, b: Digest32) -> Bool { a.words == b.words }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.3)
  }
}
