import TidemarkCore

/// A value on its way to fields: a tree that the encoder fills.
final class FieldNode {
  enum Content {
    case nothing
    case scalar(Scalar)
    case object([String: FieldNode])
    case array([FieldNode])
  }

  var content = Content.nothing

  /// The member of this name, made when it is not there.
  func member(_ name: String) -> FieldNode {
    var members: [String: FieldNode] = [:]
    if case .object(let known) = content { members = known }
    if let known = members[name] { return known }
    let node = FieldNode()
    members[name] = node
    content = .object(members)
    return node
  }

  /// A further element.
  func element() -> FieldNode {
    var elements: [FieldNode] = []
    if case .array(let known) = content { elements = known }
    let node = FieldNode()
    content = .array(elements + [node])
    return node
  }

  var elementCount: Int {
    if case .array(let elements) = content { elements.count } else { 0 }
  }

  // MARK: Fields

  /// The fields of the object.
  func fields() throws(FieldsCodingError) -> Fields {
    var found: [Field] = []
    switch content {
    case .nothing: break
    case .scalar, .array:
      throw FieldsCodingError(.notAnObject, [], "An entity is an object with named members, not a single value or a list.")
    case .object(let members):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        guard let path = FieldPath.below(nil, name) else {
          throw FieldsCodingError(.badName, [FieldKey(stringValue: name)], "'\(name)' is no name of a field.")
        }
        try member.collect(at: path, into: &found)
      }
    }
    do {
      return try Fields(found)
    } catch {
      throw FieldsCodingError(.tooManyFields, [], error.message)
    }
  }

  private func collect(at path: FieldPath, into fields: inout [Field]) throws(FieldsCodingError) {
    switch content {
    case .scalar(let scalar): fields.append(Field(path, scalar.value))
    case .array(let elements):
      if let scalars = scalars(elements) {
        guard scalars.count <= Limits.listElementsMax else {
          throw FieldsCodingError(
            .outOfRange, [FieldKey(stringValue: path.text)], "A list has at most \(Limits.listElementsMax) elements.")
        }
        return fields.append(Field(path, .list(scalars)))
      }
      fields.append(Field(path, .json(try jsonText(at: path))))
    case .object(let members) where !members.isEmpty:
      let paths = members.keys.sorted().map { FieldPath.below(path, $0) }
      // One name that no field can have makes the whole object one value.
      guard paths.allSatisfy({ $0 != nil }) else { return fields.append(Field(path, .json(try jsonText(at: path)))) }
      for (member, below) in zip(members.sorted { $0.key < $1.key }, paths) {
        if let below { try member.value.collect(at: below, into: &fields) }
      }
    case .object, .nothing: fields.append(Field(path, .json("{}")))
    }
  }

  private func scalars(_ elements: [FieldNode]) -> [Scalar]? {
    var scalars: [Scalar] = []
    for element in elements {
      guard case .scalar(let scalar) = element.content else { return nil }
      scalars.append(scalar)
    }
    return scalars
  }

  private func jsonText(at path: FieldPath) throws(FieldsCodingError) -> String {
    var text = ""
    try writeJSON(to: &text, at: path, depth: 1)
    return text
  }

  private func writeJSON(to text: inout String, at path: FieldPath, depth: Int) throws(FieldsCodingError) {
    func check(_ isFit: Bool, _ why: String) throws(FieldsCodingError) {
      guard isFit else { throw FieldsCodingError(.outOfRange, [FieldKey(stringValue: path.text)], why) }
    }
    switch content {
    case .nothing: text += "{}"
    case .scalar(let scalar):
      if case .double(let bits) = scalar {
        try check(Double(bitPattern: bits).isFinite, "JSON has no infinite numbers, and none that are not a number.")
      }
      JSONWriter.write(scalar, to: &text)
    case .array(let elements):
      try check(depth <= Limits.jsonDepthMax, "JSON is nested at most \(Limits.jsonDepthMax) deep.")
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += "," }
        try element.writeJSON(to: &text, at: path, depth: depth + 1)
      }
      text += "]"
    case .object(let members):
      try check(depth <= Limits.jsonDepthMax, "JSON is nested at most \(Limits.jsonDepthMax) deep.")
      text += "{"
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { text += "," }
        JSONWriter.write(.string(member.key), to: &text)
        text += ":"
        try member.value.writeJSON(to: &text, at: path, depth: depth + 1)
      }
      text += "}"
    }
  }
}

extension FieldPath {
  /// The path of a member; `nil` when its name is not one segment, or the path becomes too long.
  static func below(_ path: FieldPath?, _ name: String) -> FieldPath? {
    guard !name.utf8.contains(UInt8(ascii: ".")) else { return nil }
    return FieldPath(path.map { "\($0.text).\(name)" } ?? name)
  }
}
