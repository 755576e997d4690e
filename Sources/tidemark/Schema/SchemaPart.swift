import Yams

/// A part of a YAML document and where it stands.
struct SchemaPart {
  let node: Node
  /// The keys that lead here, joined by dots.
  let path: String
  /// From 1.
  let line: Int?

  init(root node: Node) {
    self.node = node
    path = ""
    line = node.mark?.line
  }

  private init(_ node: Node, path: String, line: Int?) {
    self.node = node
    self.path = path
    self.line = line
  }

  func fail(_ message: String) -> SchemaTextError { SchemaTextError(line: line, path: path, message: message) }

  /// The text of a plain or quoted value.
  func text() throws(SchemaTextError) -> String {
    guard case .scalar(let scalar) = node else { throw fail("one plain value is expected here") }
    return scalar.string
  }

  var isMapping: Bool { if case .mapping = node { true } else { false } }
  var isList: Bool { if case .sequence = node { true } else { false } }

  /// Whether the value is written without quotes.
  var isPlain: Bool {
    guard case .scalar(let scalar) = node else { return false }
    return scalar.style == .plain || scalar.style == .any
  }

  /// Whether there is no value: nothing, `~` or `null` without quotes.
  var isNull: Bool {
    guard isPlain, case .scalar(let scalar) = node else { return false }
    return ["", "~", "null"].contains(scalar.string)
  }

  /// The keys and values of a mapping, in order; none for no value.
  func entries() throws(SchemaTextError) -> [(name: String, part: SchemaPart)] {
    if isNull { return [] }
    guard case .mapping(let mapping) = node else { throw fail("lines of 'key: value' are expected here") }
    var entries: [(name: String, part: SchemaPart)] = []
    for (key, value) in mapping {
      guard case .scalar(let scalar) = key else { throw fail("a key is one plain word") }
      let inner = path.isEmpty ? scalar.string : "\(path).\(scalar.string)"
      entries.append((scalar.string, SchemaPart(value, path: inner, line: key.mark?.line ?? line)))
    }
    return entries
  }

  /// The values of a mapping whose keys are all known.
  func members(known: [String]) throws(SchemaTextError) -> [String: SchemaPart] {
    var members: [String: SchemaPart] = [:]
    for (name, part) in try entries() {
      guard known.contains(name) else { throw part.unknown("key", name, known) }
      members[name] = part
    }
    return members
  }

  /// The elements of a list.
  func elements() throws(SchemaTextError) -> [SchemaPart] {
    guard case .sequence(let sequence) = node else { throw fail("a list such as [a, b] is expected here") }
    return sequence.enumerated().map { index, element in
      SchemaPart(element, path: "\(path)[\(index)]", line: element.mark?.line ?? line)
    }
  }

  func bool() throws(SchemaTextError) -> Bool {
    switch try text() {
    case "true": return true
    case "false": return false
    case let other: throw fail("'\(other)' is neither true nor false")
    }
  }

  /// The refusal of a word, with the one that is probably meant.
  func unknown(_ what: String, _ word: String, _ known: [String]) -> SchemaTextError {
    if let near = SchemaPart.nearest(to: word, among: known) { return fail("there is no \(what) '\(word)'; is '\(near)' meant?") }
    return fail("there is no \(what) '\(word)'; there is: \(known.joined(separator: ", "))")
  }

  /// The known word that is probably meant; `nil` when all differ too much.
  static func nearest(to word: String, among known: [String]) -> String? { Spelling.nearest(word.lowercased(), known).first }
}
