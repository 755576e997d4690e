import TidemarkCore

/// How values are shown as JSON and read back. What JSON cannot show by itself is named beside it, as the value's kind:
///
/// ```
/// null, true, "text"      as they are
/// int 7                   7
/// double 7                7.0          not a number, infinite: "NaN", "Infinity", "-Infinity" with kind "double"
/// bytes                   base64 with kind "bytes"
/// timestamp               RFC 3339 with kind "timestamp"
/// list                    a list; when an element needs a kind, the kind is the list of the elements' kinds
/// json                    the document with kind "json"; as text with kind "json_text" when it is not written compactly
/// ```
extension Value {
  /// The value, and its kind where it is needed to read it back.
  var json: (value: JSON, kind: JSON?) {
    switch self {
    case .null: return (.null, nil)
    case .bool(let value): return (.bool(value), nil)
    case .int(let value): return (.int(value), nil)
    case .double(let bits): return Value.json(ofDouble: Double(bitPattern: bits))
    case .string(let text): return (.string(text), nil)
    case .bytes(let bytes): return (.string(Base64.encode(bytes)), .string("bytes"))
    case .timestamp(let instant): return (.string(TimeText.format(instant)), .string("timestamp"))
    case .list(let scalars):
      let elements = scalars.map { $0.value.json }
      let kinds = zip(scalars, elements).map { scalar, element in element.kind ?? .string(scalar.value.kindName) }
      let needsKinds = elements.contains { $0.kind != nil }
      return (.array(elements.map { $0.value }), needsKinds ? .array(kinds) : nil)
    case .json(let text):
      // The text is kept byte for byte: it is shown as a document only when that gives the same bytes back.
      guard let document = try? JSONParser.parse(text), document.compact.utf8.elementsEqual(text.utf8) else {
        return (.string(text), .string("json_text"))
      }
      return (document, .string("json"))
    }
  }

  private static func json(ofDouble value: Double) -> (JSON, JSON?) {
    if value.isNaN { return (.string("NaN"), .string("double")) }
    if value.isInfinite { return (.string(value < 0 ? "-Infinity" : "Infinity"), .string("double")) }
    return (.number(value.description), nil)
  }
}

extension Fields {
  /// An object of the fields, and one of the kinds that are needed to read them back; `nil` for none.
  var json: (fields: JSON, kinds: JSON?) {
    var members: [JSON.Member] = []
    var kinds: [JSON.Member] = []
    for field in sorted {
      let (value, kind) = field.value.json
      members.append(JSON.Member(field.name.text, value))
      if let kind { kinds.append(JSON.Member(field.name.text, kind)) }
    }
    return (.object(members), kinds.isEmpty ? nil : .object(kinds))
  }
}

/// Says why a text is no value of a kind.
struct ValueError: Error, Equatable {
  var what: String
}

/// The kinds a column or a JSON member can be read as.
enum ValueKind: String, CaseIterable {
  case string, int, double, bool, timestamp, bytes, json, list
  case jsonText = "json_text"
  case null

  /// Reads the text of a cell.
  func value(ofText text: String) throws(ValueError) -> Value {
    switch self {
    case .string: return .string(text)
    case .int:
      guard let number = Int64(text) else { throw ValueError(what: "'\(text)' is no whole number of 64 bits") }
      return .int(number)
    case .double:
      guard let number = Double(text), !text.contains("x"), !text.contains("X") else {
        throw ValueError(what: "'\(text)' is no number")
      }
      return .double(number)
    case .bool:
      switch text.lowercased() {
      case "true", "yes", "1": return .bool(true)
      case "false", "no", "0": return .bool(false)
      default: throw ValueError(what: "'\(text)' is neither true nor false")
      }
    case .timestamp:
      guard let instant = TimeText.parse(text) else {
        throw ValueError(what: "'\(text)' is no time such as 2025-01-31T09:30:00Z or 2025-01-31")
      }
      return .timestamp(instant)
    case .bytes:
      guard let bytes = Base64.decode(text) else { throw ValueError(what: "'\(text)' is not base64") }
      return .bytes(bytes)
    case .json, .jsonText:
      guard JSONText.isValid(text) else { throw ValueError(what: "this is no JSON, or it is nested too deep") }
      return .json(text)
    case .list:
      guard case .array(let elements)? = try? JSONParser.parse(text) else { throw ValueError(what: "'\(text)' is no JSON list") }
      return try Value.list(of: elements, kinds: nil)
    case .null: return .null
    }
  }
}

extension Value {
  /// Reads a JSON value.
  ///
  /// - Parameter kind: what `Value.json` named; `nil` takes the value for what it looks like: a number without point and
  ///   exponent is an int, a list of scalars a list, an object or a list of anything else one JSON value.
  init(_ json: JSON, kind: JSON?) throws(ValueError) {
    switch kind {
    case .string(let name)?:
      guard let kind = ValueKind(rawValue: name) else { throw ValueError(what: "'\(name)' is no kind of value") }
      try self.init(json, kind)
    case .array(let kinds)?:
      guard case .array(let elements) = json, elements.count == kinds.count else {
        throw ValueError(what: "the kinds do not fit the list")
      }
      self = try Value.list(of: elements, kinds: kinds)
    case nil: try self.init(inferred: json)
    case .null, .bool, .number, .object: throw ValueError(what: "a kind is a word, or a list of words")
    }
  }

  private init(_ json: JSON, _ kind: ValueKind) throws(ValueError) {
    switch (kind, json) {
    case (.json, _): self = .json(json.compact)
    case (.string, .string(let text)), (.timestamp, .string(let text)), (.bytes, .string(let text)),
      (.jsonText, .string(let text)),
      (.int, .string(let text)), (.bool, .string(let text)):
      self = try kind.value(ofText: text)
    case (.double, .string(let text)):
      guard let special = ["NaN": Double.nan, "Infinity": .infinity, "-Infinity": -.infinity][text] else {
        self = try kind.value(ofText: text)
        return
      }
      self = .double(special)
    case (.double, .number(let text)), (.int, .number(let text)): self = try kind.value(ofText: text)
    case (.string, .number(let text)): self = .string(text)
    case (.bool, .bool(let value)): self = .bool(value)
    case (_, .null): self = .null
    case (.list, .array(let elements)): self = try Value.list(of: elements, kinds: nil)
    default: throw ValueError(what: "the value is no \(kind.rawValue)")
    }
  }

  private init(inferred json: JSON) throws(ValueError) {
    switch json {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .number(let text):
      let isWhole = !text.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") }
      self = try (isWhole ? ValueKind.int : .double).value(ofText: text)
    case .string(let text): self = .string(text)
    case .array(let elements):
      let isFlat = elements.allSatisfy { if case .array = $0 { false } else if case .object = $0 { false } else { true } }
      self = isFlat ? try Value.list(of: elements, kinds: nil) : .json(json.compact)
    case .object: self = .json(json.compact)
    }
  }

  static func list(of elements: [JSON], kinds: [JSON]?) throws(ValueError) -> Value {
    var scalars: [Scalar] = []
    for (index, element) in elements.enumerated() {
      guard let scalar = Scalar(try Value(element, kind: kinds?[index])) else {
        throw ValueError(what: "a list holds no lists and no objects")
      }
      scalars.append(scalar)
    }
    return .list(scalars)
  }
}
