/// Why a call was cancelled (CANCEL) or a connection is ending (GOAWAY): the `aux` of these frames.
public enum FramingErrorCode: UInt16, Error, Sendable, CaseIterable {
  /// Nothing is wrong; in GOAWAY: the server is draining, or the connection was idle.
  case none = 0
  /// A frame broke a rule of the framing.
  case protocolViolation = 1
  /// A frame is larger than the receiver's limit.
  case frameTooLarge = 2
  /// More DATA than credit, or credit past 2^31 - 1.
  case flowControl = 3
  /// No version in common.
  case version = 4
  /// Too many pings, cancels, calls or other frames in too short a time.
  case calm = 5
  /// A frame, a handshake, a write or a pong did not come in time.
  case timeout = 6
  /// The caller no longer wants the answer.
  case cancelled = 7
  /// The call was refused before anything was executed. It is safe to send it again.
  case refused = 8
  /// DATA after END.
  case streamClosed = 9
  /// A message is larger than the receiver's limit.
  case messageTooLarge = 10
  /// A message cannot be inflated, or grows too much.
  case compression = 11
  /// The sender failed.
  case internalFailure = 12

  /// The code of an `aux`; unknown ones count as `internalFailure`.
  public init(aux: UInt16) {
    self = FramingErrorCode(rawValue: aux) ?? .internalFailure
  }
}
