import NIOCore
import Synchronization
import TidemarkCore
import TidemarkWire

@testable import TidemarkClient

/// Answers calls as a test says.
final class ScriptedTransport: CallTransport {
  private struct State {
    var answers: [Result<ByteBuffer, AttemptFailure>]
    var streams: [[Result<ByteBuffer, AttemptFailure>]]
    var calls: [OutgoingCall] = []
  }

  private let state: Mutex<State>
  /// What the server says in the handshake.
  let hello = Mutex(Hello())

  init(_ answers: [Result<ByteBuffer, AttemptFailure>] = [], streams: [[Result<ByteBuffer, AttemptFailure>]] = []) {
    state = Mutex(State(answers: answers, streams: streams))
  }

  /// The calls made so far.
  var calls: [OutgoingCall] { state.withLock { $0.calls } }

  func unary(_ call: OutgoingCall) async throws(AttemptFailure) -> ByteBuffer {
    let answer = state.withLock { state in
      state.calls.append(call)
      return state.answers.isEmpty ? .failure(.final(.closed, mayHaveExecuted: false)) : state.answers.removeFirst()
    }
    return try answer.get()
  }

  func open(_ call: OutgoingCall) async throws(AttemptFailure) -> any MessageSource {
    let messages = state.withLock { state in
      state.calls.append(call)
      return state.streams.isEmpty ? [] : state.streams.removeFirst()
    }
    return Source(messages: Mutex(messages))
  }

  func hello(deadline: Duration?) async throws(AttemptFailure) -> Hello { hello.withLock { $0 } }
  func close() {}

  private final class Source: MessageSource {
    let messages: Mutex<[Result<ByteBuffer, AttemptFailure>]>
    init(messages: consuming Mutex<[Result<ByteBuffer, AttemptFailure>]>) { self.messages = messages }
    func next() async throws(AttemptFailure) -> ByteBuffer? {
      let next = messages.withLock { $0.isEmpty ? nil : $0.removeFirst() }
      return try next?.get()
    }
    func cancel() {}
  }
}

/// A clock that moves only when somebody sleeps.
final class FakeTime: Sendable {
  private let state = Mutex((now: Duration.zero, waits: [Duration]()))

  var waits: [Duration] { state.withLock { $0.waits } }

  /// - Parameter random: the fraction of each ceiling that is waited, as 64 bits.
  func timing(random: UInt64 = 1 << 63) -> ClientTiming {
    ClientTiming(
      now: { Timestamp(rawValue: 1_700_000_000_000_000) }, uptime: { self.state.withLock { $0.now } },
      sleep: { duration in
        self.state.withLock { state in
          state.now += duration
          state.waits.append(duration)
        }
      }, random: { random })
  }
}

extension EncodableMessage {
  func buffer() throws -> ByteBuffer { ByteBuffer(bytes: try encode(using: MessageArena())) }
}
