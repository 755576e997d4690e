public import TidemarkCore
internal import TidemarkStore

/// The text of a bearer token: `tmk_` id `_` secret, where the id is 12 and the secret 64 hexadecimal digits.
///
/// The id names the token in listings and logs; the secret is 256 random bits, of which the store keeps only the SHA-256. Because the secret is
/// random and long, a plain hash is enough: there is nothing to guess.
public struct TokenText: Sendable {
  /// The public part.
  public let id: String
  /// The secret part. Never stored, never logged.
  let secret: String

  /// Makes a new token.
  public init(using random: inout some RandomNumberGenerator) {
    id = TokenText.hex([random.next()], digits: 12)
    secret = TokenText.hex([random.next(), random.next(), random.next(), random.next()], digits: 64)
  }

  /// Reads what a client sent; `nil` when it is no token.
  init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "tmk", parts[1].utf8.count == 12, parts[2].utf8.count == 64 else { return nil }
    id = String(parts[1])
    secret = String(parts[2])
  }

  /// What the client sends after `Bearer `.
  public var text: String { "tmk_\(id)_\(secret)" }

  /// The hash to store.
  public var secretHash: Digest32 { Digest32.sha256(Array(secret.utf8)) }

  /// Compares in a time that does not depend on where the hashes differ.
  func matches(_ hash: Digest32) -> Bool {
    let mine = secretHash.words
    let stored = hash.words
    return (mine.0 ^ stored.0) | (mine.1 ^ stored.1) | (mine.2 ^ stored.2) | (mine.3 ^ stored.3) == 0
  }

  private static func hex(_ words: [UInt64], digits: Int) -> String {
    let alphabet = Array("0123456789abcdef".utf8)
    var text = ""
    for word in words {
      for shift in stride(from: UInt64(60), through: 0, by: -4) {
        text.unicodeScalars.append(Unicode.Scalar(alphabet[Int(word >> shift & 0xF)]))
      }
    }
    return String(text.prefix(digits))
  }
}
