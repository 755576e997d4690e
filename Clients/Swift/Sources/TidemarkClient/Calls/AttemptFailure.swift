import TidemarkWire

/// What one attempt at a call came to when it was not answered with OK.
enum AttemptFailure: Error {
  /// Nothing was executed: no connection, or the server said so.
  case notExecuted(ClientError)
  /// The call was sent and no answer came: it may have been executed.
  case unanswered(ClientError)
  /// The server answered.
  case status(RPCStatus)
  /// The caller's own doing: cancelled, or a request that cannot be encoded. Never tried again.
  case final(ClientError, mayHaveExecuted: Bool)
}

/// Whether a call may be sent again when it may have been executed already.
enum RetrySafety {
  /// Executing it twice is as executing it once: reads, and writes with the same operation id.
  case idempotent
  /// Executing it twice does something twice.
  case once
}
