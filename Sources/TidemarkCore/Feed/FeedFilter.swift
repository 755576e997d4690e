/// Which entities a feed tells of: those that any of its parts takes, or all when it has none.
public struct FeedFilter: Hashable, Sendable {
  /// Takes the entities of one type whose fields have certain values.
  public struct TypeFilter: Hashable, Sendable {
    public let type: TypeName
    /// What an entity must have, at most `Limits.fieldsPerFilterMax` fields; none for all of the type.
    public let equals: Fields
    /// The same, ready to be compared: name and value of each field as bytes, in the order of the names.
    private let wanted: [Wanted]

    private struct Wanted: Hashable, Sendable {
      var name: [UInt8]
      var value: [UInt8]
    }

    public init(type: TypeName, equals: Fields = Fields()) {
      self.type = type
      self.equals = equals
      var wanted: [Wanted] = []
      // What was just encoded walks.
      try? CanonicalFields(equals).walk { name, value in
        wanted.append(Wanted(name: [UInt8](name), value: [UInt8](value)))
        return .next
      }
      self.wanted = wanted
    }

    /// Whether the fields have all the values.
    ///
    /// - Throws: `CorruptFields` when the bytes are not fields in order.
    func takes(_ fields: CanonicalFields) throws(CorruptFields) -> Bool {
      var next = 0
      try fields.walk { name, value in
        guard next < wanted.count else { return .stop }
        let order = compareBytes(wanted[next].name, name)
        if order > 0 { return .next }
        guard order == 0, compareBytes(wanted[next].value, value) == 0 else { return .stop }
        next += 1
        return .next
      }
      return next == wanted.count
    }
  }

  /// Sorted by type, each type once.
  public let parts: [TypeFilter]

  /// Takes every entity.
  public static let all = FeedFilter()

  private init() { parts = [] }

  /// - Throws: `Violation` with rule `filter_types_max`, `filter_fields_max`, `filter_type_duplicate` or `filter_bytes_max`.
  public init(_ parts: [TypeFilter]) throws(Violation) {
    guard parts.count <= Limits.typesPerFilterMax else {
      throw Violation(rule: "filter_types_max", message: "A filter has at most \(Limits.typesPerFilterMax) types.")
    }
    for part in parts where part.equals.count > Limits.fieldsPerFilterMax {
      throw Violation(
        rule: "filter_fields_max", message: "A filter compares at most \(Limits.fieldsPerFilterMax) fields of a type.")
    }
    self.parts = parts.sorted { $0.type < $1.type }
    for (part, next) in zip(self.parts, self.parts.dropFirst()) where part.type == next.type {
      throw Violation(rule: "filter_type_duplicate", message: "The type '\(part.type)' is twice in the filter.")
    }
    // A watch keeps its filter as long as it lasts.
    guard encoded.count <= Limits.filterBytesMax else {
      throw Violation(rule: "filter_bytes_max", message: "A filter has at most \(Limits.filterBytesMax) bytes.")
    }
  }

  /// Whether it takes every entity.
  public var isAll: Bool { parts.isEmpty }

  /// Whether an entity can leave it without being deleted: it compares fields.
  public var comparesFields: Bool { parts.contains { !$0.equals.isEmpty } }

  /// Whether any entity of a type can pass.
  public func takes(_ type: TypeName) -> Bool { isAll || part(of: type) != nil }

  /// Whether an entity passes, by its type and the fields it has or, when it is deleted, had.
  ///
  /// - Throws: `CorruptFields` when what the entity holds does not decode.
  public func takes(_ entity: Entity) throws(CorruptFields) -> Bool {
    if isAll { return true }
    guard let part = part(of: entity.key.type) else { return false }
    if part.equals.isEmpty { return true }
    return try part.takes(entity.fields)
  }

  /// The same filter has the same bytes.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      bytes.append(UInt8(truncatingIfNeeded: part.type.text.utf8.count))
      bytes.append(contentsOf: part.type.text.utf8)
      let fields = CanonicalFields(part.equals).bytes
      withUnsafeBytes(of: UInt64(fields.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: fields)
    }
    return bytes
  }

  private func part(of type: TypeName) -> TypeFilter? { parts.first { $0.type == type } }
}
