import NIOCore
import TidemarkWire

/// The receiving side of flow control: puts the messages of streams together and decides when credit goes back.
///
/// Credit for a whole message goes back when its consumer took it. Credit for the parts of an unfinished message goes back as
/// they arrive, but only while no finished message waits for the consumer: so a message may be larger than the credit, and yet
/// a consumer that does not take messages holds one unfinished message and one credit at most.
struct InboundFlow {
  private let streamCreditInitial: Int
  private let messageBytesMax: Int
  private var connection: ReceiveCredit
  private var streams: [UInt32: Stream] = [:]
  /// The bytes of unfinished messages on all streams.
  private(set) var assembledBytes = 0

  private struct Stream {
    var credit: ReceiveCredit
    /// The unfinished message.
    var partial: ByteBuffer?
    var isCompressed = false
    /// Credit of the unfinished message that has not gone back.
    var held = 0
    /// Credit of finished messages that the consumer has not taken.
    var outstanding = 0
  }

  /// A DATA frame, judged.
  enum Arrival {
    /// The message goes on.
    case part
    /// A message is complete; `owed` is the credit to give back when it is taken.
    case message(ByteBuffer, isCompressed: Bool, owed: Int)
    /// END without a message.
    case end
    /// The peer had no credit: the connection is in error.
    case overCredit
    /// The message passes the limit: the call is in error.
    case tooLarge
    /// The flags are wrong: the connection is in error.
    case badFlags
  }

  init(streamCreditBytes: Int, connectionCreditBytes: Int, messageBytesMax: Int) {
    streamCreditInitial = streamCreditBytes
    connection = ReceiveCredit(connectionCreditBytes)
    self.messageBytesMax = messageBytesMax
  }

  /// Takes DATA of an open stream.
  mutating func receive(_ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer) -> Arrival {
    let bytes = payload.readableBytes
    // Taken out while it changes: a second reference would copy the whole unfinished message at every part.
    var stream = streams.removeValue(forKey: header.stream) ?? Stream(credit: ReceiveCredit(streamCreditInitial))
    defer { streams[header.stream] = stream }
    guard connection.consume(bytes), stream.credit.consume(bytes) else { return .overCredit }
    out.writeCredit(connection.giveBack(0), stream: 0)
    let isFirst = stream.partial == nil
    guard isFirst || !header.flags.contains(.compressed) else { return .badFlags }
    if isFirst && bytes == 0 && header.flags == .end { return .end }
    guard (stream.partial?.readableBytes ?? 0) + bytes <= messageBytesMax else { return .tooLarge }
    if isFirst { stream.isCompressed = header.flags.contains(.compressed) }
    stream.held += bytes
    guard !header.flags.contains(.more) else {
      assembledBytes += bytes
      if stream.partial == nil { stream.partial = payload } else { stream.partial?.writeImmutableBuffer(payload) }
      if stream.outstanding == 0 {
        let back = stream.held
        stream.held = 0
        out.writeCredit(stream.credit.giveBack(back), stream: header.stream)
        out.writeCredit(connection.giveBack(back), stream: 0)
      }
      return .part
    }
    var message = payload
    if var partial = stream.partial {
      stream.partial = nil
      assembledBytes -= partial.readableBytes
      partial.writeImmutableBuffer(payload)
      message = partial
    }
    let owed = stream.held
    stream.held = 0
    stream.outstanding += owed
    return .message(message, isCompressed: stream.isCompressed, owed: owed)
  }

  /// Takes DATA of a closed stream: its bytes count against the connection and go back at once.
  ///
  /// - Returns: `false` when the peer had no credit.
  mutating func discard(_ bytes: Int, into out: inout ByteBuffer) -> Bool {
    guard connection.consume(bytes) else { return false }
    out.writeCredit(connection.giveBack(bytes), stream: 0)
    return true
  }

  /// The consumer took a message. `bytes` is what the message owed.
  mutating func giveBack(_ bytes: Int, to id: UInt32, into out: inout ByteBuffer) {
    guard bytes > 0, var stream = streams[id] else { return }
    var back = min(bytes, stream.outstanding)
    stream.outstanding -= back
    if stream.outstanding == 0 {
      back += stream.held
      stream.held = 0
    }
    out.writeCredit(stream.credit.giveBack(back), stream: id)
    out.writeCredit(connection.giveBack(back), stream: 0)
    streams[id] = stream
  }

  /// Forgets a stream and gives the connection back what its messages owed.
  mutating func close(_ id: UInt32, into out: inout ByteBuffer) {
    guard !streams.isEmpty, let stream = streams.removeValue(forKey: id) else { return }
    assembledBytes -= stream.partial?.readableBytes ?? 0
    out.writeCredit(connection.giveBack(stream.held + stream.outstanding), stream: 0)
  }
}
