import NIOCore
import TidemarkWire

/// One call on a client connection, from its submission to its result.
// @unchecked: the constants may be read anywhere; all variables belong to the connection's event loop.
public final class ClientCall: @unchecked Sendable {
  let method: UInt16
  let meta: CallMeta
  let isHalfClosed: Bool
  let completion: @Sendable (CallResult) -> Void
  /// Takes the messages of a stream, with the credit each owes; `nil` for a unary call.
  let onMessage: (@Sendable (ByteBuffer, _ owed: Int) -> Void)?

  var message: ByteBuffer
  var deadline: NIODeadline?
  /// 0 before the call was sent.
  var stream: UInt32 = 0
  var isFinished = false
  /// The reply of which more fragments follow.
  var partialReply: PartialReply?

  /// A REPLY of which more fragments follow.
  struct PartialReply {
    var reply: CallReply
    var code: UInt16
    var isCompressed: Bool
  }

  init(
    method: UInt16, meta: CallMeta, message: ByteBuffer, isHalfClosed: Bool = true,
    onMessage: (@Sendable (ByteBuffer, _ owed: Int) -> Void)? = nil, completion: @escaping @Sendable (CallResult) -> Void
  ) {
    self.method = method
    self.meta = meta
    self.message = message
    self.isHalfClosed = isHalfClosed
    self.onMessage = onMessage
    self.completion = completion
  }
}
