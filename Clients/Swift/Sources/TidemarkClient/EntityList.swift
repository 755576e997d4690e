import NIOCore
public import TidemarkCore
import TidemarkWire

/// The entities of one type, sorted by the bytes of their ids. Each iteration asks the server anew.
///
/// No more is read ahead than one stream credit (64 KiB, or one page when that is larger). When the connection is lost, the
/// iteration continues behind the last id it gave out: entities made or changed meanwhile are as of then, and none appears
/// twice.
public struct EntityList: AsyncSequence, Sendable {
  /// What the sequence yields.
  public typealias Element = Entity
  /// What ends it early.
  public typealias Failure = ClientError

  let runner: CallRunner
  let request: ListRequest
  let deadline: Duration?

  public func makeAsyncIterator() -> Iterator {
    Iterator(
      runner: runner, request: request, end: deadline.map { runner.options.timing.uptime() + $0 },
      policy: RetryPolicy(safety: .idempotent, isWrite: false, attemptsMax: runner.options.attemptsMax))
  }

  /// Walks the sequence once.
  public struct Iterator: AsyncIteratorProtocol, Sendable {
    /// What the sequence yields.
    public typealias Element = Entity
    /// What ends it early.
    public typealias Failure = ClientError

    let runner: CallRunner
    var request: ListRequest
    let end: Duration?
    var policy: RetryPolicy
    private var source: (any MessageSource)?
    private var page: [Entity] = []
    private var position = 0
    private var attempt = 1
    private var isDone = false

    init(runner: CallRunner, request: ListRequest, end: Duration?, policy: RetryPolicy) {
      self.runner = runner
      self.request = request
      self.end = end
      self.policy = policy
    }

    public mutating func next() async throws(ClientError) -> Entity? {
      try await next(isolation: nil)
    }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws(ClientError) -> Entity? {
      while position == page.count {
        guard !isDone else { return nil }
        try await readPage()
      }
      defer { position += 1 }
      return page[position]
    }

    private mutating func readPage() async throws(ClientError) {
      do {
        guard let bytes = try await openSource().next() else { return isDone = true }
        let response = try decode(bytes)
        (page, position, attempt) = (response.entities, 0, 1)
        continueBehind(page)
      } catch {
        source = nil
        // A list that gave out all it was asked for is complete, whatever becomes of the connection.
        if request.limit == 0 { return isDone = true }
        try await runner.pause(after: error, attempt: attempt, &policy, end: end)
        attempt += 1
      }
    }

    /// Sets the request so that asking anew continues where this page ends.
    private mutating func continueBehind(_ page: [Entity]) {
      if let last = page.last { request.afterID = last.key.id }
      if let limit = request.limit { request.limit = Swift.max(limit - page.count, 0) }
    }

    private mutating func openSource() async throws(AttemptFailure) -> any MessageSource {
      if let source { return source }
      let message: ByteBuffer
      do {
        message = try runner.encode(request)
      } catch {
        throw .final(error, mayHaveExecuted: false)
      }
      let call = OutgoingCall(
        method: .list, message: message, authorization: runner.credentials.authorization,
        attempt: UInt32(clamping: attempt), deadline: end)
      let opened = try await runner.transport.open(call)
      source = opened
      return opened
    }

    private func decode(_ bytes: ByteBuffer) throws(AttemptFailure) -> ListResponse {
      do {
        return try CallRunner.decode(bytes, as: ListResponse.self)
      } catch {
        throw .final(error, mayHaveExecuted: false)
      }
    }
  }
}
