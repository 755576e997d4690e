/// The name of a space: `[a-z0-9][a-z0-9._-]{0,62}`.
public struct SpaceName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The checked text.
  public let text: String

  /// Checks a name; `nil` when it breaks the pattern.
  public init?(_ text: String) {
    let bytes = text.utf8
    guard (1...Limits.spaceNameBytesMax).contains(bytes.count), let first = bytes.first, first.isLowerOrDigit,
      bytes.allSatisfy({ $0.isLowerOrDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") })
    else { return nil }
    self.text = text
  }

  private init(unchecked text: String) { self.text = text }

  /// The space that always exists.
  public static let `default` = SpaceName(unchecked: "default")

  public var description: String { text }
  public static func < (a: SpaceName, b: SpaceName) -> Bool { a.text.precedesByBytes(b.text) }
}

/// The kind of an entity: `[A-Za-z_][A-Za-z0-9_]{0,62}`.
public struct TypeName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The checked text.
  public let text: String

  /// Checks a name; `nil` when it breaks the pattern.
  public init?(_ text: String) {
    guard isIdentifier(text.utf8, bytesMax: Limits.typeNameBytesMax) else { return nil }
    self.text = text
  }

  private init(unchecked text: String) { self.text = text }

  /// Stands in the outcome of a write of which the type is not known: `_`.
  public static let unknown = TypeName(unchecked: "_")

  public var description: String { text }
  public static func < (a: TypeName, b: TypeName) -> Bool { a.text.precedesByBytes(b.text) }
}

/// The id of an entity within its space and type: 1 to 128 bytes of UTF-8 without control characters.
///
/// Ids are equal when their bytes are equal, and sorted by their bytes: Unicode normalisation never makes two ids one.
public struct EntityID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The checked text.
  public let text: String

  /// Checks an id; `nil` when it is empty, too long, or has a control character (C0 or DEL).
  public init?(_ text: String) {
    guard isFreeName(text.utf8, bytesMax: Limits.entityIDBytesMax) else { return nil }
    self.text = text
  }

  public var description: String { text }
  public static func == (a: EntityID, b: EntityID) -> Bool { a.text.hasSameBytes(as: b.text) }
  public static func < (a: EntityID, b: EntityID) -> Bool { a.text.precedesByBytes(b.text) }
  public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}

/// The name of who calls: 1 to 128 bytes of UTF-8 without control characters.
public struct PrincipalName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The checked text.
  public let text: String

  /// Checks a name; `nil` when it is empty, too long, or has a control character (C0 or DEL).
  public init?(_ text: String) {
    guard isFreeName(text.utf8, bytesMax: Limits.principalBytesMax) else { return nil }
    self.text = text
  }

  public var description: String { text }
  public static func == (a: PrincipalName, b: PrincipalName) -> Bool { a.text.hasSameBytes(as: b.text) }
  public static func < (a: PrincipalName, b: PrincipalName) -> Bool { a.text.precedesByBytes(b.text) }
  public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}

/// The name of a field: segments `[A-Za-z_][A-Za-z0-9_]{0,62}` joined by dots, at most 255 bytes.
///
/// Dots separate levels: `a` and `a.b` overlap, and one entity never holds both.
public struct FieldPath: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The checked text.
  public let text: String

  /// Checks a path; `nil` when it breaks the pattern.
  public init?(_ text: String) {
    guard FieldPath.isValid(text.utf8) else { return nil }
    self.text = text
  }

  /// True when one path is the other, or lies below it.
  public func overlaps(_ other: FieldPath) -> Bool { self == other || isAbove(other) || other.isAbove(self) }

  /// True when `other` lies below this path: `a` is above `a.b`, and not above `ab` or `a`.
  public func isAbove(_ other: FieldPath) -> Bool {
    let mine = text.utf8.count
    guard other.text.utf8.count > mine else { return false }
    return other.text.utf8.starts(with: text.utf8) && other.text.utf8.dropFirst(mine).first == UInt8(ascii: ".")
  }

  public var description: String { text }
  public static func < (a: FieldPath, b: FieldPath) -> Bool { a.text.precedesByBytes(b.text) }

  private static func isValid(_ bytes: String.UTF8View) -> Bool {
    guard bytes.count <= Limits.fieldPathBytesMax else { return false }
    var length = 0
    for byte in bytes {
      if byte == UInt8(ascii: ".") {
        guard length > 0 else { return false }
        length = 0
      } else {
        guard byte.isLetterOrUnderscore || (length > 0 && byte.isDigit) else { return false }
        length += 1
        guard length <= Limits.fieldSegmentBytesMax else { return false }
      }
    }
    return length > 0
  }
}

/// Names an entity within a space.
public struct EntityKey: Hashable, Comparable, Sendable {
  /// The kind of the entity.
  public var type: TypeName
  /// Its id within the kind.
  public var id: EntityID

  public init(type: TypeName, id: EntityID) {
    self.type = type
    self.id = id
  }

  public static func < (a: EntityKey, b: EntityKey) -> Bool { a.type == b.type ? a.id < b.id : a.type < b.type }
}

private func isIdentifier(_ bytes: String.UTF8View, bytesMax: Int) -> Bool {
  guard (1...bytesMax).contains(bytes.count), let first = bytes.first, first.isLetterOrUnderscore else { return false }
  return bytes.allSatisfy { $0.isLetterOrUnderscore || $0.isDigit }
}

private func isFreeName(_ bytes: String.UTF8View, bytesMax: Int) -> Bool {
  (1...bytesMax).contains(bytes.count) && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
}

extension UInt8 {
  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
  var isLower: Bool { self >= UInt8(ascii: "a") && self <= UInt8(ascii: "z") }
  var isUpper: Bool { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") }
  var isLowerOrDigit: Bool { isLower || isDigit }
  var isLetterOrUnderscore: Bool { isLower || isUpper || self == UInt8(ascii: "_") }
}

extension String {
  /// Compares by bytes of UTF-8. Swift's `==` would take canonically equivalent texts for one.
  func hasSameBytes(as other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    // Not `withUTF8`: it asks for a copy of either, which counts references.
    let isSame = utf8.withContiguousStorageIfAvailable { mine in
      other.utf8.withContiguousStorageIfAvailable { others in
        UnsafeRawBufferPointer(mine).hasSameBytes(as: UnsafeRawBufferPointer(others))
      }
    }
    return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
  }
  func precedesByBytes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
  func hashBytes(into hasher: inout Hasher) {
    if utf8.withContiguousStorageIfAvailable({ hasher.combine(bytes: UnsafeRawBufferPointer($0)) }) == nil {
      var copy = self
      copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Compares eight bytes at a time: names are compared several times per write. Both have the same count.
  fileprivate func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    guard baseAddress != other.baseAddress else { return true }
    guard count >= 8 else {
      for index in 0..<count where self[index] != other[index] { return false }
      return true
    }
    // The last word may overlap the one before it.
    let last = count - 8
    var offset = 0
    while offset < last {
      let word = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      guard word == other.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
      offset += 8
    }
    return loadUnaligned(fromByteOffset: last, as: UInt64.self) == other.loadUnaligned(fromByteOffset: last, as: UInt64.self)
  }
}
