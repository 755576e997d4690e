import NIOCore
import TidemarkWire

/// One attempt at a call, ready to be sent.
struct OutgoingCall: Sendable {
  var method: Method
  /// The encoded request.
  var message: ByteBuffer
  var authorization: String
  /// From 1.
  var attempt: UInt32
  /// When the caller stops waiting, by `ClientTiming.uptime`; `nil` for never.
  var deadline: Duration?
}

/// Carries calls to a server. The real one has a connection; tests have their own.
protocol CallTransport: Sendable {
  /// Makes a call with one response.
  func unary(_ call: OutgoingCall) async throws(AttemptFailure) -> ByteBuffer
  /// Makes a call that is answered with a stream.
  func open(_ call: OutgoingCall) async throws(AttemptFailure) -> any MessageSource
  /// What the server said in the handshake, connecting first when there is no connection.
  func hello(deadline: Duration?) async throws(AttemptFailure) -> Hello
  /// Whether the next call goes to another server than those that failed lately.
  var mayTryElsewhere: Bool { get }
  /// Ends the connection. Calls fail from now on.
  func close()
}

extension CallTransport {
  /// There is one server.
  var mayTryElsewhere: Bool { false }
}

/// The messages of one stream. Used by one task at a time.
protocol MessageSource: Sendable {
  /// The next message, or `nil` at the end. Asking for it tells the server that the one before is used.
  func next() async throws(AttemptFailure) -> ByteBuffer?
  /// Gives the rest of the stream up.
  func cancel()
}
