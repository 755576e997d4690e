/// The kinds of frames.
///
/// Unknown types from 0x80 on are skipped, so that later versions can add frames that older peers may ignore; every other
/// unknown type ends the connection.
public enum FrameType: UInt8, Sendable, CaseIterable {
  /// The limits of the sender. First frame in each direction, once.
  case hello = 1
  /// Client to server: begins a call, or continues its first message.
  case call = 2
  /// A message of a stream, or a part of one.
  case data = 3
  /// Server to client: the last message of a call, with its status.
  case reply = 4
  /// Ends a call early.
  case cancel = 5
  /// Allows the peer to send more DATA.
  case credit = 6
  /// Asks whether the peer is there, or answers that.
  case ping = 7
  /// Tells the peer to stop using the connection.
  case goAway = 8

  /// The first type that a receiver skips when it does not know it.
  public static let ignorableMin: UInt8 = 0x80
}

/// The flags of a frame.
@frozen public struct FrameFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// CALL, DATA, REPLY: the sender sends nothing more on this stream.
  public static let end = FrameFlags(rawValue: 1)
  /// CALL, REPLY: the payload starts with a u16 length and a `CallMeta`.
  public static let meta = FrameFlags(rawValue: 2)
  /// CALL, DATA, REPLY: the message that begins here is compressed.
  public static let compressed = FrameFlags(rawValue: 4)
  /// CALL, DATA, REPLY: the message continues in the next frame of this type on this stream.
  public static let more = FrameFlags(rawValue: 8)
  /// PING: this is the answer.
  public static let pong = FrameFlags(rawValue: 1)
}
