/// One broken rule of the data model.
public struct Violation: Error, Hashable, Sendable {
  /// The field; `nil` when the rule is about the whole write.
  public var field: FieldPath?
  /// The rule in a stable word, for programs.
  public var rule: String
  /// A sentence for people.
  public var message: String

  public init(field: FieldPath? = nil, rule: String, message: String) {
    self.field = field
    self.rule = rule
    self.message = message
  }

  static func tooManyFields(_ count: Int) -> Violation {
    Violation(
      rule: "fields_max",
      message: "The entity would have \(count) fields; at most \(Limits.fieldsPerEntityMax) are allowed.")
  }
  static func duplicate(_ name: FieldPath) -> Violation {
    Violation(field: name, rule: "field_duplicate", message: "The field '\(name)' is named twice.")
  }
  static func overlap(_ name: FieldPath, _ below: FieldPath) -> Violation {
    Violation(
      field: below, rule: "field_overlap", message: "The fields '\(name)' and '\(below)' exclude each other.")
  }
}
