import TidemarkClient
import TidemarkCore

/// The exit statuses of the command, as `--help` documents them.
enum ExitStatus: Int32 {
  case done = 0
  case failed = 1
  case usage = 2
  /// Some items were refused.
  case partlyDone = 3
  /// Not signed in, or not allowed.
  case denied = 4
  /// A single write was refused because the entity is in another state.
  case conflict = 5
  /// The server cannot be reached or is busy: trying again may help.
  case unreachable = 6
  case interrupted = 130

  static let help = """
    Exit status: 0 done; 1 failed; 2 wrong usage; 3 partly done (some items were refused); 4 not signed in or not allowed; \
    5 conflict (of a single write); 6 server unreachable or busy, trying again may help; 130 interrupted.
    """

  /// The status of a call that failed.
  init(_ code: ClientError.Code) {
    self =
      switch code {
      case .unauthenticated, .permissionDenied: .denied
      case .unavailable, .deadlineExceeded, .resourceExhausted, .outcomeUnknown: .unreachable
      case .cancelled: .interrupted
      case .alreadyExists, .failedPrecondition: .conflict
      case .notFound, .invalidArgument, .protocolError, .unimplemented, .internalError: .failed
      }
  }

  /// The status of a single write.
  init(_ code: OutcomeCode) {
    self =
      switch code {
      case .applied, .unchanged, .merged: .done
      case .conflict, .alreadyExists, .uniqueViolation, .epochChanged, .purged: .conflict
      case .forbidden: .denied
      case .aborted: .unreachable
      case .notFound, .referenceViolation, .invalid, .vetoed, .receiptExpired: .failed
      }
  }
}

/// Ends the command with a status and a text for people.
struct CommandFailure: Error {
  var status: ExitStatus
  /// A stable word for programs.
  var code: String
  /// What went wrong; empty when it was told already.
  var message: String
  /// What to do, one line each.
  var advice: [String]
  /// The broken rules.
  var violations: [Violation]
  var operation: OperationID?

  init(
    _ status: ExitStatus, _ message: String, code: String? = nil, advice: [String] = [], violations: [Violation] = [],
    operation: OperationID? = nil
  ) {
    self.status = status
    self.code = code ?? "\(status)"
    self.message = message
    self.advice = advice
    self.violations = violations
    self.operation = operation
  }

  /// Everything was told already; only the status is left.
  static func told(_ status: ExitStatus) -> CommandFailure { CommandFailure(status, "") }

  static func usage(_ message: String, advice: [String] = []) -> CommandFailure {
    CommandFailure(.usage, message, advice: advice)
  }

  /// - Parameter tokenSource: where the token came from that the call carried; `nil` for none.
  init(_ error: ClientError, to address: ServerAddress, tokenSource: String?) {
    self.init(
      ExitStatus(error.code), error.message, code: error.code.rawValue, violations: error.violations,
      operation: error.operation)
    switch error.code {
    case .unauthenticated:
      guard let tokenSource else {
        message = "The server needs a token, and none was given."
        advice = ["Give one by --token-file, TIDEMARK_TOKEN_FILE, TIDEMARK_TOKEN or a context."]
        break
      }
      message = "The token from \(tokenSource) was not accepted by \(address)."
      advice = ["It may be revoked, mistyped or of another server. Somebody with the role admin makes one: tidemark token create"]
    case .permissionDenied: advice = ["Somebody with the role admin can make a token for you: tidemark token create --help"]
    case .unavailable: advice = ["To find out why: tidemark doctor --url \(address)"]
    case .notFound where error.reason == "SPACE_NOT_FOUND": advice = ["To see the spaces you may read: tidemark space list"]
    case .outcomeUnknown:
      if let operation { advice = ["Run the same command again with --operation \(operation): it is never applied twice."] }
    case .deadlineExceeded, .resourceExhausted: advice = ["Try again after a moment, or wait longer with --timeout SECONDS."]
    case .cancelled, .notFound, .alreadyExists, .invalidArgument, .failedPrecondition, .protocolError, .unimplemented,
      .internalError:
      break
    }
  }

  /// For `--json`, on standard error.
  var json: JSON {
    var members: [JSON.Member] = [.init("code", .string(code)), .init("message", .string(message))]
    if !advice.isEmpty { members.append(.init("advice", .array(advice.map { .string($0) }))) }
    if !violations.isEmpty { members.append(.init("violations", .array(violations.map { $0.json }))) }
    if let operation { members.append(.init("operation_id", .string(operation.description))) }
    members.append(.init("exit_status", .int(status.rawValue)))
    return .object([.init("error", .object(members))])
  }

  /// For people.
  var text: String {
    var lines = ["tidemark: \(message)"]
    lines += violations.filter { $0.message != message }.map { "  \($0.field.map { "\($0): " } ?? "")\($0.message)" }
    lines += advice
    return lines.joined(separator: "\n")
  }
}
