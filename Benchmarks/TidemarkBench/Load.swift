/// A kind of call, as one load thread makes it: one in flight in each slot, and one slot or several for each of its connections.
protocol Load {
  /// The bytes before a payload.
  static var headerBytes: Int { get }
  /// The payload's length; `nil` when the frame is no reply and is to be skipped with its length.
  func payloadLength(_ header: UnsafeRawPointer) throws(BenchError) -> (length: Int, isReply: Bool)
  /// Which of its connection's slots a reply belongs to.
  func lane(_ header: UnsafeRawPointer) -> Int
  /// The next request of a slot.
  mutating func request(slot: Int) throws(BenchError) -> [UInt8]
  /// Takes the reply to it.
  mutating func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError)
  func connect(port: Int) throws(BenchError) -> Int32
  /// How many items all replies held so far.
  var itemsTold: UInt64 { get }
}

extension Load {
  func lane(_ header: UnsafeRawPointer) -> Int { 0 }
  var itemsTold: UInt64 { 0 }
}

/// What one thread measured.
struct Measurement: Sendable {
  var latencies = Histogram()
  /// All calls, the warm-up and the end included.
  var calls: UInt64 = 0
  /// The items of the replies that were counted.
  var items: UInt64 = 0
  /// From the first counted call to the last, in nanoseconds.
  var wall: UInt64 = 0
  /// The thread's processor time in that, in nanoseconds.
  var processor: UInt64 = 0
  /// The time in epoll_wait in that, in nanoseconds.
  var waiting: UInt64 = 0
  /// How often epoll_wait returned in that.
  var wakes: UInt64 = 0
}
