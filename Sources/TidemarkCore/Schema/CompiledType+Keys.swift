/// What an entity holds of one unique key or index.
public struct KeyValue: Hashable, Comparable, Sendable {
  /// The place of the key in `TypeSchema.uniqueKeys` or `TypeSchema.indexes`.
  public var index: Int
  /// The values, encoded by `KeyEncoding`: byte order is value order.
  public var bytes: [UInt8]

  public init(index: Int, bytes: [UInt8]) {
    self.index = index
    self.bytes = bytes
  }

  public static func < (a: KeyValue, b: KeyValue) -> Bool {
    a.index == b.index ? a.bytes.lexicographicallyPrecedes(b.bytes) : a.index < b.index
  }
}

/// What an entity holds of one unique key.
public typealias UniqueKeyValue = KeyValue

/// One entity pointing to another.
public struct EntityReference: Hashable, Sendable {
  /// The field that points.
  public var field: FieldPath
  /// The entity pointed to, in the same space.
  public var target: EntityKey
  public var onDelete: DeleteRule

  public init(field: FieldPath, target: EntityKey, onDelete: DeleteRule) {
    self.field = field
    self.target = target
    self.onDelete = onDelete
  }
}

extension CompiledType {
  /// The unique keys that an entity holds; none of a key of which a field is absent or null.
  ///
  /// The entity should have no violations; a list or JSON in the place of a key's field counts as absent.
  public func uniqueKeys(of entity: CanonicalFields) throws(CorruptFields) -> [UniqueKeyValue] {
    try unique.values(of: entity, countsNull: false)
  }

  /// The index entries of an entity: one an index. A field that is absent or null counts as null, which sorts first.
  public func indexKeys(of entity: CanonicalFields) throws(CorruptFields) -> [KeyValue] {
    try indexes.values(of: entity, countsNull: true)
  }

  /// Whether a field may point to an entity.
  public var hasReferences: Bool { !referenceFields.isEmpty }

  /// What an entity points to. Values that are no ids are left out; of equal elements of a list, one is told.
  public func references(of entity: CanonicalFields) throws(CorruptFields) -> [EntityReference] {
    guard !referenceFields.isEmpty else { return [] }
    var result: [EntityReference] = []
    var next = 0
    try entity.walk { name, value in
      while next < referenceFields.count {
        let order = compareBytes(referenceFields[next].name, name)
        if order > 0 { return .next }
        defer { next += 1 }
        guard order == 0 else { continue }
        guard let decoded = CanonicalFields.decodeValue(value) else { return .corrupt }
        result += CompiledType.references(of: referenceFields[next].field, decoded)
        return .next
      }
      return .stop
    }
    return result
  }

  private static func references(of field: FieldSchema, _ value: Value) -> [EntityReference] {
    guard let reference = field.reference else { return [] }
    let elements: [Scalar]
    if case .list(let scalars) = value { elements = scalars } else { elements = Scalar(value).map { [$0] } ?? [] }
    var seen: Set<EntityID> = []
    return elements.compactMap { element in
      guard let id = CompiledField.id(element), seen.insert(id).inserted else { return nil }
      return EntityReference(
        field: field.name, target: EntityKey(type: reference.target, id: id), onDelete: reference.onDelete)
    }
  }

  /// Whether a patch may change a unique key. False needs no look at the entity.
  public func touchesKeys(_ patch: Patch) -> Bool { unique.isTouched(by: patch) }

  /// Whether a patch may change an index entry.
  public func touchesIndexes(_ patch: Patch) -> Bool { indexes.isTouched(by: patch) }

  /// Whether a patch may change what the entity points to.
  public func touchesReferences(_ patch: Patch) -> Bool {
    haveOverlap(referenceFields.lazy.map(\.field.name), patch.entries.lazy.map(\.name))
  }
}

/// Whether a path of one sorted list is one of another, or lies above or below it.
///
/// One walk is enough: what lies below a path follows right behind it.
private func haveOverlap(_ a: some Sequence<FieldPath>, _ b: some Sequence<FieldPath>) -> Bool {
  var (left, right) = (a.makeIterator(), b.makeIterator())
  var (x, y) = (left.next(), right.next())
  while let one = x, let other = y {
    if one.overlaps(other) { return true }
    if one < other { x = left.next() } else { y = right.next() }
  }
  return false
}

/// The unique keys or the indexes of a type.
struct KeySet: Sendable {
  /// The fields of all keys, sorted, each once.
  let fields: [FieldPath]
  private let names: [[UInt8]]
  /// For each key, the places of its fields in `fields`.
  private let keys: [[Int]]

  init(_ keys: [[FieldPath]]) {
    let sorted = Set(keys.joined()).sorted()
    fields = sorted
    names = sorted.map { Array($0.text.utf8) }
    self.keys = keys.map { $0.compactMap { sorted.firstIndex(of: $0) } }
  }

  func isTouched(by patch: Patch) -> Bool {
    haveOverlap(fields, patch.entries.lazy.map(\.name))
  }

  /// The encoded values of each key. Without `countsNull` a key that lacks a value is left out.
  func values(of entity: CanonicalFields, countsNull: Bool) throws(CorruptFields) -> [KeyValue] {
    guard !keys.isEmpty else { return [] }
    let encoded = try encodedFields(of: entity)
    return keys.enumerated().compactMap { index, places in
      var bytes: [UInt8] = []
      for place in places {
        if let part = encoded[place] {
          bytes += part
        } else {
          guard countsNull, KeyEncoding.append(.null, to: &bytes) else { return nil }
        }
      }
      return KeyValue(index: index, bytes: bytes)
    }
  }

  /// For each of `fields` its encoding; `nil` when it is absent, null, or has no order.
  private func encodedFields(of entity: CanonicalFields) throws(CorruptFields) -> [[UInt8]?] {
    var encoded = [[UInt8]?](repeating: nil, count: fields.count)
    var next = 0
    try entity.walk { name, value in
      while next < names.count {
        let order = compareBytes(names[next], name)
        if order > 0 { return .next }
        defer { next += 1 }
        guard order == 0 else { continue }
        guard let decoded = CanonicalFields.decodeValue(value) else { return .corrupt }
        var bytes: [UInt8] = []
        if decoded != .null, KeyEncoding.append(decoded, to: &bytes) { encoded[next] = bytes }
        return .next
      }
      return .stop
    }
    return encoded
  }
}
