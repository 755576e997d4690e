/// Checks the text of a JSON value (RFC 8259).
public enum JSONText {
  /// True when the text is one JSON document, nested at most `Limits.jsonDepthMax` deep, with nothing but white space around it.
  public static func isValid(_ text: String) -> Bool {
    var copy = text
    return copy.withUTF8 { bytes in
      var checker = Checker(bytes: bytes)
      return checker.skipDocument()
    }
  }

  /// Walks bytes that are valid UTF-8. Depth is limited, so the recursion is.
  private struct Checker {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipDocument() -> Bool {
      skipSpace()
      guard skipValue(depth: 1) else { return false }
      skipSpace()
      return position == bytes.count
    }

    mutating func skipValue(depth: Int) -> Bool {
      switch current {
      case UInt8(ascii: "{"): skipContainer(depth: depth, close: UInt8(ascii: "}"), hasKeys: true)
      case UInt8(ascii: "["): skipContainer(depth: depth, close: UInt8(ascii: "]"), hasKeys: false)
      case UInt8(ascii: "\""): skipString()
      case UInt8(ascii: "t"): skipWord("true")
      case UInt8(ascii: "f"): skipWord("false")
      case UInt8(ascii: "n"): skipWord("null")
      default: skipNumber()
      }
    }

    mutating func skipContainer(depth: Int, close: UInt8, hasKeys: Bool) -> Bool {
      guard depth <= Limits.jsonDepthMax else { return false }
      position += 1
      skipSpace()
      if skip(close) { return true }
      while true {
        if hasKeys {
          guard skipString() else { return false }
          skipSpace()
          guard skip(UInt8(ascii: ":")) else { return false }
          skipSpace()
        }
        guard skipValue(depth: depth + 1) else { return false }
        skipSpace()
        if skip(close) { return true }
        guard skip(UInt8(ascii: ",")) else { return false }
        skipSpace()
      }
    }

    mutating func skipString() -> Bool {
      guard skip(UInt8(ascii: "\"")) else { return false }
      while let byte = current {
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return true
        case UInt8(ascii: "\\"): guard skipEscape() else { return false }
        case 0..<0x20: return false
        default: continue
        }
      }
      return false
    }

    mutating func skipEscape() -> Bool {
      guard let byte = current else { return false }
      position += 1
      guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) }
      for _ in 0..<4 {
        guard let digit = current, isHexDigit(digit) else { return false }
        position += 1
      }
      return true
    }

    mutating func skipNumber() -> Bool {
      _ = skip(UInt8(ascii: "-"))
      if !skip(UInt8(ascii: "0")) { guard skipDigits() else { return false } }
      if skip(UInt8(ascii: ".")) { guard skipDigits() else { return false } }
      if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
        if !skip(UInt8(ascii: "+")) { _ = skip(UInt8(ascii: "-")) }
        return skipDigits()
      }
      return true
    }

    mutating func skipDigits() -> Bool {
      let start = position
      while let byte = current, byte.isDigit { position += 1 }
      return position > start
    }

    mutating func skipWord(_ word: String) -> Bool {
      for byte in word.utf8 { guard skip(byte) else { return false } }
      return true
    }

    mutating func skipSpace() {
      while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    mutating func skip(_ byte: UInt8) -> Bool {
      guard current == byte else { return false }
      position += 1
      return true
    }

    func isHexDigit(_ byte: UInt8) -> Bool {
      byte.isDigit || (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "f")
    }
  }
}
