import NIOCore
import TidemarkWire

/// The server's side of one connection of the Tidemark framing, as a value: bytes and the time in, bytes and events out.
///
/// ```
/// preface ── 8 bytes ──> hello ── HELLO ──> open ── error, idle, drained ──> closed
///    └─ not ours ─> closed   └─ GOAWAY ─────────────────────────────────────────┘
/// ```
///
/// The caller feeds `next(_:into:now:)` until it returns `nil`, hands calls to the dispatcher and reports back with `answer`,
/// `park`, `complete` and `send`. A call that is answered at once leaves no trace. Every method that writes appends to `out`.
struct ServerStateMachine {
  enum Phase {
    case preface, hello, open, closed

    var isPastHandshake: Bool { self == .open || self == .closed }
  }

  /// What the connection has to do.
  enum Event {
    /// The client said HELLO.
    case opened(Hello)
    /// A call to dispatch; `answer` or `park` must follow before anything else.
    case call(ReceivedCall)
    /// A further message of a parked call; `nil` for a mere half-close.
    case message(CallID, ByteBuffer?, isLast: Bool, owed: Int)
    /// A parked call that nobody waits for. `cancelHandled` must follow.
    case cancelled(CallID, CancelReason)
    /// A parked stream may send again.
    case creditAvailable(CallID)
    /// Close: once what is in `out` is written, or at once.
    case close(afterWriting: Bool)
  }

  /// A request whose message is complete.
  struct ReceivedCall {
    var id: CallID
    var method: UInt16
    var path: String?
    var meta: CallMeta
    var deadline: NIODeadline?
    var message: ByteBuffer
    var isHalfClosed: Bool
  }

  /// A call that waits for its handler.
  struct ParkedCall {
    var deadline: NIODeadline?
    /// The size of its request.
    var bytes: Int
    /// The memory that its request takes, about, in bytes.
    var heldBytes: Int
    /// Nothing is sent for it any more; the slot waits for the handler to end.
    var isAbandoned = false
    var isHalfClosed: Bool
  }

  /// A CALL of which more fragments follow.
  struct Assembly {
    var call: ReceivedCall
    var isCompressed: Bool
    /// The credit of its stream, when the client gave some before the call was complete.
    var credit: SendCredit?
  }

  /// What the client said it can take.
  struct Peer {
    var frameBytesMax = WireLimits.frameBytesDefault
    var messageBytesMax = WireLimits.messageBytesMax
    var inflates = false
  }

  /// How far a drain is.
  enum Drain: Equatable { case none, announced(NIODeadline), final }

  let limits: ServerLimits
  let hello: Hello
  var phase = Phase.preface
  var peer = Peer()
  var drain = Drain.none
  /// The highest stream seen.
  var highest: UInt32 = 0
  /// The call being dispatched.
  var dispatching: (id: UInt32, call: ParkedCall)?
  var calls: [UInt32: ParkedCall] = [:]
  var assemblies: [UInt32: Assembly] = [:]
  /// The bytes of unfinished CALL messages.
  var assembledBytes = 0
  /// The bytes of parked requests.
  var parkedBytes = 0
  /// The memory that parked requests take, in bytes.
  var parkedHeldBytes = 0
  /// What all of that is of the budget of all connections.
  private(set) var requests: RequestShare
  /// True when the next call waits until other connections hold less.
  private(set) var waitsForRoom = false
  var inbound: InboundFlow
  var outbound: OutboundFlow
  /// Replies that the socket has not taken, in bytes, as far as the connection told.
  var backlogBytes = 0
  var events: [Event] = []
  /// The metadata of the last call: clients send the same again and again.
  var metaCache: (bytes: [UInt8], meta: CallMeta) = ([], CallMeta())

  var pings: RateBucket
  var cancels: RateBucket
  var idleFrames: RateBucket
  var malformedCalls: RateBucket
  var callRate: RateBucket?
  var creditFramesLeft: Int
  /// The last PING that is not answered.
  var pongDue: UInt64?

  let startedAt: NIODeadline
  var lastReadAt: NIODeadline
  /// The last time a call was there.
  var lastCallAt: NIODeadline
  var pingSentAt: NIODeadline?
  /// When the frame at the front of the input began, and how much of it has come.
  var partial: (since: NIODeadline, bytes: Int)?
  /// The earliest deadline among parked and unfinished calls, or earlier.
  var callWakeAt = NIODeadline.distantFuture

  /// - Parameters:
  ///   - requests: shared with other connections; `nil` for one of its own.
  ///   - now: when the connection was accepted.
  init(limits: ServerLimits, hello: Hello = Hello(), requests: RequestBudget? = nil, now: NIODeadline) {
    self.limits = limits
    self.requests = RequestShare(requests ?? RequestBudget(limits: limits))
    self.hello = limits.hello(hello)
    inbound = InboundFlow(
      streamCreditBytes: limits.streamCreditBytes, connectionCreditBytes: limits.connectionCreditBytes,
      messageBytesMax: limits.messageBytesMax)
    outbound = OutboundFlow(streamCreditBytes: 0, connectionCreditBytes: 0, frameBytesMax: WireLimits.frameBytesDefault)
    pings = RateBucket(limits.pings)
    cancels = RateBucket(limits.cancels)
    idleFrames = RateBucket(limits.idleFrames)
    malformedCalls = RateBucket(limits.malformedCalls)
    callRate = limits.calls.map(RateBucket.init)
    creditFramesLeft = limits.creditFramesExtraMax
    startedAt = now
    lastReadAt = now
    lastCallAt = now
  }

  /// Calls that hold a slot.
  var callsInFlight: Int { calls.count + assemblies.count + (dispatching == nil ? 0 : 1) }

  /// True while the connection should not read or parse more: too much is held for calls in flight.
  var isCongested: Bool { parkedBytes >= limits.bytesQueuedMax }

  /// Tells the budget what the connection holds, when that has changed.
  mutating func countRequests() { requests.set(parkedHeldBytes &+ assembledBytes &+ inbound.assembledBytes) }

  // MARK: Input

  /// Looks again whether there is room for the next call.
  mutating func lookForRoom() { waitsForRoom = false }

  /// Whether a frame can be taken now: all but new calls can.
  private func hasRoom(for header: FrameHeader) -> Bool {
    guard header.type == FrameType.call.rawValue, header.stream > highest else { return true }
    return requests.mayBegin(bytes: Int(header.length), isWhole: header.flags.isDisjoint(with: [.more, .compressed]))
  }

  /// Takes the next thing out of `input`.
  ///
  /// - Returns: what to do, or `nil` when `input` holds no complete frame and nothing is due.
  mutating func next(_ input: inout ByteBuffer, into out: inout ByteBuffer, now: NIODeadline) -> Event? {
    while true {
      if !events.isEmpty {
        if let event = takeEvent() { return event }
        continue
      }
      switch phase {
      case .open, .hello:
        guard let header = input.peekFrameHeader() else { return nil }
        guard header.length <= UInt32(clamping: limits.frameBytesMax) else {
          return fail(.frameTooLarge, "A frame is larger than the limit.", into: &out)
        }
        waitsForRoom = !hasRoom(for: header)
        guard !waitsForRoom, input.readableBytes >= FrameHeader.bytes + Int(header.length) else { return nil }
        input.moveReaderIndex(forwardBy: FrameHeader.bytes)
        guard let payload = input.readSlice(length: Int(header.length)) else { return nil }
        let event = receive(header, payload, into: &out, now: now)
        countRequests()
        if let event { return event }
      case .preface:
        guard let event = receivePreface(&input, into: &out) else {
          if phase == .preface { return nil } else { continue }
        }
        return event
      case .closed:
        input.clear()
        return nil
      }
    }
  }

  /// Takes an event that waited; `nil` when it no longer matters.
  private mutating func takeEvent() -> Event? {
    let event = events.removeFirst()
    if case .cancelled(let id, .deadline) = event, calls[id.rawValue]?.isAbandoned != false { return nil }
    if case .creditAvailable(let id) = event, calls[id.rawValue]?.isAbandoned != false { return nil }
    return event
  }

  /// Notes what a read left behind; call it when `next` returned `nil`.
  mutating func didRead(leftover: Int, now: NIODeadline) {
    lastReadAt = now
    pingSentAt = nil
    guard leftover > 0 else {
      partial = nil
      return
    }
    // A shorter rest than before belongs to another frame.
    if let since = partial, leftover >= since.bytes {
      partial = (since.since, leftover)
    } else {
      partial = (now, leftover)
    }
  }

  /// Ends the connection with a GOAWAY.
  mutating func fail(_ code: FramingErrorCode, _ debug: String, into out: inout ByteBuffer) -> Event {
    phase = .closed
    var goAway = GoAway()
    goAway.lastStream = highest
    goAway.debug = debug
    if code == .version { goAway.minorMax = UInt32(Preface.minorMax) }
    out.writeGoAway(goAway, code: code)
    abandonAll()
    events.append(.close(afterWriting: true))
    return events.removeFirst()
  }

  private mutating func receivePreface(_ input: inout ByteBuffer, into out: inout ByteBuffer) -> Event? {
    guard let preface = input.getInteger(at: input.readerIndex, as: UInt64.self) else { return nil }
    guard UInt32(truncatingIfNeeded: preface >> 32) == Preface.magic else {
      phase = .closed
      return .close(afterWriting: false)
    }
    input.moveReaderIndex(forwardBy: Preface.bytes)
    guard UInt8(truncatingIfNeeded: preface >> 24) == Preface.major else {
      return fail(.version, "This server speaks version 1.0.", into: &out)
    }
    guard UInt16(truncatingIfNeeded: preface) == 0 else {
      return fail(.protocolViolation, "The flags of the preface are not 0.", into: &out)
    }
    phase = .hello
    return nil
  }
}
