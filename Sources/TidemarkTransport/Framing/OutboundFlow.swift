import NIOCore
import TidemarkWire

/// The sending side of flow control: which messages of which streams wait for credit.
///
/// Used by the server for its streams and by the client for calls that were not half-closed. DATA leaves only while the
/// stream, the connection and the socket all can take it. Streams that wait are served in turn.
struct OutboundFlow {
  /// The bytes that may collect in the output before the socket has to take them.
  static let outputBytesMax = 256 * 1024

  private(set) var connectionCredit: SendCredit
  private var streamCreditInitial: Int
  private var frameBytesMax: Int
  private var streams: [UInt32: Stream] = [:]
  /// Streams that have something to send, or whose sender was told to wait, in the order in which they began to wait.
  private var waiting: [UInt32] = []
  /// Whether the socket takes bytes.
  var isWritable = true
  private var dataFramesSent = 0
  /// The memory of the messages that wait, in bytes.
  private(set) var heldBytes = 0

  /// What one stream has to send.
  struct Stream {
    var credit: SendCredit
    var queue: [Message] = []
    var isWaiting = false
    /// The end of the stream, sent when the queue is empty.
    var last: Last?
  }

  /// A message that is not sent, or not to its end.
  struct Message {
    var bytes: ByteBuffer
    var isCompressed: Bool
    var isStarted = false
    /// Sent with END (client only).
    var end = false
  }

  /// What ends a stream.
  enum Last {
    case reply(CallReply)
  }

  /// What became of a waiting stream.
  enum Progress {
    case canSend(UInt32)
    case finished(UInt32, Last)
  }

  /// How many DATA frames were sent since this was last asked.
  mutating func takeDataFramesSent() -> Int {
    defer { dataFramesSent = 0 }
    return dataFramesSent
  }

  init(streamCreditBytes: Int, connectionCreditBytes: Int, frameBytesMax: Int) {
    streamCreditInitial = streamCreditBytes
    connectionCredit = SendCredit(connectionCreditBytes)
    self.frameBytesMax = frameBytesMax
  }

  /// Applies the limits of the peer's HELLO, which came after streams were opened under the defaults. They never shrink.
  mutating func raise(streamCreditBytes: Int, connectionCreditBy: Int, frameBytesMax: Int) {
    let more = max(0, streamCreditBytes - streamCreditInitial)
    for stream in streams.keys { _ = streams[stream]?.credit.add(more) }
    streamCreditInitial += more
    _ = connectionCredit.add(max(0, connectionCreditBy))
    self.frameBytesMax = max(self.frameBytesMax, frameBytesMax)
  }

  var hasWaiting: Bool { !waiting.isEmpty }

  func contains(_ stream: UInt32) -> Bool { streams[stream] != nil }

  /// True when the end of the stream is queued: its sender is done with it.
  func isFinishing(_ stream: UInt32) -> Bool { streams[stream]?.last != nil }

  /// Opens a stream, unless it is open.
  ///
  /// - Parameter credit: what the peer gave before; `nil` for what every stream starts with.
  mutating func open(_ stream: UInt32, credit: SendCredit? = nil) {
    guard streams[stream] == nil else { return }
    streams[stream] = Stream(credit: credit ?? makeCredit())
  }

  /// The credit that every stream starts with.
  func makeCredit() -> SendCredit { SendCredit(streamCreditInitial) }

  mutating func close(_ stream: UInt32) {
    guard !streams.isEmpty, let removed = streams.removeValue(forKey: stream) else { return }
    for message in removed.queue { heldBytes -= message.bytes.storageCapacity }
    guard removed.isWaiting else { return }
    waiting.removeAll { $0 == stream }
  }

  /// Forgets all streams: the connection is gone.
  mutating func closeAll() {
    streams = [:]
    waiting = []
    heldBytes = 0
  }

  /// Queues a message and sends what can be sent of it.
  ///
  /// - Returns: whether a further message could be sent at once.
  mutating func send(_ message: Message, on stream: UInt32, into out: inout ByteBuffer) -> Bool {
    guard streams[stream] != nil else { return false }
    heldBytes += message.bytes.storageCapacity
    streams[stream]?.queue.append(message)
    pump(stream, into: &out)
    let canSend = isReady(stream, out)
    if !canSend { wait(stream) }
    return canSend
  }

  /// Ends a stream once its queue is empty.
  ///
  /// - Returns: whether it is empty now: then the stream is closed and the caller sends `last`.
  mutating func finish(_ stream: UInt32, with last: Last) -> Bool {
    guard let state = streams[stream] else { return true }
    if state.queue.isEmpty {
      close(stream)
      return true
    }
    guard state.last == nil else { return false }
    streams[stream]?.last = last
    wait(stream)
    return false
  }

  /// Adds credit; `false` when it passes the maximum.
  mutating func add(_ increment: Int, to stream: UInt32) -> Bool {
    guard stream != 0 else { return connectionCredit.add(increment) }
    return streams[stream]?.credit.add(increment) ?? true
  }

  /// Serves the next waiting stream that can move.
  mutating func next(into out: inout ByteBuffer) -> Progress? {
    var index = 0
    while index < waiting.count {
      guard isWritable, out.readableBytes < OutboundFlow.outputBytesMax else { return nil }
      let id = waiting[index]
      pump(id, into: &out)
      guard let stream = streams[id] else {
        waiting.remove(at: index)
        continue
      }
      if stream.queue.isEmpty, let last = stream.last {
        close(id)
        return .finished(id, last)
      }
      if stream.last == nil, isReady(id, out) {
        waiting.remove(at: index)
        streams[id]?.isWaiting = false
        return .canSend(id)
      }
      index += 1
      // Without credit for the connection no other stream can send, but one may be finished.
    }
    return nil
  }

  private func isReady(_ id: UInt32, _ out: ByteBuffer) -> Bool {
    guard let stream = streams[id] else { return false }
    return stream.queue.isEmpty && stream.credit.available > 0 && connectionCredit.available > 0 && isWritable
      && out.readableBytes < OutboundFlow.outputBytesMax
  }

  private mutating func wait(_ id: UInt32) {
    guard streams[id]?.isWaiting == false else { return }
    streams[id]?.isWaiting = true
    waiting.append(id)
  }

  private mutating func pump(_ id: UInt32, into out: inout ByteBuffer) {
    while isWritable, out.readableBytes < OutboundFlow.outputBytesMax, let stream = streams[id],
      var message = stream.queue.first
    {
      let remaining = message.bytes.readableBytes
      let part = min(remaining, stream.credit.available, connectionCredit.available, frameBytesMax)
      guard part > 0 || remaining == 0 else { return }
      var flags: FrameFlags = message.isCompressed && !message.isStarted ? .compressed : []
      if part < remaining { flags.insert(.more) } else if message.end { flags.insert(.end) }
      out.writeFrameHeader(FrameHeader(length: UInt32(clamping: part), type: .data, flags: flags, stream: id))
      dataFramesSent &+= 1
      if let bytes = message.bytes.readSlice(length: part) { out.writeImmutableBuffer(bytes) }
      message.isStarted = true
      streams[id]?.credit.spend(part)
      connectionCredit.spend(part)
      if part < remaining {
        streams[id]?.queue[0] = message
      } else {
        heldBytes -= message.bytes.storageCapacity
        streams[id]?.queue.removeFirst()
      }
    }
  }
}
