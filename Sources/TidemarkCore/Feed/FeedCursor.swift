/// What a cursor holds: where its reader stands, and for whom and what it was made. Readers get it sealed, as bytes that mean nothing to them.
public struct FeedCursor: Hashable, Sendable {
  public var kind: FeedKind
  public var epoch: Epoch
  /// Digests of the filter, of who reads, and of what they may read.
  public var filter: Bytes16
  public var principal: Bytes16
  public var rights: Bytes16
  public var place: FeedPlace

  public init(kind: FeedKind, epoch: Epoch, filter: Bytes16, principal: Bytes16, rights: Bytes16, place: FeedPlace) {
    self.kind = kind
    self.epoch = epoch
    self.filter = filter
    self.principal = principal
    self.rights = rights
    self.place = place
  }

  /// The form that this program writes and reads.
  private static let form: UInt8 = 1
  private static let walkCode: UInt8 = 1
  private static let tailCode: UInt8 = 2

  /// ```
  /// form 1 | kind 1 | epoch 16 | filter 16 | principal 16 | rights 16 | place
  /// place  1 | began 8 | length 1 | type | length 1 | id        both empty before the first entity
  ///        2 | position 8 | base 8
  /// ```
  public func encoded() -> [UInt8] {
    var bytes: [UInt8] = [FeedCursor.form, kind.rawValue]
    bytes.reserveCapacity(96)
    for part in [epoch.rawValue, filter, principal, rights] { bytes.append(contentsOf: part.bytes) }
    switch place {
    case .walk(let began, let after):
      bytes.append(FeedCursor.walkCode)
      FeedCursor.append(began, to: &bytes)
      FeedCursor.append(after?.type.text ?? "", to: &bytes)
      FeedCursor.append(after?.id.text ?? "", to: &bytes)
    case .tail(let position, let base):
      bytes.append(FeedCursor.tailCode)
      FeedCursor.append(position, to: &bytes)
      FeedCursor.append(base, to: &bytes)
    }
    return bytes
  }

  /// `nil` when the bytes are not a cursor of a known form.
  public init?(encoded bytes: some Collection<UInt8>) {
    var rest = bytes[...]
    func take(_ count: Int) -> [UInt8]? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return [UInt8](rest.prefix(count))
    }
    func take16() -> Bytes16? { take(16).flatMap { Bytes16(bytes: $0) } }
    func takeRevision() -> Revision? {
      guard let value = take(8)?.reduce(UInt64(0), { $0 << 8 | UInt64($1) }), value <= Limits.revisionMax else { return nil }
      return Revision(rawValue: value)
    }
    func takeText() -> String? {
      take(1)?.first.flatMap { take(Int($0)) }.flatMap { String(validating: $0, as: UTF8.self) }
    }
    guard let head = take(2), head[0] == FeedCursor.form, let kind = FeedKind(rawValue: head[1]), let epoch = take16(),
      let filter = take16(), let principal = take16(), let rights = take16(), let code = take(1)?.first,
      let first = takeRevision()
    else { return nil }
    switch code {
    case FeedCursor.walkCode:
      guard let type = takeText(), let id = takeText() else { return nil }
      if type.isEmpty, id.isEmpty {
        place = .walk(began: first, after: nil)
      } else {
        guard let type = TypeName(type), let id = EntityID(id) else { return nil }
        place = .walk(began: first, after: EntityKey(type: type, id: id))
      }
    case FeedCursor.tailCode:
      guard let base = takeRevision(), base <= first else { return nil }
      place = .tail(position: first, base: base)
    default: return nil
    }
    guard rest.isEmpty else { return nil }
    (self.kind, self.epoch, self.filter, self.principal, self.rights) = (kind, Epoch(rawValue: epoch), filter, principal, rights)
  }

  private static func append(_ revision: Revision, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: revision.rawValue.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// Names are at most 128 bytes long.
  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }
}
