import NIOCore
import Synchronization
import TidemarkWire

/// Spreads calls over several connections to several servers.
final class PooledTransport: CallTransport {
  private struct State {
    var pool: PoolState
    var waiters = PoolWaiters()
    var connections: [PoolState.ID: any CallTransport] = [:]
    var isClosed = false
  }

  private let timing: ClientTiming
  private let options: PoolOptions
  private let connect: @Sendable (_ address: Int) -> any CallTransport
  private let state: Mutex<State>

  /// - Parameters:
  ///   - servers: how many there are.
  ///   - connect: makes a connection to one of them. It is opened by its first call.
  init(
    servers: Int, options: PoolOptions, timing: ClientTiming, connect: @escaping @Sendable (_ address: Int) -> any CallTransport
  ) {
    self.timing = timing
    self.options = options
    self.connect = connect
    let start = options.startsAtRandom && servers > 1 ? Int(timing.random() % UInt64(servers)) : 0
    state = Mutex(State(pool: PoolState(options: options, servers: servers, start: start)))
  }

  deinit { close() }

  /// How many connections there are.
  var connectionCount: Int { state.withLock { $0.connections.count } }

  var mayTryElsewhere: Bool {
    let now = timing.uptime()
    return state.withLock { $0.pool.mayTryElsewhere(now: now) }
  }

  func unary(_ call: OutgoingCall) async throws(AttemptFailure) -> ByteBuffer {
    let lease = try await lease(call)
    do {
      let answer = try await lease.transport.unary(call)
      release(lease.id, isBroken: false)
      return answer
    } catch {
      release(lease.id, isBroken: error.tellsOfTheConnection)
      throw error
    }
  }

  func open(_ call: OutgoingCall) async throws(AttemptFailure) -> any MessageSource {
    let lease = try await lease(call)
    do {
      let source = try await lease.transport.open(call)
      return PooledMessageSource(source) { [weak self] isBroken in self?.release(lease.id, isBroken: isBroken) }
    } catch {
      release(lease.id, isBroken: error.tellsOfTheConnection)
      throw error
    }
  }

  func hello(deadline: Duration?) async throws(AttemptFailure) -> Hello {
    let call = OutgoingCall(method: .getServerInfo, message: ByteBuffer(), authorization: "", attempt: 1, deadline: deadline)
    let lease = try await lease(call)
    do {
      let hello = try await lease.transport.hello(deadline: deadline)
      release(lease.id, isBroken: false)
      return hello
    } catch {
      release(lease.id, isBroken: error.tellsOfTheConnection)
      throw error
    }
  }

  func close() {
    let (connections, waiters) = state.withLock { state in
      state.isClosed = true
      defer { state.connections = [:] }
      return (state.connections, state.waiters.takeAll())
    }
    for waiter in waiters { waiter.resume(returning: .closed) }
    for connection in connections.values { connection.close() }
  }

  // MARK: Leases

  private struct Lease {
    let id: PoolState.ID
    let transport: any CallTransport
  }

  /// What a call does next on its way to a connection.
  private enum Step {
    case use(Lease)
    case check(Lease)
    case wait(until: Duration)
    case queue(UInt64)
    case full
    case closed
  }

  private func lease(_ call: OutgoingCall) async throws(AttemptFailure) -> Lease {
    let end = min(timing.uptime() + options.waitMax, call.deadline ?? .seconds(Int64.max / 4))
    var isFirst = true
    while true {
      switch next(isFirst: isFirst) {
      case .use(let lease):
        wakeNext()
        return lease
      case .check(let lease):
        if try await isAlive(lease, call) { return lease }
      case .wait(let until):
        guard until < end else { throw .notExecuted(.noServer) }
        try await sleep(max(until - timing.uptime(), .zero))
      case .queue(let id): try await wait(id, until: end)
      case .full: throw .notExecuted(.poolFull)
      case .closed: throw .final(.closed, mayHaveExecuted: false)
      }
      isFirst = false
    }
  }

  private func next(isFirst: Bool) -> Step {
    let now = timing.uptime()
    let random = timing.random()
    let (step, closed): (Step, [any CallTransport]) = state.withLock { state in
      guard !state.isClosed else { return (.closed, []) }
      // Who came first goes first.
      let mustQueue = isFirst && state.waiters.count > 0
      if mustQueue { return (queue(&state), []) }
      let (decision, gone) = state.pool.acquire(now: now, random: random)
      let closed = gone.compactMap { state.connections.removeValue(forKey: $0) }
      switch decision {
      case .open(let id, let address):
        let transport = connect(address)
        state.connections[id] = transport
        return (.use(Lease(id: id, transport: transport)), closed)
      case .use(let id): return (state.connections[id].map { .use(Lease(id: id, transport: $0)) } ?? .closed, closed)
      case .check(let id): return (state.connections[id].map { .check(Lease(id: id, transport: $0)) } ?? .closed, closed)
      case .wait(let until): return (.wait(until: until), closed)
      case .queue: return (queue(&state), closed)
      }
    }
    for connection in closed { connection.close() }
    return step
  }

  private func queue(_ state: inout State) -> Step {
    state.waiters.count < options.waitersMax ? .queue(state.waiters.makeID()) : .full
  }

  /// Waits for a place.
  private func wait(_ id: UInt64, until end: Duration) async throws(AttemptFailure) {
    let timer = Task { [timing, weak self] in
      guard (try? await timing.sleep(max(end - timing.uptime(), .zero))) != nil else { return }
      self?.endWait(id, .timeout)
    }
    defer { timer.cancel() }
    let how = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let early = state.withLock { state -> PoolWaiters.End? in
          if state.isClosed { return .closed }
          // A place may have become free since.
          if state.pool.hasPlace(now: timing.uptime()) { return .place }
          return state.waiters.add(id, continuation)
        }
        if let early { continuation.resume(returning: early) }
      }
    } onCancel: {
      endWait(id, .cancelled)
    }
    state.withLock { $0.waiters.forget(id) }
    switch how {
    case .place: return
    case .timeout: throw .notExecuted(.poolFull)
    case .cancelled: throw .final(.cancelled, mayHaveExecuted: false)
    case .closed: throw .final(.closed, mayHaveExecuted: false)
    }
  }

  private func endWait(_ id: UInt64, _ end: PoolWaiters.End) {
    state.withLock { $0.waiters.take(id, early: end) }?.resume(returning: end)
  }

  private func sleep(_ duration: Duration) async throws(AttemptFailure) {
    do {
      try await timing.sleep(duration)
    } catch {
      throw .final(.cancelled, mayHaveExecuted: false)
    }
  }

  /// Asks an idle connection for a sign of life: any answer is one.
  private func isAlive(_ lease: Lease, _ call: OutgoingCall) async throws(AttemptFailure) -> Bool {
    let ping = OutgoingCall(
      method: .getServerInfo, message: ByteBuffer(), authorization: call.authorization, attempt: 1,
      deadline: min(timing.uptime() + options.pingTimeout, call.deadline ?? .seconds(Int64.max / 4)))
    do {
      _ = try await lease.transport.unary(ping)
    } catch .status {
      // It speaks.
    } catch .final(let error, let executed) {
      release(lease.id, isBroken: false)
      throw .final(error, mayHaveExecuted: executed)
    } catch {
      release(lease.id, isBroken: true)
      return false
    }
    state.withLock { $0.pool.didAnswer(lease.id, now: timing.uptime()) }
    // There may be room for more calls on it.
    wakeNext()
    return true
  }

  private func release(_ id: PoolState.ID, isBroken: Bool) {
    let (now, random) = (timing.uptime(), timing.random())
    let closed = state.withLock { state in
      state.pool.release(id, isBroken: isBroken, now: now, random: random).compactMap {
        state.connections.removeValue(forKey: $0)
      }
    }
    for connection in closed { connection.close() }
    wakeNext()
  }

  /// Tells the first that waits when there is a place.
  private func wakeNext() {
    let now = timing.uptime()
    let waiter = state.withLock { state in
      state.waiters.count > 0 && state.pool.hasPlace(now: now) ? state.waiters.takeFirst() : nil
    }
    waiter?.resume(returning: .place)
  }
}

/// A stream that gives its place back when it ends.
private final class PooledMessageSource: MessageSource {
  private let source: any MessageSource
  private let finish: @Sendable (_ isBroken: Bool) -> Void
  private let isFinished = Mutex(false)

  init(_ source: any MessageSource, finish: @escaping @Sendable (_ isBroken: Bool) -> Void) {
    self.source = source
    self.finish = finish
  }

  deinit { end(isBroken: false) }

  func next() async throws(AttemptFailure) -> ByteBuffer? {
    do {
      let message = try await source.next()
      if message == nil { end(isBroken: false) }
      return message
    } catch {
      end(isBroken: error.tellsOfTheConnection)
      throw error
    }
  }

  func cancel() {
    source.cancel()
    end(isBroken: false)
  }

  private func end(isBroken: Bool) {
    let isFirst = isFinished.withLock { isFinished in
      defer { isFinished = true }
      return !isFinished
    }
    if isFirst { finish(isBroken) }
  }
}

extension AttemptFailure {
  /// Whether another connection may fare better: nobody was reached, or the server is going away.
  var tellsOfTheConnection: Bool {
    switch self {
    case .notExecuted(let error), .unanswered(let error): error.code == .unavailable
    case .status(let status): status.code == .unavailable
    case .final: false
    }
  }
}

extension ClientError {
  static let poolFull = ClientError(
    .resourceExhausted, "No connection of the pool became free in time.", reason: "POOL_EXHAUSTED")
  static let noServer = ClientError(.unavailable, "No server of the pool can be reached.", reason: "NO_SERVER")
}
