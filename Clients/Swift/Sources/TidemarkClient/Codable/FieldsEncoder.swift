public import TidemarkCore

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Turns values of `Encodable` types into fields.
///
/// | in the program | in the entity |
/// |---|---|
/// | a member that is an object | a field for each of its members, `address.city` |
/// | `Bool`, integers, `Float` and `Double`, `String` | bool, int, double, string |
/// | `Date`, rounded to microseconds | timestamp |
/// | `Data` | bytes |
/// | `URL` | string |
/// | a list of these | list |
/// | an optional without a value | no field |
/// | a list of objects or lists, an empty object, one with a name that no field can have | one JSON value |
public struct FieldsEncoder: Sendable {
  public init() {}

  /// Encodes a value with named members.
  ///
  /// - Throws: `FieldsCodingError` naming the member.
  public func encode(_ value: some Encodable) throws(FieldsCodingError) -> Fields {
    let node = FieldNode()
    do {
      try node.encode(value, at: [])
    } catch {
      throw FieldsCodingError(error, at: [])
    }
    return try node.fields()
  }
}

extension FieldNode {
  fileprivate func encode(_ value: some Encodable, at path: [any CodingKey]) throws {
    switch value {
    case let date as Date:
      guard let timestamp = DateCoding.timestamp(date) else {
        throw FieldsCodingError(.outOfRange, path, "The date is not in the years 1 to 9999.")
      }
      content = .scalar(.timestamp(timestamp))
    case let data as Data: content = .scalar(.bytes([UInt8](data)))
    case let url as URL: content = .scalar(.string(url.absoluteString))
    default: try value.encode(to: FieldsEncoding(node: self, codingPath: path))
    }
  }

  fileprivate func encode(integer value: some BinaryInteger, at path: [any CodingKey]) throws {
    guard let int = Int64(exactly: value) else {
      throw FieldsCodingError(.outOfRange, path, "\(value) leaves the range of a 64-bit integer.")
    }
    content = .scalar(.int(int))
  }
}

/// The encoder that a value's own coding sees.
private struct FieldsEncoding: Encoder {
  let node: FieldNode
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .object = node.content {} else { node.content = .object([:]) }
    return KeyedEncodingContainer(Members<Key>(node: node, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .array = node.content {} else { node.content = .array([]) }
    return Elements(node: node, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { Single(node: node, codingPath: codingPath) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: FieldNode
  let codingPath: [any CodingKey]

  func encodeNil(forKey key: Key) { node.member(key.stringValue).content = .scalar(.null) }

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    let member = node.member(key.stringValue)
    member.content = .nothing
    try member.encode(value, at: codingPath + [key])
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    encoder(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
  func superEncoder() -> any Encoder { encoder(FieldKey.super) }
  func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }

  private func encoder(_ key: any CodingKey) -> FieldsEncoding {
    FieldsEncoding(node: node.member(key.stringValue), codingPath: codingPath + [key])
  }
}

private struct Elements: UnkeyedEncodingContainer {
  let node: FieldNode
  let codingPath: [any CodingKey]
  var count: Int { node.elementCount }

  func encodeNil() { node.element().content = .scalar(.null) }

  func encode<T: Encodable>(_ value: T) throws {
    let path = codingPath + [FieldKey(intValue: count)]
    try node.element().encode(value, at: path)
  }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    encoder().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }
  func superEncoder() -> any Encoder { encoder() }

  private func encoder() -> FieldsEncoding {
    let path = codingPath + [FieldKey(intValue: count)]
    return FieldsEncoding(node: node.element(), codingPath: path)
  }
}

/// Where every value that has no members ends: the standard types encode themselves so.
private struct Single: SingleValueEncodingContainer {
  let node: FieldNode
  let codingPath: [any CodingKey]

  func encodeNil() { node.content = .scalar(.null) }
  func encode(_ value: Bool) { node.content = .scalar(.bool(value)) }
  func encode(_ value: String) { node.content = .scalar(.string(value)) }
  func encode(_ value: Double) { node.content = .scalar(.double(value)) }
  func encode(_ value: Float) { node.content = .scalar(.double(Double(value))) }
  func encode(_ value: Int) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: Int8) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: Int16) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: Int32) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: Int64) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: UInt) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: UInt8) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: UInt16) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: UInt32) throws { try node.encode(integer: value, at: codingPath) }
  func encode(_ value: UInt64) throws { try node.encode(integer: value, at: codingPath) }
  func encode<T: Encodable>(_ value: T) throws { try node.encode(value, at: codingPath) }
}
