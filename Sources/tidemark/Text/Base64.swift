#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Bytes as text (RFC 4648, section 4), with padding.
enum Base64 {
  static func encode(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

  /// Reads text; `nil` when it has anything that `encode` would not write.
  static func decode(_ text: String) -> [UInt8]? {
    // Foundation takes texts whose unused bits are not 0.
    guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
    return Array(data)
  }
}
