public import TidemarkCore

/// What became of one write of a bulk.
public enum WriteFate: Hashable, Sendable {
  /// The server judged it.
  case outcome(Outcome)
  /// It was surely not executed: never sent, or its whole request was refused.
  case notExecuted(ClientError)
  /// It was sent, and no answer tells what became of it. Sending it again with the same operation id is safe.
  case unknown(ClientError)

  /// The outcome; `nil` when there is none.
  public var outcome: Outcome? {
    if case .outcome(let outcome) = self { outcome } else { nil }
  }

  /// The fate of the writes of a request that failed.
  init(_ error: ClientError) {
    switch error.code {
    // An answer that cannot be read came after the writes.
    case .outcomeUnknown, .protocolError: self = .unknown(error)
    case .unavailable, .deadlineExceeded, .cancelled, .unauthenticated, .permissionDenied, .notFound, .alreadyExists,
      .invalidArgument, .failedPrecondition, .resourceExhausted, .unimplemented, .internalError:
      self = .notExecuted(error)
    }
  }
}

/// What helps a write that is not done.
public enum RetryClass: String, Hashable, Sendable, CaseIterable {
  /// Nothing is left to do.
  case done = "done"
  /// The same write may be sent again with the same operation id, by itself.
  case retryNow = "retry_now"
  /// The entity changed: read it, and make the write anew against what is there.
  case retryAfterRefresh = "retry_after_refresh"
  /// The write does not fit what is there, or the caller may not be who is needed: somebody has to choose something else.
  case needsDecision = "needs_decision"
  /// No retry can help.
  case hopeless = "hopeless"
}

extension OutcomeCode {
  /// What helps after this outcome. An aborted write that names a cause needs what its cause needs (`BulkReport`).
  public var retryClass: RetryClass {
    switch self {
    case .applied, .unchanged, .merged: .done
    case .aborted: .retryNow
    case .conflict, .epochChanged: .retryAfterRefresh
    // The same operation may have been applied long ago: only somebody who looks can tell.
    case .notFound, .alreadyExists, .uniqueViolation, .referenceViolation, .purged, .receiptExpired: .needsDecision
    case .invalid, .forbidden, .vetoed: .hopeless
    }
  }
}

extension ClientError {
  /// What helps a write whose request failed so.
  public var retryClass: RetryClass {
    switch code {
    case .unavailable, .deadlineExceeded, .cancelled, .resourceExhausted, .outcomeUnknown, .protocolError, .internalError:
      .retryNow
    // Another token, or a space that is made first.
    case .unauthenticated, .notFound, .failedPrecondition: .needsDecision
    case .permissionDenied, .alreadyExists, .invalidArgument, .unimplemented: .hopeless
    }
  }
}

extension WriteFate {
  /// What helps, as long as no other item is the cause.
  var retryClass: RetryClass {
    switch self {
    case .outcome(let outcome): outcome.code.retryClass
    case .notExecuted(let error): error.retryClass
    case .unknown: .retryNow
    }
  }
}
