import Synchronization
public import Logging
public import NIOCore
public import TidemarkWire

/// Listens on one port and serves every connection with the dispatcher of its event loop.
public final class TidemarkListener: Sendable {
  /// The address that is really listened on; its port is never 0.
  public let port: Int

  private let channel: any Channel
  private let counts: ConnectionCounts
  private let children: ConnectionSet
  private let budget: AnswerBudget
  private let requests: RequestBudget
  private let limits: ServerLimits
  private let logger: Logger

  private init(
    port: Int, channel: any Channel, counts: ConnectionCounts, children: ConnectionSet, budget: AnswerBudget,
    requests: RequestBudget, limits: ServerLimits, logger: Logger
  ) {
    self.port = port
    self.channel = channel
    self.counts = counts
    self.children = children
    self.budget = budget
    self.requests = requests
    self.limits = limits
    self.logger = logger
  }

  /// Connections now.
  public var connectionCount: Int { counts.total }

  /// Answers that nobody has read yet, in bytes.
  public var heldAnswerBytes: Int { budget.heldBytes }

  /// The memory of requests that wait, in bytes.
  public var heldRequestBytes: Int { requests.heldBytes }

  /// Binds and starts to accept.
  ///
  /// - Parameters:
  ///   - host: the address to bind; the loopback unless said otherwise.
  ///   - port: 0 for any free one; see `port`.
  ///   - hello: what the HELLO says besides the limits: name, bulk limits, retention, schema hash.
  ///   - makeHandler: makes the dispatcher of one event loop, on that loop.
  /// - Throws: what binding throws, for example when the port is taken.
  public static func start(
    host: String = "127.0.0.1", port: Int = WireLimits.portDefault, group: any EventLoopGroup, limits: ServerLimits = .init(),
    hello: Hello = Hello(), logger: Logger = Logger(label: "tidemark.transport"),
    makeHandler: @escaping @Sendable (any EventLoop) -> any CallHandler
  ) async throws -> TidemarkListener {
    let counts = ConnectionCounts(limits: limits)
    let children = ConnectionSet()
    var handlers: [ObjectIdentifier: NIOLoopBoundBox<any CallHandler>] = [:]
    for loop in group.makeIterator() {
      handlers[ObjectIdentifier(loop)] = try await loop.submit {
        NIOLoopBoundBox(makeHandler(loop), eventLoop: loop)
      }.get()
    }
    let (budget, requests) = (AnswerBudget(limits: limits), RequestBudget(limits: limits))
    let setup = ConnectionSetup(
      limits: limits, hello: hello, counts: counts, children: children, budget: budget, requests: requests, handlers: handlers)
    let channel = try await makeServerChannel(group: group, setup: setup, host: host, port: port)
    guard let bound = channel.localAddress?.port else { throw ChannelError.unknownLocalAddress }
    logger.info("listening", metadata: ["host": "\(host)", "port": "\(bound)"])
    return TidemarkListener(
      port: bound, channel: channel, counts: counts, children: children, budget: budget, requests: requests, limits: limits,
      logger: logger)
  }

  /// Stops to accept, lets calls in flight finish, and closes each connection once its replies are written.
  ///
  /// - Parameter timeout: after this time what is left is closed as it is.
  /// - Returns: how many connections had to be closed that way.
  @discardableResult
  public func drain(timeout: TimeAmount) async -> Int {
    try? await channel.close()
    children.drain()
    let deadline = NIODeadline.now() + timeout
    while counts.total > 0, NIODeadline.now() < deadline {
      try? await Task.sleep(for: .milliseconds(10))
    }
    let left = counts.total
    await children.closeAll()
    logger.info("drained", metadata: ["closed_early": "\(left)"])
    return left
  }
}

/// The open connections of a listener, so that all can be told to drain.
final class ConnectionSet: Sendable {
  private struct State {
    var entries: [ObjectIdentifier: Entry] = [:]
    var isDraining = false
  }
  private struct Entry {
    let channel: any Channel
    var drain: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  func insert(_ channel: any Channel) {
    state.withLock { $0.entries[ObjectIdentifier(channel)] = Entry(channel: channel) }
  }

  /// Says how to drain a connection, now that its codec is known.
  func setDrain(_ channel: any Channel, _ drain: @escaping @Sendable () -> Void) {
    let isDraining = state.withLock { state in
      state.entries[ObjectIdentifier(channel)]?.drain = drain
      return state.isDraining
    }
    if isDraining { drain() }
  }

  func remove(_ channel: any Channel) {
    state.withLock { $0.entries[ObjectIdentifier(channel)] = nil }
  }

  func drain() {
    let entries = state.withLock { state in
      state.isDraining = true
      return Array(state.entries.values)
    }
    for entry in entries {
      // A connection that never said what it is has nothing to lose.
      if let drain = entry.drain { drain() } else { entry.channel.close(promise: nil) }
    }
  }

  func closeAll() async {
    let channels = state.withLock { $0.entries.values.map(\.channel) }
    for channel in channels { try? await channel.close() }
  }
}
