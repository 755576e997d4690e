internal import NIOCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// The calls of one loop whose credentials cannot be judged before what other nodes did is looked at.
struct HeldCalls {
  struct Held {
    let call: IncomingCall
    /// When it came, by `StoreClock.uptimeNanoseconds`.
    let since: UInt64
  }

  /// The most calls of a loop that are held.
  static let countMax = 4_096
  /// How long a call is held, in nanoseconds. Polls take a few milliseconds: after this the database cannot be reached.
  static let timeMax: UInt64 = 2_000_000_000

  private var calls: [LoopDispatcher.CallName: Held] = [:]
  /// In the order in which they came; may name some that are gone.
  private var order: [LoopDispatcher.CallName] = []

  var isEmpty: Bool { calls.isEmpty }
  /// When the one that came last came.
  var latest: UInt64? { calls.values.map(\.since).max() }
  var earliest: UInt64? { calls.values.map(\.since).min() }

  /// Keeps a call. False when there are too many.
  mutating func add(_ call: IncomingCall, since: UInt64) -> Bool {
    guard calls.count < HeldCalls.countMax else { return false }
    let name = LoopDispatcher.CallName(connection: call.connection.connectionID, call: call.id)
    calls[name] = Held(call: call, since: since)
    order.append(name)
    return true
  }

  mutating func remove(_ name: LoopDispatcher.CallName) -> Held? { calls.removeValue(forKey: name) }

  /// Takes all out, in their order.
  mutating func takeAll() -> [Held] {
    defer { (calls, order) = ([:], []) }
    return order.compactMap { calls[$0] }
  }
}

/// Holding calls until a poll.
extension LoopDispatcher {
  /// Keeps a call until what other nodes did is looked at.
  func hold(_ call: IncomingCall, since: UInt64) -> CallDisposition {
    guard held.add(call, since: since) else { return .reply(CallReply(status: .overloaded)) }
    awaitConfirmation()
    return .pending
  }

  /// Asks for a poll that begins from now on, unless one that will do is waited for.
  private func awaitConfirmation() {
    guard !isAwaitingConfirmation, let latest = held.latest, let earliest = held.earliest else { return }
    isAwaitingConfirmation = true
    let mailbox = mailbox
    service.authenticator.whenConfirmed(since: latest) { mailbox.perform { $0.confirmed() } }
    service.poller?.ask()
    guard !isWatchingHeld else { return }
    isWatchingHeld = true
    let now = service.clock.uptimeNanoseconds()
    let rest = earliest &+ HeldCalls.timeMax > now ? earliest &+ HeldCalls.timeMax - now : 0
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: .nanoseconds(Int64(clamping: rest))) { bound.value.endLate() }
  }

  private func confirmed() {
    isAwaitingConfirmation = false
    judgeHeld()
  }

  private func endLate() {
    isWatchingHeld = false
    isAwaitingConfirmation = false
    judgeHeld()
  }

  /// Judges all that are held again.
  private func judgeHeld() {
    let now = service.clock.uptimeNanoseconds()
    var touched: [any CallConnection] = []
    for waiting in held.takeAll() {
      let call = waiting.call
      var reply: CallReply?
      switch judge(call, since: waiting.since) {
      case .principal(let principal):
        if case .reply(let made) = answer(call, principal) { reply = made }
      case .refused: reply = CallReply(status: .unauthenticated)
      case .ask where now &- waiting.since >= HeldCalls.timeMax: reply = CallReply(status: .rightsUnknown)
      case .ask:
        if !held.add(call, since: waiting.since) { reply = CallReply(status: .overloaded) }
      }
      if let reply { call.connection.complete(call.id, with: reply) }
      if !touched.contains(where: { $0 === call.connection }) { touched.append(call.connection) }
    }
    for connection in touched { connection.flush() }
    awaitConfirmation()
  }
}

extension RPCStatus {
  static let rightsUnknown = RPCStatus(
    .unavailable, "Who may call cannot be looked up now, because the database cannot be reached. Try again after a moment.",
    details: [.notExecuted, .retryAfter(milliseconds: 500)])
}
