internal import NIOCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// A stream that answers a call. Used on its loop.
protocol ServerStream: AnyObject {
  /// Goes on: the client gives credit.
  func resume()
  /// Ends the stream as soon as no thread works on it: nobody waits for it any more.
  func cancel()
}

/// Makes the messages of a server stream, one at a time, on a reader's thread.
protocol StreamSource: Sendable {
  /// The next step of the stream.
  mutating func next(_ snapshot: any StoreSnapshot) throws -> StreamStep
}

/// One step of a stream.
enum StreamStep: Sendable {
  case message(any SizedAnswer, isLast: Bool)
  /// The stream is over: without a status, well.
  case end(RPCStatus?)

  var heldBytes: Int {
    switch self {
    case .message(let message, _): message.heldBytes
    case .end: 0
    }
  }
}

/// One server stream: reads a message ahead only while the client gives credit, and holds no snapshot in between.
///
/// States: idle (waiting for credit), reading (a reader's thread has the source), done.
final class StreamCall: ServerStream {
  private var source: (any StreamSource)?
  private let id: CallID
  private let connection: any CallConnection
  /// Kept: a reader's thread may come back when nothing else holds the dispatcher any more. `onDone` ends the circle.
  private let dispatcher: LoopDispatcher
  private let onDone: () -> Void
  private var isCancelled = false
  private var isDone = false

  init(
    source: any StreamSource, id: CallID, connection: any CallConnection, dispatcher: LoopDispatcher, onDone: @escaping () -> Void
  ) {
    self.source = source
    self.id = id
    self.connection = connection
    self.dispatcher = dispatcher
    self.onDone = onDone
  }

  private var name: LoopDispatcher.CallName { .init(connection: connection.connectionID, call: id) }

  /// Reads the next message unless one is being read, or waits to be.
  func resume() {
    guard !isDone, let source else { return }
    self.source = nil
    let bound = NIOLoopBound(self, eventLoop: dispatcher.loop)
    let read = StoreRead(name: name, account: connection.account) { result in
      var source = source
      let step: StreamStep
      do { step = try source.next(result.get()) } catch { step = .end(.ofRead(error)) }
      let after = source
      return StoreRead.Found(bytes: step.heldBytes) { _ in bound.value.take(step, after) }
    } end: { _, status in
      // Some of the stream may have been sent.
      let isLate = status.code == .deadlineExceeded
      bound.value.finish(isLate ? RPCStatus(.deadlineExceeded, "The deadline passed before the stream ended.") : status)
    }
    if !dispatcher.submit(read) { finish(.overloaded) }
  }

  func cancel() {
    isCancelled = true
    if source != nil { finish(.cancelled) }
  }

  private func take(_ step: StreamStep, _ source: any StreamSource) {
    guard !isDone else { return }
    self.source = source
    if isCancelled { return finish(.cancelled) }
    switch step {
    case .end(let status): finish(status)
    case .message(let message, let isLast):
      let encoded: ByteBuffer
      do throws(WireError) { encoded = try dispatcher.encode(message) } catch { return finish(RPCStatus(error)) }
      let hasCredit = connection.send(encoded, on: id)
      if isLast { return finish(nil) }
      connection.flush()
      if hasCredit { resume() }
    }
  }

  private func finish(_ status: RPCStatus?) {
    guard !isDone else { return }
    isDone = true
    connection.complete(id, with: CallReply(status: status))
    connection.flush()
    onDone()
  }
}
