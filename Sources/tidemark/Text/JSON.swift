/// A JSON document (RFC 8259) that keeps the order of members and the text of numbers.
enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  /// The text of the number, as it stands in the document.
  case number(String)
  case string(String)
  case array([JSON])
  case object([Member])

  struct Member: Hashable, Sendable {
    var name: String
    var value: JSON

    init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }
  }

  static func int(_ value: some BinaryInteger) -> JSON { .number(String(value)) }
  /// Text, or null when there is none.
  static func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }

  /// Text, or null when it is empty.
  static func nonEmpty(_ value: String) -> JSON { value.isEmpty ? .null : .string(value) }

  /// The value of a member of an object; `nil` when there is none.
  subscript(name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name == name }?.value
  }

  /// The text of a string; `nil` for anything else.
  var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// One line, without white space outside of strings.
  var compact: String {
    var text = ""
    write(to: &text)
    return text
  }

  /// Many lines, indented by two.
  var pretty: String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  private func write(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let number): text += number
    case .string(let string): JSON.write(string, to: &text)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += "," }
        value.write(to: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { text += "," }
        JSON.write(member.name, to: &text)
        text += ":"
        member.value.write(to: &text)
      }
      text += "}"
    }
  }

  private func write(to text: inout String, indent: Int) {
    let inner = String(repeating: "  ", count: indent + 1)
    let outer = String(repeating: "  ", count: indent)
    switch self {
    case .null, .bool, .number, .string: write(to: &text)
    case .array(let values):
      let isFlat = values.allSatisfy { if case .object = $0 { false } else if case .array = $0 { false } else { true } }
      guard !isFlat else { return write(to: &text) }
      text += "[\n"
      for (index, value) in values.enumerated() {
        text += inner
        value.write(to: &text, indent: indent + 1)
        text += index + 1 < values.count ? ",\n" : "\n"
      }
      text += outer + "]"
    case .object(let members):
      guard !members.isEmpty else { return text += "{}" }
      text += "{\n"
      for (index, member) in members.enumerated() {
        text += inner
        JSON.write(member.name, to: &text)
        text += ": "
        member.value.write(to: &text, indent: indent + 1)
        text += index + 1 < members.count ? ",\n" : "\n"
      }
      text += outer + "}"
    }
  }

  /// Writes a string with its quotes. Control characters are escaped, so that a line stays a line.
  private static func write(_ string: String, to text: inout String) {
    let hex = Array("0123456789abcdef".unicodeScalars)
    text.unicodeScalars.append("\"")
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        text += "\\u00"
        text.unicodeScalars.append(hex[Int(scalar.value >> 4)])
        text.unicodeScalars.append(hex[Int(scalar.value & 0xF)])
      default: text.unicodeScalars.append(scalar)
      }
    }
    text.unicodeScalars.append("\"")
  }
}
