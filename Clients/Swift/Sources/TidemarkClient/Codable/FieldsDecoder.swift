public import TidemarkCore

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Turns fields into values of `Decodable` types: the mirror image of `FieldsEncoder`. Fields that the type does not know are left
/// alone; an int is read as a double, and a double without a fraction as an int.
public struct FieldsDecoder: Sendable {
  public init() {}

  /// Decodes a value with named members.
  ///
  /// - Throws: `FieldsCodingError` naming the field.
  public func decode<Value: Decodable>(_ type: Value.Type, from fields: Fields) throws(FieldsCodingError) -> Value {
    do {
      return try FieldTree(fields).decode(type, at: [])
    } catch {
      throw FieldsCodingError(error, at: [])
    }
  }
}

/// Fields as a tree of their segments.
private struct FieldTree {
  var value: Value?
  var members: [String: FieldTree] = [:]

  init(_ value: Value?) { self.value = value }

  init(_ fields: Fields) {
    self.init(nil)
    for field in fields.sorted {
      let segments = field.name.text.split(separator: ".").map(String.init)
      insert(field.value, segments[...])
    }
  }

  private mutating func insert(_ value: Value, _ segments: ArraySlice<String>) {
    guard let first = segments.first else {
      self.value = value
      return
    }
    members[first, default: FieldTree(Value?.none)].insert(value, segments.dropFirst())
  }

  var kindName: String { value?.kindName ?? "object" }

  func decode<T: Decodable>(_ type: T.Type, at path: [any CodingKey]) throws -> T {
    if case .json(let text)? = value {
      do {
        return try FieldTree.makeJSONDecoder().decode(type, from: Data(text.utf8))
      } catch {
        throw FieldsCodingError(error, at: path)
      }
    }
    switch type {
    case is Date.Type:
      guard case .timestamp(let instant)? = value, let date = DateCoding.date(instant) as? T else {
        throw mismatch("timestamp", path)
      }
      return date
    case is Data.Type:
      guard case .bytes(let bytes)? = value, let data = Data(bytes) as? T else { throw mismatch("bytes", path) }
      return data
    case is URL.Type:
      guard case .string(let text)? = value, let url = URL(string: text) as? T else { throw mismatch("URL", path) }
      return url
    default: return try T(from: FieldsDecoding(tree: self, codingPath: path))
    }
  }

  /// The decoder of a JSON value, for a type that opens a container of its own; `nil` for other values.
  func jsonDecoder(_ path: [any CodingKey]) throws -> (any Decoder)? {
    guard case .json = value else { return nil }
    return try decode(DecoderKeeper.self, at: path).decoder
  }

  func mismatch(_ wanted: String, _ path: [any CodingKey]) -> FieldsCodingError {
    FieldsCodingError(.wrongKind, path, "Holds \(kindName) where \(wanted) is needed.")
  }

  private static func makeJSONDecoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom { decoder in
      DateCoding.date(Timestamp(rawValue: try decoder.singleValueContainer().decode(Int64.self)))
    }
    return decoder
  }
}

/// Keeps the decoder that it was made by.
private struct DecoderKeeper: Decodable {
  let decoder: any Decoder
  init(from decoder: any Decoder) { self.decoder = decoder }
}

/// The decoder that a value's own coding sees.
private struct FieldsDecoding: Decoder {
  let tree: FieldTree
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    if let json = try tree.jsonDecoder(codingPath) { return try json.container(keyedBy: type) }
    guard tree.value == nil else { throw tree.mismatch("object", codingPath) }
    return KeyedDecodingContainer(Members<Key>(tree: tree, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    if let json = try tree.jsonDecoder(codingPath) { return try json.unkeyedContainer() }
    guard case .list(let scalars)? = tree.value else { throw tree.mismatch("list", codingPath) }
    return Elements(scalars: scalars, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { Single(tree: tree, codingPath: codingPath) }
}

private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let tree: FieldTree
  let codingPath: [any CodingKey]

  var allKeys: [Key] { tree.members.keys.sorted().compactMap { Key(stringValue: $0) } }
  func contains(_ key: Key) -> Bool { tree.members[key.stringValue] != nil }
  func decodeNil(forKey key: Key) throws -> Bool { tree.members[key.stringValue].map { $0.value == .null } ?? true }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
    try member(key).decode(type, at: codingPath + [key])
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try decoder(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try decoder(key).unkeyedContainer() }
  func superDecoder() throws -> any Decoder { try decoder(FieldKey.super) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }

  private func decoder(_ key: any CodingKey) throws -> FieldsDecoding {
    FieldsDecoding(tree: try member(key), codingPath: codingPath + [key])
  }

  private func member(_ key: any CodingKey) throws -> FieldTree {
    guard let member = tree.members[key.stringValue] else {
      throw FieldsCodingError(.missing, codingPath + [key], "The field is missing.")
    }
    return member
  }
}

private struct Elements: UnkeyedDecodingContainer {
  let scalars: [Scalar]
  let codingPath: [any CodingKey]
  var currentIndex = 0

  init(scalars: [Scalar], codingPath: [any CodingKey]) {
    self.scalars = scalars
    self.codingPath = codingPath
  }

  var count: Int? { scalars.count }
  var isAtEnd: Bool { currentIndex >= scalars.count }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, scalars[currentIndex] == .null else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let (tree, path) = try next()
    let value = try tree.decode(type, at: path)
    currentIndex += 1
    return value
  }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
    let (tree, path) = try next()
    throw tree.mismatch("object", path)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    let (tree, path) = try next()
    throw tree.mismatch("list", path)
  }

  mutating func superDecoder() throws -> any Decoder {
    let (tree, path) = try next()
    currentIndex += 1
    return FieldsDecoding(tree: tree, codingPath: path)
  }

  private func next() throws -> (FieldTree, [any CodingKey]) {
    let path = codingPath + [FieldKey(intValue: currentIndex)]
    guard !isAtEnd else { throw FieldsCodingError(.missing, path, "The list has no more elements.") }
    return (FieldTree(scalars[currentIndex].value), path)
  }
}

private struct Single: SingleValueDecodingContainer {
  let tree: FieldTree
  let codingPath: [any CodingKey]

  func decodeNil() -> Bool { tree.value == .null }

  func decode(_ type: Bool.Type) throws -> Bool {
    guard case .bool(let value)? = tree.value else { throw tree.mismatch("bool", codingPath) }
    return value
  }

  func decode(_ type: String.Type) throws -> String {
    guard case .string(let value)? = tree.value else { throw tree.mismatch("string", codingPath) }
    return value
  }

  func decode(_ type: Double.Type) throws -> Double {
    switch tree.value {
    case .double(let bits)?: return Double(bitPattern: bits)
    case .int(let value)?:
      guard let double = Double(exactly: value) else { throw outOfRange(value) }
      return double
    default: throw tree.mismatch("double", codingPath)
    }
  }

  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
  func decode(_ type: Int.Type) throws -> Int { try integer() }
  func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
  func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
  func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
  func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
  func decode(_ type: UInt.Type) throws -> UInt { try integer() }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }
  func decode<T: Decodable>(_ type: T.Type) throws -> T { try tree.decode(type, at: codingPath) }

  private func integer<Number: FixedWidthInteger>() throws -> Number {
    switch tree.value {
    case .int(let value)?:
      guard let number = Number(exactly: value) else { throw outOfRange(value) }
      return number
    case .double(let bits)?:
      guard let number = Number(exactly: Double(bitPattern: bits)) else { throw outOfRange(Double(bitPattern: bits)) }
      return number
    default: throw tree.mismatch("int", codingPath)
    }
  }

  private func outOfRange(_ value: some CustomStringConvertible) -> FieldsCodingError {
    FieldsCodingError(.outOfRange, codingPath, "\(value) is not in the range of the member.")
  }
}
