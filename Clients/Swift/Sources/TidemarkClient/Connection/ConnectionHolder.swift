import NIOCore
import NIOPosix
import Synchronization
import TidemarkTransport
import TidemarkWire

/// Keeps one connection to a server: opens it when it is needed, shares it between all calls, and opens another when it ends.
///
/// After a failure the next attempt waits as `Backoff` says; a connection counts as good once the server has said HELLO.
final class ConnectionHolder: Sendable {
  /// A connection, and what the server said in its HELLO.
  struct Live: Sendable {
    let connection: ClientConnection
    let hello: EventLoopFuture<Hello>
    let number: UInt64
  }

  private struct State {
    var live: Live?
    var connecting: EventLoopFuture<Live>?
    /// How many connections were begun.
    var begun: UInt64 = 0
    /// The latest connection that ended or is going away.
    var ended: UInt64 = 0
    /// How many connections failed since the last HELLO.
    var failures = 0
    var isClosed = false
  }

  private let address: ServerAddress
  private let options: ClientOptions
  private let eventLoop: any EventLoop
  private let state = Mutex(State())

  init(address: ServerAddress, options: ClientOptions) {
    self.address = address
    self.options = options
    eventLoop = (options.group ?? MultiThreadedEventLoopGroup.singleton).next()
  }

  /// The connection, opened when there is none.
  ///
  /// - Parameter deadline: when to stop waiting, by `ClientTiming.uptime`.
  func connection(deadline: Duration?) async throws(AttemptFailure) -> Live {
    let found: Result<Live?, ClientError> = state.withLock { $0.isClosed ? .failure(.closed) : .success($0.live) }
    switch found {
    case .success(let live?): return live
    case .success(nil): return try await wait(for: connecting(), deadline: deadline)
    case .failure(let error): throw .final(error, mayHaveExecuted: false)
    }
  }

  /// Waits for a future, for the deadline or for the task's cancellation. A deadline here means that nothing was sent.
  func wait<Value: Sendable>(
    for future: EventLoopFuture<Value>, deadline: Duration?
  ) async throws(AttemptFailure) -> Value {
    let promise = eventLoop.makePromise(of: Value.self)
    future.cascade(to: promise)
    var timer: Scheduled<Void>?
    if let deadline {
      let rest = max(deadline - options.timing.uptime(), .zero)
      timer = eventLoop.scheduleTask(in: TimeAmount(rest)) { promise.fail(ClientError.deadlineExceeded) }
    }
    defer { timer?.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await promise.futureResult.get()
      } onCancel: {
        promise.fail(ClientError.cancelled)
      }
    } catch let error as ClientError {
      throw error.code == .cancelled ? .final(error, mayHaveExecuted: false) : .notExecuted(error)
    } catch {
      throw .notExecuted(
        ClientError(.unavailable, "\(address.host):\(address.port) cannot be reached: \(ConnectFailureText.make(error))."))
    }
  }

  /// Ends the connection for good.
  func close() {
    let (live, connecting) = state.withLock { state in
      state.isClosed = true
      defer { state.live = nil }
      return (state.live, state.connecting)
    }
    live?.connection.close()
    connecting?.whenSuccess { $0.connection.close() }
  }

  private func connecting() -> EventLoopFuture<Live> {
    let promise = eventLoop.makePromise(of: Live.self)
    enum Step {
      case wait(EventLoopFuture<Live>)
      case begin(UInt64, after: Duration)
    }
    let step: Step = state.withLock { state in
      // Another task may have been faster.
      if let live = state.live { return .wait(eventLoop.makeSucceededFuture(live)) }
      if let connecting = state.connecting { return .wait(connecting) }
      state.begun += 1
      state.connecting = promise.futureResult
      let delay =
        state.failures == 0
        ? .zero : options.backoff.delay(afterFailures: state.failures, random: options.timing.random())
      return .begin(state.begun, after: delay)
    }
    switch step {
    case .wait(let future):
      promise.completeWith(future)
    case .begin(let number, let delay):
      begin(number, after: delay).whenComplete { result in
        self.didConnect(number, result)
        promise.completeWith(result)
      }
    }
    return promise.futureResult
  }

  private func begin(_ number: UInt64, after delay: Duration) -> EventLoopFuture<Live> {
    var configuration = ClientConfiguration()
    configuration.hello.name = options.name
    configuration.connectTimeout = TimeAmount(options.connectTimeout)
    configuration.handshakeTimeout = TimeAmount(options.connectTimeout)
    let hello = eventLoop.makePromise(of: Hello.self)
    let (host, port, loop, ready) = (address.host, address.port, eventLoop, configuration)
    return eventLoop.flatScheduleTask(in: TimeAmount(delay)) {
      ClientConnection.connect(host: host, port: port, on: loop, configuration: ready) { event in
        self.heard(event, number, hello)
      }
      .map { Live(connection: $0, hello: hello.futureResult, number: number) }
      .flatMapErrorThrowing { error in
        hello.fail(error)
        throw error
      }
    }.futureResult
  }

  private func didConnect(_ number: UInt64, _ result: Result<Live, any Error>) {
    state.withLock { state in
      state.connecting = nil
      switch result {
      case .success(let live):
        if state.ended < number, !state.isClosed { state.live = live }
      case .failure: state.failures += 1
      }
    }
  }

  private func heard(_ event: ClientConnectionEvent, _ number: UInt64, _ hello: EventLoopPromise<Hello>) {
    switch event {
    case .opened(let answer):
      state.withLock { $0.failures = 0 }
      hello.succeed(answer)
    case .goingAway(let goAway, let code):
      forget(number)
      if code == .version {
        let text = "The server speaks the protocol 1.\(goAway.minorMin) to 1.\(goAway.minorMax), and this client another version."
        hello.fail(ClientError(.protocolError, text))
      }
    case .closed(let failure):
      forget(number)
      state.withLock { $0.failures += 1 }
      hello.fail(ClientError(.unavailable, failure.message))
    }
  }

  private func forget(_ number: UInt64) {
    state.withLock { state in
      state.ended = max(state.ended, number)
      if state.live?.number == number { state.live = nil }
    }
  }
}
