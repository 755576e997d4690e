/// Says why a value cannot be written as fields, or fields cannot be read as a value.
public struct FieldsCodingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Code: String, Sendable, CaseIterable {
    /// The value is a single value or a list; an entity is an object with named members.
    case notAnObject = "not_an_object"
    /// A member's name is no name of a field.
    case badName = "bad_name"
    /// A number, date or list is outside what a field can hold.
    case outOfRange = "out_of_range"
    /// There are more fields than an entity has.
    case tooManyFields = "too_many_fields"
    /// The field is missing, and the value cannot do without.
    case missing = "missing"
    /// The field holds something of another kind.
    case wrongKind = "wrong_kind"
    /// The value's own coding refused it.
    case refused = "refused"
  }

  public var code: Code
  /// The members on the way to what is wrong, joined by dots; empty for the whole.
  public var path: String
  /// A sentence for people.
  public var message: String

  init(_ code: Code, _ path: [any CodingKey], _ message: String) {
    self.code = code
    self.path = path.map(\.stringValue).joined(separator: ".")
    self.message = message
  }

  public var description: String { path.isEmpty ? message : "\(path): \(message)" }

  /// The error that a type's own coding threw.
  init(_ error: any Error, at path: [any CodingKey]) {
    switch error {
    case let error as FieldsCodingError: self = error
    case DecodingError.keyNotFound(let key, let context):
      self.init(.missing, path + context.codingPath + [key], context.debugDescription)
    case DecodingError.valueNotFound(_, let context):
      self.init(.missing, path + context.codingPath, context.debugDescription)
    case DecodingError.typeMismatch(_, let context):
      self.init(.wrongKind, path + context.codingPath, context.debugDescription)
    case DecodingError.dataCorrupted(let context):
      self.init(.refused, path + context.codingPath, context.debugDescription)
    case EncodingError.invalidValue(_, let context):
      self.init(.refused, path + context.codingPath, context.debugDescription)
    default: self.init(.refused, path, "\(error)")
    }
  }
}

/// A member of an object, or a place in a list.
struct FieldKey: CodingKey {
  var stringValue: String
  var intValue: Int?

  init(stringValue: String) { self.stringValue = stringValue }

  init(intValue: Int) {
    stringValue = String(intValue)
    self.intValue = intValue
  }

  static let `super` = FieldKey(stringValue: "super")
}
