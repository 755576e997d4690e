/// One named value.
public struct Field: Hashable, Sendable {
  public var name: FieldPath
  public var value: Value

  public init(_ name: FieldPath, _ value: Value) {
    self.name = name
    self.value = value
  }
}

/// The fields of an entity: sorted by the bytes of their names, each name once, and never a path together with one below it.
///
/// Sorting puts everything below `a` right behind `a`, because the dot sorts before every character a segment may have.
public struct Fields: Hashable, Sendable {
  /// The fields in order.
  public private(set) var sorted: [Field]

  /// No fields.
  public init() { sorted = [] }

  /// Sorts and checks; throws the first broken rule.
  ///
  /// - Throws: `Violation` with rule `field_duplicate`, `field_overlap` or `fields_max`.
  public init(_ fields: [Field]) throws(Violation) {
    guard fields.count <= Limits.fieldsPerEntityMax else { throw Violation.tooManyFields(fields.count) }
    let isSorted = zip(fields, fields.dropFirst()).allSatisfy { $0.name < $1.name }
    sorted = isSorted ? fields : fields.sorted { $0.name < $1.name }
    for (field, next) in zip(sorted, sorted.dropFirst()) {
      if field.name == next.name { throw Violation.duplicate(field.name) }
      if field.name.isAbove(next.name) { throw Violation.overlap(field.name, next.name) }
    }
  }

  /// Takes fields that are known to be sorted and free of overlaps, from this module's own encoding.
  init(trusted: [Field]) { sorted = trusted }

  public var count: Int { sorted.count }
  public var isEmpty: Bool { sorted.isEmpty }

  /// The value of a field; `nil` when it is absent. Setting follows the rules of a patch.
  public subscript(name: FieldPath) -> Value? {
    let index = position(of: name)
    return index < sorted.count && sorted[index].name == name ? sorted[index].value : nil
  }

  /// Puts a value in place and removes every path above and below it.
  public mutating func set(_ name: FieldPath, _ value: Value) {
    let index = position(of: name)
    if index < sorted.count, sorted[index].name == name {
      sorted[index].value = value
      return
    }
    removeBelow(name, from: index)
    sorted.insert(Field(name, value), at: index)
    removeAbove(name)
  }

  /// Removes a field and everything below it.
  public mutating func unset(_ name: FieldPath) {
    let index = position(of: name)
    if index < sorted.count, sorted[index].name == name { sorted.remove(at: index) }
    removeBelow(name, from: index)
  }

  /// The index of the first field whose name is not below `name` in byte order.
  private func position(of name: FieldPath) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle].name < name { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func removeBelow(_ name: FieldPath, from index: Int) {
    var end = index
    while end < sorted.count, name.isAbove(sorted[end].name) { end += 1 }
    sorted.removeSubrange(index..<end)
  }

  private mutating func removeAbove(_ name: FieldPath) {
    guard name.text.utf8.contains(UInt8(ascii: ".")) else { return }
    sorted.removeAll { $0.name.isAbove(name) }
  }
}
