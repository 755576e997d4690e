internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

extension Row {
  func id(at column: Int32) -> EntityID? { text(at: column).flatMap { EntityID($0) } }
  func type(at column: Int32) -> TypeName? { text(at: column).flatMap { TypeName($0) } }
  func path(at column: Int32) -> FieldPath? { text(at: column).flatMap { FieldPath($0) } }
  func principal(at column: Int32) -> PrincipalName? { text(at: column).flatMap { PrincipalName($0) } }
  func time(at column: Int32) -> Timestamp? { integer(at: column).map { Timestamp(rawValue: $0) } }
  func version(at column: Int32) -> EntityVersion? { integer(at: column).map { EntityVersion(rawValue: UInt64(bitPattern: $0)) } }
  func revision(at column: Int32) -> Revision? { integer(at: column).map { Revision(rawValue: UInt64(bitPattern: $0)) } }
  func byte(at column: Int32) -> UInt8? { integer(at: column).flatMap { UInt8(exactly: $0) } }
  func life(at column: Int32) -> EntityLife? { byte(at: column).flatMap { EntityLife(rawValue: $0) } }
  func role(at column: Int32) -> Role? { byte(at: column).flatMap { Role(rawValue: $0) } }
  func bytes16(at column: Int32) -> Bytes16? { unsafeBytes(at: column).flatMap { Bytes16(bytes: $0) } }
  func digest(at column: Int32) -> Digest32? { unsafeBytes(at: column).flatMap { Digest32(bytes: $0) } }

  /// The index in a list that was asked for, which the server counted from 1; `nil` when it is outside.
  func index(at column: Int32, in count: Int) -> Int? {
    integer(at: column).flatMap { Int(exactly: $0) }.flatMap { (1...max(count, 1)).contains($0) && count > 0 ? $0 - 1 : nil }
  }
}

extension Parameters {
  mutating func add(_ space: SpaceID) { add(Int32(bitPattern: space.rawValue)) }
  mutating func add(_ revision: Revision) { add(Int64(bitPattern: revision.rawValue)) }
  mutating func add(_ time: Timestamp) { add(time.rawValue) }
  mutating func add(_ digest: Digest32) { add(digest.bytes) }

  /// What every statement about a space begins with.
  init(_ space: SpaceID) {
    self.init()
    add(space)
  }
}

extension ValueWriter {
  mutating func put(_ value: Bytes16) { put(words: value.high, value.low) }
  mutating func put(_ value: Digest32) { put(words: value.words.0, value.words.1, value.words.2, value.words.3) }
  /// An id, as its bytes.
  mutating func put(_ id: EntityID) { put(id.text) }
  mutating func put(_ revision: Revision) { put(Int64(bitPattern: revision.rawValue)) }
  mutating func put(_ version: EntityVersion) { put(Int64(bitPattern: version.rawValue)) }
}

extension SpaceRecord {
  /// Reads the columns of the table `space`.
  ///
  /// - Throws: `StoreError` with code `unknownFormat` when a migration has shut this program out since it opened the store.
  init(row: Row) throws(StoreError) {
    try SpaceRecord.checkFormat(row.integer(at: 13))
    guard let number = row.integer(at: 0).flatMap({ UInt32(exactly: $0) }), number <= SpaceID.max.rawValue,
      let name = row.text(at: 1).flatMap({ SpaceName($0) }), let epoch = row.bytes16(at: 2), let createdAt = row.time(at: 3),
      let hash = row.digest(at: 5), let changedAt = row.time(at: 6)
    else { throw StoreError.corrupt("a space does not decode") }
    self.init(
      id: SpaceID(rawValue: number), name: name, epoch: Epoch(rawValue: epoch), createdAt: createdAt, genesis: hash)
    func count(_ column: Int32) throws(StoreError) -> UInt64 {
      guard let value = row.integer(at: column).flatMap({ UInt64(exactly: $0) }) else {
        throw StoreError.corrupt("a counter of the space \(name) does not decode")
      }
      return value
    }
    revision = Revision(rawValue: try count(4))
    self.changedAt = changedAt
    aliveCount = try count(7)
    historyFloor = Revision(rawValue: try count(8))
    feedFloor = Revision(rawValue: try count(9))
    fence = Revision(rawValue: try count(10))
    receiptFloor = Revision(rawValue: try count(11))
    schemaVersion = try count(12)
  }

  /// Refuses what a space says of the lowest format a program must know, when this one does not.
  static func checkFormat(_ lowest: Int64?) throws(StoreError) {
    guard let lowest = lowest.flatMap({ Int(exactly: $0) }) else {
      throw StoreError.corrupt("the lowest format does not decode")
    }
    guard lowest <= Migration.latest else { throw StoreError.tooOld(lowest: lowest, known: Migration.latest) }
  }
}

/// The value of a unique key as it is stored.
///
/// An index takes at most about 2,700 bytes a row. Of a value of `bytesMax` bytes or more the first ones are stored, and its SHA-256 behind
/// them: exactly `bytesMax` together, which no shorter value has, so two values are equal when their stored forms are.
enum KeyValue {
  static let bytesMax = 1_024

  static func stored(_ value: [UInt8]) -> [UInt8] {
    guard value.count >= bytesMax else { return value }
    return value.prefix(bytesMax - 32) + Digest32.sha256(value).bytes
  }
}
