public import NIOCore

/// The dispatcher, seen from a connection: takes calls, and hears what becomes of those that are pending.
///
/// There is one per event loop. Every method is called on the loop of the connection and must not block.
public protocol CallHandler: AnyObject {
  /// Takes a call. Answer at once, or keep `call.id` and `call.connection` and complete it later.
  func receive(_ call: IncomingCall) -> CallDisposition
  /// A further message of a call whose client did not half-close.
  ///
  /// - Parameters:
  ///   - message: `nil` when the client only half-closed.
  ///   - isLast: the client sends nothing more.
  ///   - owed: credit to give back with `CallConnection.returnCredit(_:to:)` once the message is used, in bytes.
  func received(_ message: ByteBuffer?, isLast: Bool, owed: Int, on call: CallID, connection: any CallConnection)
  /// A stream whose last `send` returned `false` may send again.
  func creditAvailable(_ call: CallID, connection: any CallConnection)
  /// Nobody waits for this pending call any longer. Its slot is held until `complete`, which must still be called.
  ///
  /// For `.deadline` the reply of a `complete` made inside this call is still sent; otherwise DEADLINE_EXCEEDED is.
  func cancelled(_ call: CallID, reason: CancelReason, connection: any CallConnection)
  func connectionOpened(_ connection: any CallConnection)
  /// The connection is gone, after `cancelled` for each of its pending calls.
  func connectionClosed(_ connection: any CallConnection)
}

extension CallHandler {
  /// Ignores the message and gives its credit back: right for methods that take one request message.
  public func received(_ message: ByteBuffer?, isLast: Bool, owed: Int, on call: CallID, connection: any CallConnection) {
    connection.returnCredit(owed, to: call)
  }
  public func connectionOpened(_ connection: any CallConnection) {}
  public func connectionClosed(_ connection: any CallConnection) {}
}

/// A connection, seen from the dispatcher. Use it on its event loop only.
///
/// Calls that are unknown, answered or cancelled may be named everywhere: nothing happens then.
public protocol CallConnection: AnyObject {
  var eventLoop: any EventLoop { get }
  /// The address of the peer, for logs.
  var peer: String { get }
  /// Unique in this process.
  var connectionID: UInt64 { get }
  /// What the connection holds of answers. It may be used from any thread.
  var account: AnswerAccount { get }
  /// Ends a call and frees its slot. Nothing reaches the socket before `flush()`, or the end of the current read.
  func complete(_ call: CallID, with reply: CallReply)
  /// Sends a message of a stream.
  ///
  /// - Returns: `false` when the client or the socket cannot take more now: the message is kept, and the next one should wait
  ///   for `CallHandler.creditAvailable(_:connection:)`.
  func send(_ message: ByteBuffer, on call: CallID) -> Bool
  /// Says how much memory the request of a call takes while the call waits, in bytes. Not said, it is guessed from the message.
  func hold(_ bytes: Int, for call: CallID)
  /// Allows the client to send more messages on a stream.
  func returnCredit(_ bytes: Int, to call: CallID)
  func flush()
}
