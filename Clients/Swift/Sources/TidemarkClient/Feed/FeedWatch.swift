import NIOCore
import TidemarkCore
public import TidemarkWire

/// The pages of a feed that goes on. Each iteration begins where the request says.
public struct FeedWatch: AsyncSequence, Sendable {
  /// What the sequence yields.
  public typealias Element = PullResponse
  /// What ends it early.
  public typealias Failure = ClientError

  let runner: CallRunner
  let request: WatchRequest

  public func makeAsyncIterator() -> Iterator { Iterator(runner: runner, request: request) }

  /// Walks the sequence once.
  public struct Iterator: AsyncIteratorProtocol, Sendable {
    /// What the sequence yields.
    public typealias Element = PullResponse
    /// What ends it early.
    public typealias Failure = ClientError

    let runner: CallRunner
    /// Says where the next stream begins.
    var request: WatchRequest
    private var source: (any MessageSource)?
    private var policy: RetryPolicy
    private var attempt = 1
    private var isDone = false

    init(runner: CallRunner, request: WatchRequest) {
      self.runner = runner
      self.request = request
      policy = Iterator.makePolicy(runner)
    }

    private static func makePolicy(_ runner: CallRunner) -> RetryPolicy {
      RetryPolicy(safety: .idempotent, isWrite: false, attemptsMax: runner.options.attemptsMax)
    }

    public mutating func next() async throws(ClientError) -> PullResponse? { try await next(isolation: nil) }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws(ClientError) -> PullResponse? {
      while !isDone {
        do throws(AttemptFailure) {
          guard let bytes = try await openSource().next() else {
            // A server that shuts down ends its streams: another one goes on.
            throw AttemptFailure.unanswered(ClientError(.unavailable, "The server ended the watch."))
          }
          return try take(bytes)
        } catch {
          source = nil
          try await runner.pause(after: error, attempt: attempt, &policy, end: nil)
          attempt += 1
        }
      }
      return nil
    }

    private mutating func take(_ bytes: ByteBuffer) throws(AttemptFailure) -> PullResponse {
      let page: PullResponse
      do { page = try CallRunner.decode(bytes, as: PullResponse.self) } catch {
        throw .final(error, mayHaveExecuted: false)
      }
      // Whoever has a page has an answer: what fails from here on is a new attempt.
      (attempt, policy) = (1, Iterator.makePolicy(runner))
      if let cursor = page.cursor { request.pull.cursor = cursor } else { isDone = true }
      return page
    }

    private mutating func openSource() async throws(AttemptFailure) -> any MessageSource {
      if let source { return source }
      let message: ByteBuffer
      do { message = try runner.encode(request) } catch { throw .final(error, mayHaveExecuted: false) }
      let call = OutgoingCall(
        method: .watch, message: message, authorization: runner.credentials.authorization, attempt: UInt32(clamping: attempt),
        deadline: nil)
      let opened = try await runner.transport.open(call)
      source = opened
      return opened
    }
  }
}
