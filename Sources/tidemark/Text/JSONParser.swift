import TidemarkCore

/// Says what is wrong with a JSON text, and where.
struct JSONError: Error, Equatable, CustomStringConvertible {
  var what: String
  /// The offset in the text, in bytes from 0.
  var offset: Int

  var description: String { "\(what) (at byte \(offset + 1))" }
}

/// Reads JSON (RFC 8259). Nesting is limited to `Limits.jsonDepthMax`, so recursion is.
struct JSONParser {
  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads one document.
  static func parse(_ text: String) throws(JSONError) -> JSON { try parse(Array(text.utf8)) }

  /// Reads one document in UTF-8.
  static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON {
    var parser = JSONParser(bytes)
    parser.skipSpace()
    let value = try parser.parseValue(depth: 1)
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.error("something follows the JSON value") }
    return value
  }

  private func error(_ what: String) -> JSONError { JSONError(what: what, offset: position) }
  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func parseValue(depth: Int) throws(JSONError) -> JSON {
    guard depth <= Limits.jsonDepthMax + 1 else { throw error("nested more than \(Limits.jsonDepthMax) deep") }
    switch current {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case nil: throw error("the JSON text ends too early")
    default: return try parseNumber()
    }
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    let matches = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
    guard matches else { throw error("this is no JSON value") }
    position += word.utf8CodeUnitCount
    return value
  }

  private mutating func parseObject(depth: Int) throws(JSONError) -> JSON {
    position += 1
    var members: [JSON.Member] = []
    var names: Set<String> = []
    skipSpace()
    if current == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw error("a name in quotes is missing") }
      let name = try parseString()
      guard names.insert(name).inserted else { throw error("the name '\(name)' stands twice in one object") }
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw error("a colon is missing") }
      position += 1
      skipSpace()
      members.append(JSON.Member(name, try parseValue(depth: depth + 1)))
      skipSpace()
      switch current {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "}"):
        position += 1
        return .object(members)
      default: throw error("a comma or the end of the object is missing")
      }
    }
  }

  private mutating func parseArray(depth: Int) throws(JSONError) -> JSON {
    position += 1
    var values: [JSON] = []
    skipSpace()
    if current == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      skipSpace()
      values.append(try parseValue(depth: depth + 1))
      skipSpace()
      switch current {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "]"):
        position += 1
        return .array(values)
      default: throw error("a comma or the end of the list is missing")
      }
    }
  }

  private mutating func parseString() throws(JSONError) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else { throw error("a text is not valid UTF-8") }
        return string
      case UInt8(ascii: "\\"): text.append(contentsOf: try parseEscape())
      case 0..<0x20: throw error("a control character stands in a text; write it as an escape")
      default: text.append(byte)
      }
    }
    throw error("a text has no closing quote")
  }

  private mutating func parseEscape() throws(JSONError) -> [UInt8] {
    guard let byte = current else { throw error("a text has no closing quote") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var code = try parseHex()
      if (0xD800..<0xDC00).contains(code) {
        guard bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
          throw error("half of a surrogate pair stands alone")
        }
        position += 2
        let low = try parseHex()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair stands alone") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair stands alone") }
      return Array(String(Character(scalar)).utf8)
    default: throw error("this escape is not known")
    }
  }

  private mutating func parseHex() throws(JSONError) -> UInt32 {
    guard bytes.count - position >= 4 else { throw error("an escape has too few digits") }
    let digits = bytes[position..<position + 4]
    guard digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("an escape has something other than hexadecimal digits") }
    position += 4
    return code
  }

  private mutating func parseNumber() throws(JSONError) -> JSON {
    let start = position
    if current == UInt8(ascii: "-") { position += 1 }
    let whole = skipDigits()
    guard whole > 0 else {
      position = start
      throw error("this is no JSON value")
    }
    guard whole == 1 || bytes[position - whole] != UInt8(ascii: "0") else { throw error("a number begins with a zero") }
    if current == UInt8(ascii: ".") {
      position += 1
      guard skipDigits() > 0 else { throw error("digits are missing behind the point") }
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      guard skipDigits() > 0 else { throw error("digits are missing in the exponent") }
    }
    return .number(String(decoding: bytes[start..<position], as: UTF8.self))
  }

  private mutating func skipDigits() -> Int {
    let start = position
    while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    return position - start
  }
}
