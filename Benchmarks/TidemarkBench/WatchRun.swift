internal import CTidemarkEpoll
internal import Glibc
internal import TidemarkCore
internal import TidemarkWire

/// Many watches of one space, and one writer that creates entities at a steady rate: how long after a write is sent each watch has it.
struct WatchRun {
  private let options: Options
  private let poll: Int32
  private var watches: [Watch] = []

  private struct Watch {
    var socket: Int32
    var buffer: [UInt8] = []
    /// The part of a message that came in several frames.
    var message: [UInt8] = []
    var position: UInt64 = 0
    var isCaughtUp = false
  }

  init(_ options: Options) throws(BenchError) {
    self.options = options
    poll = epoll_create1(0)
  }

  /// Connects all watches, waits until they are caught up, writes, and waits until each watch has the last write.
  mutating func run() throws -> [(String, Double)] {
    defer { for watch in watches { close(watch.socket) } }
    let control = try ControlConnection(options)
    let before: SpaceResponse = try control.call(.getSpace, SpaceRequest(name: .default))
    let base = before.space.revision.rawValue
    for number in 0..<options.connections { try connect(number) }
    var latencies = Histogram()
    let connected = Clock.now()
    while watches.contains(where: { !$0.isCaughtUp }) {
      try receive(nil, base, &latencies)
      guard Clock.now() - connected < 60_000_000_000 else { throw BenchError("not all watches are caught up after 60 s") }
    }
    let memory = Double(residentKiB(options.serverProcess)) / 1_024
    guard options.calls > 0 else { return [("server_rss_mib", memory)] }
    let writer = try PacedWriter(options, count: options.calls)
    let last = base + UInt64(options.calls)
    let thread = Thread { writer.run() }
    while watches.contains(where: { $0.position < last }) {
      try receive(writer, base, &latencies)
      if let failure = writer.failure { throw failure }
      guard Clock.now() - connected < 300_000_000_000 else { throw BenchError("not all watches have the last write") }
    }
    let end = Clock.now()
    thread.join()
    return [
      ("server_rss_mib", memory), ("watch_p50_us", latencies.percentile(0.5)), ("watch_p99_us", latencies.percentile(0.99)),
      ("told", Double(latencies.count)), ("writes_per_s", writer.rate),
      ("last_lag_us", Double(end - writer.sentAt(options.calls)) / 1_000),
    ]
  }

  private mutating func connect(_ number: Int) throws {
    // All that is told fits into the first credit.
    let socket = try Socket.connectTidemark(port: options.port, creditBytes: 1 << 30)
    let pull = PullRequest(space: .default, kind: .changes, start: .now)
    let message = try WatchRequest(pull: pull, heartbeatMS: 600_000).encode(using: MessageArena())
    try Socket.sendAll(
      socket, CallTemplate.frame(.watch, message: message, meta: CallTemplate.meta(token: options.token), stream: 1))
    var event = epoll_event()
    event.events = UInt32(EPOLLIN.rawValue)
    event.data.u64 = UInt64(number)
    guard epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) == 0 else { throw BenchError("epoll_ctl: errno \(errno)") }
    watches.append(Watch(socket: socket))
  }

  /// Takes what has come, for at most 100 ms.
  private mutating func receive(_ writer: PacedWriter?, _ base: UInt64, _ latencies: inout Histogram) throws {
    let poll = poll
    var ready: [Int] = []
    withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 256) { events in
      let count = epoll_wait(poll, events.baseAddress, 256, 100)
      if count > 0 { for index in 0..<Int(count) { ready.append(Int(events[index].data.u64)) } }
    }
    for index in ready { try read(index, writer, base, &latencies) }
  }

  private mutating func read(
    _ index: Int, _ writer: PacedWriter?, _ base: UInt64, _ latencies: inout Histogram
  ) throws {
    let socket = watches[index].socket
    var chunk = [UInt8](repeating: 0, count: 64 * 1_024)
    let got = chunk.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
    guard got > 0 else {
      if got < 0, errno == EAGAIN || errno == EINTR { return }
      throw BenchError("the server closed a watch")
    }
    let now = Clock.now()
    watches[index].buffer += chunk[..<got]
    while true {
      guard let frame = try nextFrame(index) else { return }
      watches[index].message += frame.payload
      guard !frame.header.flags.contains(.more) else { continue }
      let message = watches[index].message
      watches[index].message = []
      let page = try message.withUnsafeBytes { try PageState($0) }
      if page.isCaughtUp { watches[index].isCaughtUp = true }
      let from = max(watches[index].position, base)
      watches[index].position = max(page.position, from)
      guard let writer, page.position > from else { continue }
      for revision in from + 1...page.position { latencies.add(now &- min(now, writer.sentAt(Int(revision - base)))) }
    }
  }

  private mutating func nextFrame(_ index: Int) throws(BenchError) -> (header: FrameHeader, payload: [UInt8])? {
    let buffer = watches[index].buffer
    guard let header = buffer.withUnsafeBytes({ FrameHeader(decoding: $0) }) else { return nil }
    let total = FrameHeader.bytes + Int(header.length)
    guard buffer.count >= total else { return nil }
    watches[index].buffer.removeFirst(total)
    guard header.type != FrameType.reply.rawValue else { throw BenchError("a watch ended with status \(header.aux)") }
    let payload = header.type == FrameType.data.rawValue ? Array(buffer[FrameHeader.bytes..<total]) : []
    return (header, payload)
  }

  /// The memory of a process, in KiB; 0 when it cannot be read.
  private func residentKiB(_ process: Int) -> Int {
    guard process > 0, let file = fopen("/proc/\(process)/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("VmRSS:") else { continue }
      return Int(text.filter(\.isNumber)) ?? 0
    }
    return 0
  }
}

/// Creates entities at a steady rate on one connection, and remembers when each was sent.
///
/// `@unchecked Sendable`: the writer's thread writes each time once, before the server can tell of its write.
private final class PacedWriter: @unchecked Sendable {
  private let options: Options
  private let socket: Int32
  private let count: Int
  private let frames: [[UInt8]]
  private let times: UnsafeMutablePointer<UInt64>
  private(set) var failure: BenchError?
  private(set) var rate = 0.0

  init(_ options: Options, count: Int) throws {
    self.options = options
    self.count = count
    socket = try Socket.connectTidemark(port: options.port)
    times = .allocate(capacity: count + 1)
    times.initialize(repeating: 0, count: count + 1)
    let (entities, arena, meta) = (try BenchEntities(), MessageArena(), CallTemplate.meta(token: options.token))
    var random = SplitMix(seed: Clock.now())
    let fields = try entities.fields(1)
    frames = try (0..<count).map { number in
      let operation = OperationID(
        rawValue: UUIDText.makeVersion7(now: Timestamp(rawValue: Clock.wallMicroseconds()), using: &random))
      let item = WriteItem(operation: operation, type: entities.type, id: nil, action: .create(fields))
      let message = try WriteRequest(space: .default, item: item).encode(using: arena)
      return CallTemplate.frame(.create, message: message, meta: meta, stream: UInt32(number) * 2 + 1)
    }
  }

  deinit {
    close(socket)
    times.deallocate()
  }

  /// When the write of a number from 1 was sent.
  func sentAt(_ number: Int) -> UInt64 { times[number] }

  func run() {
    let start = Clock.now()
    let step = UInt64(1e9 / Double(max(1, options.writesPerSecond)))
    var drop = [UInt8](repeating: 0, count: 64 * 1_024)
    for number in 1...count {
      let due = start + UInt64(number) * step
      var now = Clock.now()
      while now < due {
        usleep(UInt32(clamping: (due - now) / 1_000))
        now = Clock.now()
      }
      times[number] = Clock.now()
      do { try Socket.sendAll(socket, frames[number - 1]) } catch { return failure = error }
      _ = drop.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
    }
    rate = Double(count) / (Double(Clock.now() - start) / 1e9)
  }
}
