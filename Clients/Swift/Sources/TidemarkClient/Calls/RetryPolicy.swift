import TidemarkCore
import TidemarkWire

/// Decides after a failed attempt whether the call is tried again: a value without clock, socket or randomness of its own.
struct RetryPolicy {
  var safety: RetrySafety
  /// True when the call changes something, so that an unanswered attempt leaves its outcome open.
  var isWrite: Bool
  var attemptsMax: Int
  /// The write's operation id, for the error.
  var operation: OperationID?
  /// An attempt so far may have been executed.
  private(set) var mayHaveExecuted = false

  init(safety: RetrySafety, isWrite: Bool, attemptsMax: Int, operation: OperationID? = nil) {
    self.safety = safety
    self.isWrite = isWrite
    self.attemptsMax = attemptsMax
    self.operation = operation
  }

  enum Decision: Equatable {
    /// Try again, after at least this long when the server asked for a pause.
    case again(ClientError, atLeast: Duration?)
    case giveUp(ClientError)
  }

  /// Judges one failed attempt.
  ///
  /// - Parameters:
  ///   - failure: what the attempt came to. Statuses that carry an outcome never get here.
  ///   - attempt: the number of the attempt, from 1.
  mutating func decide(_ failure: AttemptFailure, attempt: Int) -> Decision {
    let error: ClientError
    let canHelp: Bool
    switch failure {
    case .notExecuted(let cause):
      error = cause
      canHelp = cause.code == .unavailable || cause.code == .resourceExhausted
    case .unanswered(let cause):
      error = cause
      mayHaveExecuted = true
      canHelp = cause.code == .unavailable && safety == .idempotent
    case .status(let status):
      error = ClientError(status)
      let isUnexecuted = status.isNotExecuted
      if !isUnexecuted, status.code.leavesOutcomeOpen { mayHaveExecuted = true }
      canHelp = status.code.isTransient && (isUnexecuted || safety == .idempotent)
    case .final(let cause, let executed):
      if executed { mayHaveExecuted = true }
      return .giveUp(verdict(cause))
    }
    guard canHelp, attempt < attemptsMax else { return .giveUp(verdict(error)) }
    return .again(error, atLeast: error.retryAfter)
  }

  /// The error to throw: that the outcome is unknown, when the write may have been executed and no answer says otherwise.
  func verdict(_ error: ClientError) -> ClientError {
    guard isWrite, mayHaveExecuted else { return error }
    switch error.code {
    // Who is no longer let in does not hear what became of an attempt before.
    case .unavailable, .deadlineExceeded, .cancelled, .resourceExhausted, .protocolError, .internalError, .outcomeUnknown,
      .unauthenticated, .permissionDenied:
      var unknown = error
      unknown.code = .outcomeUnknown
      unknown.operation = operation
      unknown.message = "Whether the write was executed is not known: \(error.message)"
      if let operation { unknown.message += " Sending it again with the operation id \(operation) is safe." }
      return unknown
    case .notFound, .alreadyExists, .invalidArgument, .failedPrecondition, .unimplemented:
      return error
    }
  }
}

extension StatusCode {
  /// True when the same call may succeed a little later.
  var isTransient: Bool {
    switch self {
    case .unavailable, .resourceExhausted: true
    case .ok, .cancelled, .unknown, .invalidArgument, .deadlineExceeded, .notFound, .alreadyExists, .permissionDenied,
      .failedPrecondition, .aborted, .outOfRange, .unimplemented, .internal, .dataLoss, .unauthenticated:
      false
    }
  }

  /// True when a write that was answered with it may have been executed, unless the answer says otherwise.
  var leavesOutcomeOpen: Bool {
    switch self {
    case .cancelled, .unknown, .deadlineExceeded, .unavailable, .internal, .dataLoss: true
    case .ok, .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .resourceExhausted, .failedPrecondition, .aborted,
      .outOfRange, .unimplemented, .unauthenticated:
      false
    }
  }
}
