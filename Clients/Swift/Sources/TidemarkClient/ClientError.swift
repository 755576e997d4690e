public import TidemarkCore

/// Says why a call failed. What became of a write that was judged is an `Outcome`, never an error.
public struct ClientError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of failure it is. Each asks for another reaction.
  public enum Code: String, Sendable, CaseIterable {
    /// The server cannot be reached, or is going away. Nothing was executed, or the call only read.
    case unavailable = "unavailable"
    /// The time given to the call is over. The call only read, or was surely not executed.
    case deadlineExceeded = "deadline_exceeded"
    /// The caller gave the call up.
    case cancelled = "cancelled"
    /// The server does not know who calls: the token is missing or not good.
    case unauthenticated = "unauthenticated"
    /// The principal may not do this.
    case permissionDenied = "permission_denied"
    /// The space, entity or token is not there.
    case notFound = "not_found"
    /// The space is there already.
    case alreadyExists = "already_exists"
    /// The request breaks a rule; `violations` name it.
    case invalidArgument = "invalid_argument"
    /// Something is not in the state the request needs, for example a space that moved on.
    case failedPrecondition = "failed_precondition"
    /// A limit was reached; `retryAfter` may say when to try again.
    case resourceExhausted = "resource_exhausted"
    /// The request may have been executed: ask again with the same operation id, or look.
    case outcomeUnknown = "outcome_unknown"
    /// The peer does not keep to the protocol, or speaks another version.
    case protocolError = "protocol_error"
    /// The server does not know this method.
    case unimplemented = "unimplemented"
    /// The server failed.
    case internalError = "internal_error"
  }

  public var code: Code
  /// A sentence for people.
  public var message: String
  /// The server's reason in a stable word (`google.rpc.ErrorInfo`), for example `SPACE_NOT_FOUND`; `nil` when it gave none.
  public var reason: String?
  /// The broken rules, for `invalidArgument`.
  public var violations: [Violation]
  /// When to try again; `nil` when the server did not say.
  public var retryAfter: Duration?
  /// The write whose outcome is unknown: sending it again with this id is safe. `nil` for other failures.
  public var operation: OperationID?

  public init(
    _ code: Code, _ message: String, reason: String? = nil, violations: [Violation] = [], retryAfter: Duration? = nil,
    operation: OperationID? = nil
  ) {
    self.code = code
    self.message = message
    self.reason = reason
    self.violations = violations
    self.retryAfter = retryAfter
    self.operation = operation
  }

  public var description: String { "\(code.rawValue): \(message)" }

  static let cancelled = ClientError(.cancelled, "The call was cancelled.")
  static let deadlineExceeded = ClientError(.deadlineExceeded, "The server did not answer in time.")
  static let closed = ClientError(.unavailable, "The client was closed.")
}
