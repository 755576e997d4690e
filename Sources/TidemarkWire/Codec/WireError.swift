public import TidemarkCore

/// Says why a peer's message was refused. Always the peer's fault, and so always INVALID_ARGUMENT when a call carried it.
public struct WireError: Error, Hashable, Sendable {
  /// What kind of fault it is.
  public enum Code: Hashable, Sendable {
    /// The bytes are not a well-formed encoding of the message.
    case malformed
    /// A limit of `WireLimits` or `Limits` was passed.
    case limitExceeded
    /// The bytes are well-formed, but a value is not allowed.
    case invalid
  }

  public var code: Code
  /// A sentence for people. Holds no internal detail, and nothing of the peer's values beyond names.
  public var message: String
  /// The broken rules, for `invalid`.
  public var violations: [Violation]
  /// The element of a list that the fields of `violations` belong to, for example `items[3]`; empty for the message itself.
  public var place = ""

  public init(_ code: Code, _ message: String, violations: [Violation] = []) {
    self.code = code
    self.message = message
    self.violations = violations
  }

  /// Wraps one broken rule of the data model.
  public init(_ violation: Violation) {
    self.init(.invalid, violation.message, violations: [violation])
  }

  /// A rule broken by one field of a message, not of an entity. `field` is the name in the .proto file.
  static func invalid(_ field: String, rule: String, _ message: String) -> WireError {
    WireError(Violation(field: FieldPath(field), rule: rule, message: message))
  }

  /// The same error, found in a sub-message.
  func within(_ part: String) -> WireError {
    var error = self
    error.place = place.isEmpty ? part : "\(part).\(place)"
    return error
  }

  /// The same error, found in an element of a list.
  func at(_ list: String, _ index: Int) -> WireError {
    var error = self
    error.place = "\(list)[\(index)]"
    return error
  }

  static let truncated = WireError(.malformed, "The message ends inside a field.")
  static let varintTooLong = WireError(.malformed, "A variable-length number of the message has more than 64 bits.")
  static let badTag = WireError(.malformed, "The message has a field with a number outside 1 to 536870911.")
  static let badWireType = WireError(.malformed, "The message has a field of a wire type that is not supported.")
  static let tooDeep = WireError(
    .limitExceeded, "The message is nested more than \(WireLimits.messageDepthMax) messages deep.")
  static let tooManyElements = WireError(.limitExceeded, "The message has too many elements.")
  static let tooLarge = WireError(.limitExceeded, "The message is larger than the limit.")
  static let tooMuchMemory = WireError(.limitExceeded, "Decoding the message would take more memory than the limit.")
  static let notUTF8 = WireError(.malformed, "A text of the message is not valid UTF-8.")
  static let repeatedSubmessage = WireError(.malformed, "The message has a sub-message twice that may be there once.")
  static let unparsable = WireError(.malformed, "The message is not a valid encoding of its type.")
}
