/// A change of some fields.
public struct Patch: Hashable, Sendable {
  /// What to do with one field.
  public enum Operation: Hashable, Sendable {
    /// Puts a value in place.
    case set(Value)
    /// Removes the field and everything below it.
    case unset
    /// Adds an int. An absent or null field counts as 0.
    case incrementInt(Int64)
    /// Adds a double. An absent or null field counts as 0.
    case incrementDouble(bits: UInt64)
  }

  /// One operation on one field.
  public struct Entry: Hashable, Sendable {
    public var name: FieldPath
    public var operation: Operation

    public init(_ name: FieldPath, _ operation: Operation) {
      self.name = name
      self.operation = operation
    }
  }

  /// The operations, sorted by field. No two overlap, so their order does not matter.
  public let entries: [Entry]

  /// No operations: of an update that only refers to other items of its bulk.
  public static let none = Patch()

  private init() { entries = [] }

  /// Sorts and checks.
  ///
  /// - Throws: `Violation` with rule `patch_empty`, `operations_max`, `field_duplicate` or `field_overlap`.
  public init(_ entries: [Entry]) throws(Violation) {
    guard !entries.isEmpty else {
      throw Violation(rule: "patch_empty", message: "The update has no operation.")
    }
    guard entries.count <= Limits.operationsPerPatchMax else {
      throw Violation(
        rule: "operations_max",
        message: "The update has \(entries.count) operations; at most \(Limits.operationsPerPatchMax) are allowed.")
    }
    self.entries = entries.sorted { $0.name < $1.name }
    for (entry, next) in zip(self.entries, self.entries.dropFirst()) {
      if entry.name == next.name { throw Violation.duplicate(entry.name) }
      if entry.name.isAbove(next.name) { throw Violation.overlap(entry.name, next.name) }
    }
  }

  /// The fields with every operation applied.
  ///
  /// - Throws: `Violation` with rule `increment_kind`, `increment_overflow` or `fields_max`.
  public func applied(to fields: Fields) throws(Violation) -> Fields {
    var result = fields
    for entry in entries {
      if let value = try entry.newValue(over: result[entry.name]).get() {
        result.set(entry.name, value)
      } else {
        result.unset(entry.name)
      }
    }
    guard result.count <= Limits.fieldsPerEntityMax else { throw Violation.tooManyFields(result.count) }
    return result
  }
}

extension Patch.Entry {
  /// What the field holds afterwards; `nil` when it is gone. `value` is what it holds now, `nil` when it is absent.
  func newValue(over value: Value?) -> Result<Value?, Violation> {
    switch operation {
    case .set(let new): .success(new)
    case .unset: .success(nil)
    case .incrementInt(let amount): sum(value, amount)
    case .incrementDouble(let bits): sum(value, Double(bitPattern: bits))
    }
  }

  private func sum(_ value: Value?, _ amount: Int64) -> Result<Value?, Violation> {
    switch value {
    case nil, .null: return .success(.int(amount))
    case .int(let current):
      let (sum, overflow) = current.addingReportingOverflow(amount)
      guard !overflow else {
        return .failure(
          Violation(
            field: name, rule: "increment_overflow", message: "Adding \(amount) leaves the range of a 64-bit integer."))
      }
      return .success(.int(sum))
    case .some(let other): return .failure(kindMismatch(other, amountKind: "int"))
    }
  }

  private func sum(_ value: Value?, _ amount: Double) -> Result<Value?, Violation> {
    switch value {
    case nil, .null: .success(.double(amount))
    case .double(let bits): .success(.double(Double(bitPattern: bits) + amount))
    case .some(let other): .failure(kindMismatch(other, amountKind: "double"))
    }
  }

  private func kindMismatch(_ value: Value, amountKind: String) -> Violation {
    Violation(
      field: name, rule: "increment_kind",
      message: "The field holds a \(value.kindName), and the increment is of kind \(amountKind).")
  }
}
