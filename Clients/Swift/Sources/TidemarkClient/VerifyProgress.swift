import NIOCore
public import TidemarkWire

/// The progress of a check of a space. Each iteration begins a new check.
public struct VerifyProgress: AsyncSequence, Sendable {
  /// What the sequence yields.
  public typealias Element = VerifySpaceResponse
  /// What ends it early.
  public typealias Failure = ClientError

  let runner: CallRunner
  let request: SpaceRequest
  let deadline: Duration?

  public func makeAsyncIterator() -> Iterator { Iterator(sequence: self) }

  /// Walks the sequence once.
  public struct Iterator: AsyncIteratorProtocol, Sendable {
    /// What the sequence yields.
    public typealias Element = VerifySpaceResponse
    /// What ends it early.
    public typealias Failure = ClientError

    let sequence: VerifyProgress
    private var source: (any MessageSource)?

    init(sequence: VerifyProgress) { self.sequence = sequence }

    public mutating func next() async throws(ClientError) -> VerifySpaceResponse? {
      try await next(isolation: nil)
    }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws(ClientError) -> VerifySpaceResponse? {
      if source == nil { source = try await open() }
      let bytes: ByteBuffer?
      do {
        bytes = try await source?.next()
      } catch {
        throw ClientError(last: error)
      }
      guard let bytes else { return nil }
      return try CallRunner.decode(bytes, as: VerifySpaceResponse.self)
    }

    /// Begins the check, and tries again while nothing was executed.
    private func open() async throws(ClientError) -> any MessageSource {
      let runner = sequence.runner
      let end = sequence.deadline.map { runner.options.timing.uptime() + $0 }
      var policy = RetryPolicy(safety: .idempotent, isWrite: false, attemptsMax: runner.options.attemptsMax)
      let message = try runner.encode(sequence.request)
      var attempt = 1
      while true {
        let call = OutgoingCall(
          method: .verifySpace, message: message, authorization: runner.credentials.authorization,
          attempt: UInt32(clamping: attempt), deadline: end)
        do {
          return try await runner.transport.open(call)
        } catch {
          try await runner.pause(after: error, attempt: attempt, &policy, end: end)
          attempt += 1
        }
      }
    }
  }
}

extension ClientError {
  /// The error of an attempt that is not followed by another.
  init(last failure: AttemptFailure) {
    switch failure {
    case .notExecuted(let cause), .unanswered(let cause), .final(let cause, _): self = cause
    case .status(let status): self.init(status)
    }
  }
}
