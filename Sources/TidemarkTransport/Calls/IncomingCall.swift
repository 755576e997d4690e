public import NIOCore
public import TidemarkWire

/// Names a call on its connection.
public struct CallID: Hashable, Sendable, CustomStringConvertible {
  /// The stream of the Tidemark framing, or whatever another codec counts with.
  public let rawValue: UInt32

  @inlinable
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public var description: String { String(rawValue) }
}

/// One call as it reaches the dispatcher, whatever codec carried it.
public struct IncomingCall {
  public let id: CallID
  /// The number of the method (`Method.rawValue`); 0 when `path` names a method nobody knows.
  public let method: UInt16
  /// The path the client named, when it did not send a number.
  public let path: String?
  public let meta: CallMeta
  /// When the caller stops waiting; `nil` for a stream without a limit.
  public let deadline: NIODeadline?
  /// The request message, inflated.
  public let message: ByteBuffer
  /// Whether this is all the client sends. When `false`, `CallHandler.received(_:isLast:owed:on:connection:)` follows.
  public let isHalfClosed: Bool
  /// Where the answer goes. Use it on its event loop only.
  public let connection: any CallConnection

  public init(
    id: CallID, method: UInt16, path: String?, meta: CallMeta, deadline: NIODeadline?, message: ByteBuffer, isHalfClosed: Bool,
    connection: any CallConnection
  ) {
    self.id = id
    self.method = method
    self.path = path
    self.meta = meta
    self.deadline = deadline
    self.message = message
    self.isHalfClosed = isHalfClosed
    self.connection = connection
  }
}

/// The end of a call.
public struct CallReply: Sendable {
  /// Why the call failed; `nil` for OK.
  public var status: RPCStatus?
  /// The encoded response of a unary call; empty for a stream or a failure.
  ///
  /// Messages are copied when the call is answered, so a handler may fill one buffer again and again.
  public var message: ByteBuffer
  /// Trailing metadata.
  public var meta: CallMeta?
  /// The request could not be parsed. A peer that sends many such requests is closed.
  public var isMalformedRequest = false

  @inlinable
  public init(message: ByteBuffer, meta: CallMeta? = nil) {
    self.status = nil
    self.message = message
    self.meta = meta
  }

  @inlinable
  public init(status: RPCStatus?, meta: CallMeta? = nil) {
    self.status = status
    self.message = ByteBuffer()
    self.meta = meta
  }
}

/// What the dispatcher did with a call.
public enum CallDisposition {
  /// It is answered.
  case reply(CallReply)
  /// `CallConnection.complete(_:with:)` follows, perhaps after messages of a stream.
  case pending
}

/// Why nobody waits for a call any longer.
public enum CancelReason: Hashable, Sendable {
  /// The client cancelled it.
  case client
  /// Its deadline passed.
  case deadline
  /// Its connection is gone.
  case connectionClosed
  /// The client broke a rule of its stream.
  case violation
}

extension RPCStatus.Detail {
  /// Says that nothing was executed, so that sending the call again is safe:
  /// `google.rpc.ErrorInfo {reason: "NOT_EXECUTED", domain: "tidemark"}`.
  public static let notExecuted = RPCStatus.Detail(
    typeURL: "type.googleapis.com/google.rpc.ErrorInfo",
    value: [0x0A, 12] + Array("NOT_EXECUTED".utf8) + [0x12, 8] + Array("tidemark".utf8))
}
