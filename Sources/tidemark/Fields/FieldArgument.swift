import TidemarkCore

/// One argument that names a field and says what to do with it.
///
/// ```
/// name=value      text
/// name:=json      a JSON value: number, true, false, null, list; an object is one JSON value
/// name@=time      an instant: 2025-01-31T09:30:00Z, or 2025-01-31
/// name%=base64    bytes
/// name+=1         adds to a number (patch only)
/// name!           removes the field (patch only)
/// ```
enum FieldArgument: Equatable {
  case set(FieldPath, Value)
  case increment(FieldPath, Value)
  case unset(FieldPath)

  static let help = """
    name=text, name:=JSON (number, true, false, null, list, object), name@=2025-01-31T09:30:00Z (time), name%=BASE64 (bytes)
    """

  /// True when the text has the form of a field argument, right or wrong.
  static func isLikely(_ text: String) -> Bool { split(text) != nil }

  /// Reads an argument.
  init(_ text: String) throws(CommandFailure) {
    guard let (nameText, sign, rest) = FieldArgument.split(text) else {
      throw .usage("'\(text)' does not say what to do with a field. Write \(FieldArgument.help).")
    }
    guard let name = FieldPath(nameText) else {
      throw .usage("'\(nameText)' is no name of a field: letters, digits and underscores, levels joined by dots.")
    }
    do {
      switch sign {
      case "=": self = .set(name, .string(rest))
      case "@=": self = .set(name, try ValueKind.timestamp.value(ofText: rest))
      case "%=": self = .set(name, try ValueKind.bytes.value(ofText: rest))
      case ":=": self = .set(name, try FieldArgument.parseJSON(rest))
      case "+=": self = .increment(name, try FieldArgument.parseJSON(rest))
      default: self = .unset(name)
      }
    } catch {
      throw .usage("\(nameText): \(error.what).")
    }
    if case .increment(_, let amount) = self {
      switch amount {
      case .int, .double: break
      default: throw .usage("\(nameText): += adds a number, as in \(nameText)+=1.")
      }
    }
  }

  private static func parseJSON(_ text: String) throws(ValueError) -> Value {
    let json: JSON
    do {
      json = try JSONParser.parse(text)
    } catch {
      throw ValueError(what: "'\(text)' is no JSON: \(error). A text is given with =, or in quotes")
    }
    let value = try Value(json, kind: nil)
    // The text as it was written, byte for byte.
    if case .json = value { return .json(text) }
    return value
  }

  /// The name, the sign and what follows. The name ends at the first sign.
  private static func split(_ text: String) -> (name: String, sign: String, rest: String)? {
    guard let end = text.firstIndex(where: { "=:@%+!".contains($0) }) else { return nil }
    let tail = text[end...]
    for sign in ["=", ":=", "@=", "%=", "+="] where tail.hasPrefix(sign) {
      return (String(text[..<end]), sign, String(tail.dropFirst(sign.count)))
    }
    return tail == "!" && end > text.startIndex ? (String(text[..<end]), "!", "") : nil
  }
}

extension Fields {
  /// The fields of a new entity.
  init(arguments: [String]) throws(CommandFailure) {
    var fields: [Field] = []
    for text in arguments {
      switch try FieldArgument(text) {
      case .set(let name, let value): fields.append(Field(name, value))
      case .increment, .unset: throw .usage("'\(text)' changes a field, and a new entity has none. Use = or := here.")
      }
    }
    do {
      try self.init(fields)
    } catch {
      throw .usage(error.message)
    }
  }
}

extension Patch {
  /// The changes of a patch.
  init(arguments: [String]) throws(CommandFailure) {
    var entries: [Entry] = []
    for text in arguments {
      switch try FieldArgument(text) {
      case .set(let name, let value): entries.append(Entry(name, .set(value)))
      case .unset(let name): entries.append(Entry(name, .unset))
      case .increment(let name, .double(let bits)): entries.append(Entry(name, .incrementDouble(bits: bits)))
      case .increment(let name, .int(let amount)): entries.append(Entry(name, .incrementInt(amount)))
      case .increment: throw .usage("'\(text)' adds something that is no number.")
      }
    }
    do {
      try self.init(entries)
    } catch {
      throw .usage(error.message)
    }
  }
}
