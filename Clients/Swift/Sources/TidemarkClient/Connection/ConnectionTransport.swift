import NIOCore
import Synchronization
import TidemarkTransport
import TidemarkWire

/// Carries calls over one multiplexed connection of the Tidemark framing.
final class ConnectionTransport: CallTransport {
  private let holder: ConnectionHolder
  private let timing: ClientTiming

  init(address: ServerAddress, options: ClientOptions) {
    holder = ConnectionHolder(address: address, options: options)
    timing = options.timing
  }

  deinit { holder.close() }

  func close() { holder.close() }

  func hello(deadline: Duration?) async throws(AttemptFailure) -> Hello {
    try await holder.wait(for: holder.connection(deadline: deadline).hello, deadline: deadline)
  }

  func unary(_ call: OutgoingCall) async throws(AttemptFailure) -> ByteBuffer {
    let connection = try await holder.connection(deadline: call.deadline).connection
    let meta = try makeMeta(call)
    let slot = CallSlot()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<CallResult, Never>) in
        let made = connection.call(method: call.method.rawValue, message: call.message, meta: meta) {
          continuation.resume(returning: $0)
        }
        slot.fill(made, connection)
      }
    } onCancel: {
      slot.cancel()
    }
    return try result.reply().message
  }

  func open(_ call: OutgoingCall) async throws(AttemptFailure) -> any MessageSource {
    let connection = try await holder.connection(deadline: call.deadline).connection
    let source = ConnectionMessageSource(connection: connection)
    source.begin(method: call.method, message: call.message, meta: try makeMeta(call))
    return source
  }

  private func makeMeta(_ call: OutgoingCall) throws(AttemptFailure) -> CallMeta {
    var meta = CallMeta()
    meta.authorization = call.authorization
    meta.attempt = call.attempt
    if let deadline = call.deadline {
      let rest = deadline - timing.uptime()
      guard rest > .zero else { throw .notExecuted(.deadlineExceeded) }
      meta.timeoutMicroseconds = UInt64(clamping: max(rest / .microseconds(1), 1).rounded(.up).clampedToInt64)
    }
    return meta
  }
}

/// Holds a call between its submission and its end, so that it can be cancelled from anywhere, even before it was made.
private final class CallSlot: Sendable {
  private struct State {
    var call: (ClientCall, ClientConnection)?
    var isCancelled = false
  }

  private let state = Mutex(State())

  func fill(_ call: ClientCall, _ connection: ClientConnection) {
    let isCancelled = state.withLock { state in
      state.call = (call, connection)
      return state.isCancelled
    }
    if isCancelled { connection.cancel(call) }
  }

  func cancel() {
    let call = state.withLock { state in
      state.isCancelled = true
      return state.call
    }
    if let call { call.1.cancel(call.0) }
  }
}

extension CallResult {
  /// The reply when it is OK.
  func reply() throws(AttemptFailure) -> CallReply {
    switch self {
    case .reply(let reply):
      if let status = reply.status { throw .status(status) }
      return reply
    case .failed(let failure): throw AttemptFailure(failure)
    }
  }
}

extension AttemptFailure {
  init(_ failure: CallFailure) {
    var error = ClientError(RPCStatus(failure.code, failure.message))
    error.retryAfter = failure.retryAfter.map { .nanoseconds($0.nanoseconds) }
    switch (failure.fate, failure.code) {
    case (.notExecuted, .cancelled): self = .final(error, mayHaveExecuted: false)
    case (.unknown, .cancelled): self = .final(error, mayHaveExecuted: true)
    case (.notExecuted, _): self = .notExecuted(error)
    case (.unknown, _): self = .unanswered(error)
    }
  }
}

extension Double {
  fileprivate var clampedToInt64: Int64 { Int64(Swift.min(self, 9e15)) }
}
