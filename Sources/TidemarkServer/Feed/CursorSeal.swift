internal import Crypto
internal import TidemarkCore
internal import TidemarkStore

/// Makes cursors that nobody else can make: what a reader sends back was made here, for this reader and this space.
///
/// ```
/// sealed cursor   cursor | HMAC-SHA256(key, length of the space's name 1 | name | cursor), its first 16 bytes
/// ```
struct CursorSeal: Sendable {
  /// Where the key is kept in the store, so that every server of the store has the same.
  static let secretName = "cursor"
  /// The length of a new key, in bytes.
  static let keyBytes = 32
  private static let tagBytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

  /// The bytes that a reader gets.
  func seal(_ cursor: FeedCursor, in space: SpaceName) -> [UInt8] {
    let content = cursor.encoded()
    return content + tag(of: content[...], in: space)
  }

  /// The cursor that a reader sent back; `nil` when it was not made here, or for another space.
  func open(_ sealed: [UInt8], in space: SpaceName) -> FeedCursor? {
    let content = sealed.dropLast(CursorSeal.tagBytes)
    let tag = tag(of: content, in: space)
    guard sealed.count - content.count == tag.count else { return nil }
    // All bytes are compared, whichever differ.
    let difference = zip(tag, sealed.suffix(tag.count)).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
    return difference == 0 ? FeedCursor(encoded: content) : nil
  }

  private func tag(of content: ArraySlice<UInt8>, in space: SpaceName) -> [UInt8] {
    var code = HMAC<SHA256>(key: key)
    code.update(data: [UInt8(truncatingIfNeeded: space.text.utf8.count)])
    code.update(data: Array(space.text.utf8))
    code.update(data: content)
    return Array(Array(code.finalize()).prefix(CursorSeal.tagBytes))
  }

  /// The first 16 bytes of the SHA-256 of something that a cursor is bound to.
  static func digest(_ bytes: some Sequence<UInt8>) -> Bytes16 {
    Bytes16(bytes: Array(SHA256.hash(data: Array(bytes))).prefix(16)) ?? Bytes16(high: 0, low: 0)
  }
}
