import NIOCore
import Synchronization
import TidemarkTransport
import TidemarkWire

/// The messages of one stream on a connection, waiting until somebody takes them.
///
/// Credit goes back to the server when the reader asks for the next message, so at most one stream credit waits here.
final class ConnectionMessageSource: MessageSource {
  private struct State {
    var call: ClientCall?
    var messages = CircularBuffer<(message: ByteBuffer, owed: Int)>()
    var end: CallResult?
    var reader: CheckedContinuation<Void, Never>?
    /// The credit of the message that the reader has.
    var owed = 0
    var isCancelled = false
  }

  private let connection: ClientConnection
  private let state = Mutex(State())

  init(connection: ClientConnection) { self.connection = connection }

  deinit { cancel() }

  /// Makes the call. Once.
  func begin(method: Method, message: ByteBuffer, meta: CallMeta) {
    // Weak, so that a reader that goes away without reading to the end cancels the call.
    let call = connection.stream(method: method.rawValue, message: message, meta: meta) { [weak self] message, owed in
      self?.wake { $0.messages.append((message, owed)) }
    } completion: { [weak self] result in
      self?.wake { $0.end = result }
    }
    state.withLock { $0.call = call }
  }

  func next() async throws(AttemptFailure) -> ByteBuffer? {
    giveCreditBack()
    while true {
      let step = take()
      switch step {
      case .message(let message): return message
      case .end(let result):
        _ = try result.reply()
        return nil
      case .nothing: break
      }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isReady = state.withLock { state in
            guard state.messages.isEmpty, state.end == nil else { return true }
            state.reader = continuation
            return false
          }
          if isReady { continuation.resume() }
        }
      } onCancel: {
        cancel()
      }
    }
  }

  func cancel() {
    let call = state.withLock { state -> ClientCall? in
      guard state.end == nil, !state.isCancelled else { return nil }
      state.isCancelled = true
      return state.call
    }
    if let call { connection.cancel(call) }
  }

  private enum Step {
    case message(ByteBuffer)
    case end(CallResult)
    case nothing
  }

  private func take() -> Step {
    state.withLock { state in
      if let (message, owed) = state.messages.popFirst() {
        state.owed = owed
        return .message(message)
      }
      return state.end.map { .end($0) } ?? .nothing
    }
  }

  private func giveCreditBack() {
    let debt = state.withLock { state -> (Int, ClientCall)? in
      guard state.owed > 0, let call = state.call else { return nil }
      defer { state.owed = 0 }
      return (state.owed, call)
    }
    if let debt { connection.returnCredit(debt.0, to: debt.1) }
  }

  private func wake(_ change: (inout State) -> Void) {
    let reader = state.withLock { state in
      change(&state)
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume()
  }
}
