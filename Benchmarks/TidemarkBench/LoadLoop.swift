internal import CTidemarkEpoll
internal import Glibc

/// Drives one `Load` on raw non-blocking sockets with epoll, on the calling thread.
struct LoadLoop<L: Load> {
  private struct Connection {
    var socket: Int32
    var buffer: UnsafeMutableRawPointer
    var filled = 0
  }

  /// The most a reply may take with its header.
  private static var bufferBytes: Int { 128 * 1024 }

  private var load: L
  private var connections: [Connection] = []
  /// The calls in flight on each connection. Each has a slot: its connection's number times this, and its lane.
  private let lanes: Int
  /// For each slot, when its call was sent.
  private var sentAt: [UInt64]
  private let poll: Int32
  private var measurement = Measurement()
  /// Calls that may still be started; `Int.max` when time decides.
  private var callsLeft: Int
  private var isCounting = false
  private var inFlight = 0

  init(_ load: L, connections count: Int, lanes: Int, port: Int, calls: Int) throws(BenchError) {
    self.load = load
    self.lanes = lanes
    sentAt = Array(repeating: 0, count: count * lanes)
    callsLeft = calls == 0 ? .max : calls
    poll = epoll_create1(0)
    for slot in 0..<count {
      let socket = try load.connect(port: port)
      var event = epoll_event()
      event.events = UInt32(EPOLLIN.rawValue)
      event.data.u64 = UInt64(slot)
      guard epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) == 0 else { throw BenchError("epoll_ctl: errno \(errno)") }
      connections.append(
        Connection(socket: socket, buffer: .allocate(byteCount: Self.bufferBytes, alignment: 16)))
    }
  }

  /// Runs until the time or the calls are used up, and all replies are there.
  mutating func run(warmUpSeconds: Double, seconds: Double) throws(BenchError) -> Measurement {
    defer { closeAll() }
    let isTimed = callsLeft == .max
    var start = Clock.now()
    var processorStart = Clock.threadTime()
    let countFrom = isTimed ? start + UInt64(warmUpSeconds * 1e9) : start
    let end = isTimed ? countFrom + UInt64(seconds * 1e9) : .max
    isCounting = !isTimed
    for slot in sentAt.indices { try send(slot, at: start) }
    var now = start
    var progressAt = now
    while inFlight > 0 {
      let before = now
      let events = try wait()
      now = Clock.now()
      if isCounting {
        measurement.waiting += now - before
        measurement.wakes += 1
      }
      if events == 0, now - progressAt > 10_000_000_000 { throw BenchError("no reply for 10 s") }
      if events > 0 { progressAt = now }
      if isTimed {
        if !isCounting, callsLeft > 0, now >= countFrom {
          isCounting = true
          start = now
          processorStart = Clock.threadTime()
          itemsBefore = load.itemsTold
        } else if isCounting, callsLeft > 0, now >= end {
          finishCounting(start, processorStart, now)
        }
      }
      for index in 0..<events { now = try receive(from: ready[index], now: now) }
    }
    if isCounting { finishCounting(start, processorStart, Clock.now()) }
    return measurement
  }

  private var ready: [Int] = []
  private var itemsBefore: UInt64 = 0

  private mutating func finishCounting(_ start: UInt64, _ processorStart: UInt64, _ now: UInt64) {
    measurement.wall = now - start
    measurement.items = load.itemsTold - itemsBefore
    measurement.processor = Clock.threadTime() - processorStart
    isCounting = false
    callsLeft = 0
  }

  /// Waits for replies; `ready` names their connections.
  private mutating func wait() throws(BenchError) -> Int {
    ready.removeAll(keepingCapacity: true)
    let poll = poll
    let found = withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 64) { events in
      let count = epoll_wait(poll, events.baseAddress, 64, 1_000)
      if count > 0 { for index in 0..<Int(count) { ready.append(Int(events[index].data.u64)) } }
      return count
    }
    guard found >= 0 || errno == EINTR else { throw BenchError("epoll_wait: errno \(errno)") }
    return max(0, Int(found))
  }

  private mutating func send(_ slot: Int, at now: UInt64) throws(BenchError) {
    guard callsLeft > 0 else { return }
    if callsLeft != .max { callsLeft -= 1 }
    try Socket.sendAll(connections[slot / lanes].socket, load.request(slot: slot))
    sentAt[slot] = now
    inFlight += 1
  }

  /// Reads what a connection has, takes complete replies and sends the next requests. Returns the time after it.
  private mutating func receive(from connection: Int, now: UInt64) throws(BenchError) -> UInt64 {
    let buffer = connections[connection].buffer
    var filled = connections[connection].filled
    let got = recv(connections[connection].socket, buffer + filled, Self.bufferBytes - filled, Int32(MSG_DONTWAIT))
    guard got > 0 else {
      if got < 0, errno == EAGAIN || errno == EINTR { return now }
      throw BenchError("the server closed a connection")
    }
    filled += got
    var time = now
    var offset = 0
    while filled - offset >= L.headerBytes {
      let (length, isReply) = try load.payloadLength(buffer + offset)
      let total = L.headerBytes + length
      guard total <= Self.bufferBytes else { throw BenchError("a reply of \(length) bytes") }
      guard filled - offset >= total else { break }
      if isReply {
        time = Clock.now()
        let slot = connection * lanes + load.lane(buffer + offset)
        guard sentAt.indices.contains(slot) else { throw BenchError("a reply to no call") }
        if isCounting { measurement.latencies.add(time - sentAt[slot]) }
        inFlight -= 1
        measurement.calls += 1
        try load.finish(
          slot: slot, header: buffer + offset,
          payload: UnsafeRawBufferPointer(start: buffer + offset + L.headerBytes, count: length))
        try send(slot, at: time)
      }
      offset += total
    }
    if offset < filled { memmove(buffer, buffer + offset, filled - offset) }
    connections[connection].filled = filled - offset
    return time
  }

  private mutating func closeAll() {
    for connection in connections {
      close(connection.socket)
      connection.buffer.deallocate()
    }
    connections = []
    close(poll)
  }
}
