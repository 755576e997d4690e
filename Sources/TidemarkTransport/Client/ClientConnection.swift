import NIOPosix
import Synchronization
public import NIOCore
public import TidemarkWire

/// A connection to a server, with many calls at once. Usable from every thread.
///
/// Calls may be made as soon as it exists. Results and messages are delivered on `eventLoop`; a call made there, for example
/// from a completion, goes out with the next write and takes no lock. From other threads, all that is submitted before the
/// loop comes around goes there in one hop.
public final class ClientConnection: Sendable {
  public let eventLoop: any EventLoop

  private let handler: NIOLoopBound<ClientHandler>
  private let submissions = Mutex(Submissions())

  private struct Submissions {
    var pending: [Submission] = []
    var isScheduled = false
  }

  private enum Submission {
    case call(ClientCall)
    case cancel(ClientCall)
    case send(ClientCall, ByteBuffer, isLast: Bool)
    case credit(ClientCall, Int)
    case close
  }

  private init(handler: NIOLoopBound<ClientHandler>, eventLoop: any EventLoop) {
    self.handler = handler
    self.eventLoop = eventLoop
  }

  /// Connects.
  ///
  /// - Parameter onEvent: hears of HELLO, GOAWAY and the end, on the event loop.
  /// - Returns: the connection, once TCP is connected. The future fails when that fails.
  public static func connect(
    host: String, port: Int, on eventLoop: any EventLoop, configuration: ClientConfiguration = .init(),
    onEvent: @escaping @Sendable (ClientConnectionEvent) -> Void = { _ in }
  ) -> EventLoopFuture<ClientConnection> {
    let promise = eventLoop.makePromise(of: ClientConnection.self)
    ClientBootstrap(group: eventLoop)
      .connectTimeout(configuration.connectTimeout)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.writeBufferWaterMark, value: .init(low: 256 * 1024, high: 1024 * 1024))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let handler = ClientHandler(configuration: configuration, eventLoop: channel.eventLoop, onEvent: onEvent)
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
      .connect(host: host, port: port)
      .flatMapThrowing { channel in
        let handler = try channel.pipeline.syncOperations.handler(type: ClientHandler.self)
        return ClientConnection(handler: NIOLoopBound(handler, eventLoop: channel.eventLoop), eventLoop: channel.eventLoop)
      }
      .cascade(to: promise)
    return promise.futureResult
  }

  /// Makes a call with one request and one response.
  ///
  /// - Parameters:
  ///   - method: `Method.rawValue`, or 0 when `meta.method` names it.
  ///   - meta: `timeoutMicroseconds` is enforced here too.
  ///   - completion: gets the result, once, on the event loop.
  @discardableResult
  public func call(
    method: UInt16, message: ByteBuffer, meta: CallMeta = CallMeta(), completion: @escaping @Sendable (CallResult) -> Void
  ) -> ClientCall {
    let call = ClientCall(method: method, meta: meta, message: message, completion: completion)
    submit(.call(call))
    return call
  }

  /// Makes a call that is answered with a stream.
  ///
  /// - Parameters:
  ///   - isHalfClosed: `false` when further messages follow, see `send(_:isLast:on:)`.
  ///   - onMessage: gets each message, on the event loop, with the credit it owes: once the message is used, give that back
  ///     with `returnCredit(_:to:)`, or the stream stops after 64 KiB.
  ///   - completion: gets the end of the stream, after all its messages.
  @discardableResult
  public func stream(
    method: UInt16, message: ByteBuffer, meta: CallMeta = CallMeta(), isHalfClosed: Bool = true,
    onMessage: @escaping @Sendable (_ message: ByteBuffer, _ owed: Int) -> Void,
    completion: @escaping @Sendable (CallResult) -> Void
  ) -> ClientCall {
    let call = ClientCall(
      method: method, meta: meta, message: message, isHalfClosed: isHalfClosed, onMessage: onMessage, completion: completion)
    submit(.call(call))
    return call
  }

  /// Sends a further message of a call that is not half-closed. It leaves when there is credit.
  public func send(_ message: ByteBuffer, isLast: Bool, on call: ClientCall) { submit(.send(call, message, isLast: isLast)) }

  /// Tells the server that messages of a stream are used.
  public func returnCredit(_ bytes: Int, to call: ClientCall) { submit(.credit(call, bytes)) }

  /// Ends a call early. Its completion gets CANCELLED, unless it has its result already.
  public func cancel(_ call: ClientCall) { submit(.cancel(call)) }

  /// Ends the connection. Calls in flight get an unknown outcome.
  public func close() { submit(.close) }

  private func submit(_ submission: Submission) {
    if eventLoop.inEventLoop {
      perform(submission)
      handler.value.flush()
      return
    }
    let isFirst = submissions.withLock { state in
      state.pending.append(submission)
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if isFirst { eventLoop.execute { self.performPending() } }
  }

  private func performPending() {
    let pending = submissions.withLock { state in
      state.isScheduled = false
      return exchange(&state.pending, with: [])
    }
    for submission in pending { perform(submission) }
    handler.value.flush()
  }

  private func perform(_ submission: Submission) {
    let handler = handler.value
    switch submission {
    case .call(let call): handler.submit(call)
    case .cancel(let call): handler.cancel(call)
    case .send(let call, let message, let isLast): handler.send(message, isLast: isLast, on: call)
    case .credit(let call, let bytes): handler.returnCredit(bytes, to: call)
    case .close: handler.close()
    }
  }
}
