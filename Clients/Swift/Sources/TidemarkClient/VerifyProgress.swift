import NIOCore
public import TidemarkWire

/// The progress of a check of a space. Each iteration begins a new check. When the connection is lost the check begins again, on another server
/// where there are several, so that the counts may go back.
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
    private let end: Duration?
    private var policy: RetryPolicy
    private var source: (any MessageSource)?
    private var attempt = 1

    init(sequence: VerifyProgress) {
      let options = sequence.runner.options
      self.sequence = sequence
      end = sequence.deadline.map { options.timing.uptime() + $0 }
      policy = RetryPolicy(safety: .idempotent, isWrite: false, attemptsMax: options.attemptsMax)
    }

    public mutating func next() async throws(ClientError) -> VerifySpaceResponse? {
      try await next(isolation: nil)
    }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws(ClientError) -> VerifySpaceResponse? {
      while true {
        do {
          guard let bytes = try await openSource().next() else { return nil }
          return try CallRunner.decode(bytes, as: VerifySpaceResponse.self)
        } catch let failure as AttemptFailure {
          source = nil
          try await sequence.runner.pause(after: failure, attempt: attempt, &policy, end: end)
          attempt += 1
        } catch let error as ClientError {
          throw error
        } catch {
          throw ClientError(.internalError, "\(error)")
        }
      }
    }

    private mutating func openSource() async throws(AttemptFailure) -> any MessageSource {
      if let source { return source }
      let runner = sequence.runner
      let message: ByteBuffer
      do {
        message = try runner.encode(sequence.request)
      } catch {
        throw .final(error, mayHaveExecuted: false)
      }
      let call = OutgoingCall(
        method: .verifySpace, message: message, authorization: runner.credentials.authorization,
        attempt: UInt32(clamping: attempt), deadline: end)
      let opened = try await runner.transport.open(call)
      source = opened
      return opened
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
