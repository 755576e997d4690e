import NIOCore
import TidemarkWire

/// The client's side of one connection of the Tidemark framing, as a value: bytes, calls and the time in, bytes and events out.
///
/// ```
/// waitingForHello ── HELLO ──> open ── GOAWAY ──> goingAway ── last call ended ──> closed
///        └───────────── calls may be sent in both ─┘   error in any state ────────────┘
/// ```
struct ClientStateMachine {
  enum Phase { case waitingForHello, open, closed }

  /// What the connection has to do.
  enum Event {
    case opened(Hello)
    case goingAway(GoAway, FramingErrorCode)
    /// A call has its result.
    case finished(ClientCall, CallResult)
    /// A stream has a message; give `owed` back when it is used.
    case message(ClientCall, ByteBuffer, owed: Int)
    /// Close, once what is in `out` is written.
    case close(CallFailure)
  }

  let configuration: ClientConfiguration
  var phase = Phase.waitingForHello
  var isGoingAway = false
  /// What GOAWAY asked for.
  var retryAfter: TimeAmount?
  /// The server's limits, or their defaults.
  var frameBytesMax = WireLimits.frameBytesDefault
  var messageBytesMax = WireLimits.messageBytesMax
  var callsInFlightMax = FlowDefaults.callsInFlightMax
  var serverInflates = false
  var nextStream: UInt32 = 1
  var calls: [UInt32: ClientCall] = [:]
  /// Calls that wait for a slot.
  var waiting = CircularBuffer<ClientCall>()
  var inbound: InboundFlow
  var outbound: OutboundFlow
  var events = CircularBuffer<Event>()
  var metaCache: (meta: CallMeta, bytes: [UInt8]) = (CallMeta(), [])
  var pongDue: UInt64?
  let startedAt: NIODeadline
  var lastReadAt: NIODeadline
  var pingSentAt: NIODeadline?
  /// The earliest deadline of all calls, or earlier.
  var callWakeAt = NIODeadline.distantFuture

  init(configuration: ClientConfiguration, now: NIODeadline) {
    self.configuration = configuration
    let hello = configuration.hello
    inbound = InboundFlow(
      streamCreditBytes: hello.effectiveStreamCreditBytes, connectionCreditBytes: hello.effectiveConnectionCreditBytes,
      messageBytesMax: hello.effectiveMessageBytesMax)
    outbound = OutboundFlow(
      streamCreditBytes: FlowDefaults.streamCreditBytes, connectionCreditBytes: FlowDefaults.connectionCreditBytes,
      frameBytesMax: WireLimits.frameBytesDefault)
    startedAt = now
    lastReadAt = now
  }

  /// Writes preface and HELLO. First of all.
  func begin(into out: inout ByteBuffer) {
    out.writeInteger(Preface.encoded)
    out.writeHello(configuration.hello)
  }

  // MARK: Calls

  /// Sends a call, lets it wait for a slot, or fails it.
  mutating func submit(_ call: ClientCall, into out: inout ByteBuffer, now: NIODeadline) {
    if call.meta.timeoutMicroseconds > 0 {
      let microseconds = Int64(min(call.meta.timeoutMicroseconds, 3_155_760_000_000_000))
      let deadline = now + .microseconds(microseconds)
      call.deadline = deadline
      callWakeAt = min(callWakeAt, deadline)
    }
    guard phase != .closed, !isGoingAway else {
      return finish(call, .failed(goneFailure(.notExecuted)))
    }
    guard canBegin else {
      guard waiting.count < configuration.callsQueuedMax else {
        return finish(
          call, .failed(CallFailure(.resourceExhausted, "Too many calls wait on this connection.", fate: .notExecuted)))
      }
      return waiting.append(call)
    }
    send(call, into: &out, now: now)
  }

  private var canBegin: Bool { calls.count < callsInFlightMax && waiting.isEmpty && outbound.isWritable }

  /// Sends calls that waited, as far as there are slots.
  mutating func sendWaiting(into out: inout ByteBuffer, now: NIODeadline) {
    while calls.count < callsInFlightMax, outbound.isWritable, out.readableBytes < OutboundFlow.outputBytesMax,
      !isGoingAway, let call = waiting.popFirst()
    {
      if !call.isFinished { send(call, into: &out, now: now) }
    }
  }

  private mutating func send(_ call: ClientCall, into out: inout ByteBuffer, now: NIODeadline) {
    guard call.message.readableBytes <= messageBytesMax else {
      let text = "The request is larger than the server's limit of \(messageBytesMax) bytes."
      return finish(call, .failed(CallFailure(.resourceExhausted, text, fate: .notExecuted)))
    }
    var meta: [UInt8] = []
    if !call.meta.isEmpty || call.method == 0 {
      if call.meta == metaCache.meta {
        meta = metaCache.bytes
      } else {
        meta = call.meta.encode()
        metaCache = (call.meta, meta)
      }
      guard meta.count <= WireLimits.metadataBytesMax else {
        return finish(
          call, .failed(CallFailure(.invalidArgument, "The metadata is larger than 8 KiB.", fate: .notExecuted)))
      }
    }
    let stream = nextStream
    nextStream &+= 2
    if nextStream >= UInt32(Int32.max) { isGoingAway = true }
    call.stream = stream
    calls[stream] = call
    var outgoing = OutgoingMessage(
      type: .call, end: call.isHalfClosed, aux: call.method, stream: stream, meta: meta, message: call.message)
    if configuration.compressesRequests, serverInflates, let deflated = call.message.deflated() {
      outgoing.message = deflated
      outgoing.isCompressed = true
    }
    call.message = ByteBuffer()
    if !call.isHalfClosed { outbound.open(stream) }
    let total = outgoing.message.readableBytes
    if total <= frameBytesMax, meta.isEmpty, !outgoing.isCompressed, call.isHalfClosed {
      out.writeFrameHeader(
        FrameHeader(length: UInt32(clamping: total), type: .call, flags: .end, aux: call.method, stream: stream))
      out.writeImmutableBuffer(outgoing.message)
    } else {
      out.writeMessage(outgoing, frameBytesMax: frameBytesMax)
    }
  }

  /// Sends a further message of a call that is not half-closed.
  mutating func sendMessage(_ message: ByteBuffer, isLast: Bool, on call: ClientCall, into out: inout ByteBuffer) {
    guard !call.isFinished, outbound.contains(call.stream) else { return }
    _ = outbound.send(.init(bytes: message, isCompressed: false, end: isLast), on: call.stream, into: &out)
  }

  /// The caller no longer wants the answer.
  mutating func cancel(_ call: ClientCall, into out: inout ByteBuffer, now: NIODeadline) {
    end(call, CallFailure(.cancelled, "The caller cancelled the call.", fate: .unknown), .cancelled, into: &out)
    sendWaiting(into: &out, now: now)
  }

  /// Fails a call, and tells the server if it knows of it.
  mutating func end(
    _ call: ClientCall, _ reason: CallFailure, _ code: FramingErrorCode, into out: inout ByteBuffer
  ) {
    guard !call.isFinished else { return }
    var failure = reason
    if call.stream == 0 {
      failure.fate = .notExecuted
    } else if phase != .closed {
      out.writeCancel(code, stream: call.stream)
    }
    close(call, into: &out)
    finish(call, .failed(failure))
  }

  mutating func returnCredit(_ bytes: Int, to call: ClientCall, into out: inout ByteBuffer) {
    guard phase != .closed else { return }
    inbound.giveBack(bytes, to: call.stream, into: &out)
  }

  /// Forgets a call that the server knows of.
  mutating func close(_ call: ClientCall, into out: inout ByteBuffer) {
    guard calls.removeValue(forKey: call.stream) != nil else { return }
    if call.onMessage != nil { inbound.close(call.stream, into: &out) }
    if !call.isHalfClosed { outbound.close(call.stream) }
  }

  mutating func finish(_ call: ClientCall, _ result: CallResult) {
    guard !call.isFinished else { return }
    call.isFinished = true
    events.append(.finished(call, result))
  }

  // MARK: The end

  func goneFailure(_ fate: CallFailure.Fate) -> CallFailure {
    CallFailure(.unavailable, "The connection is closed or closing.", fate: fate, retryAfter: retryAfter)
  }

  /// Ends the connection because of what the server sent.
  mutating func fail(_ code: FramingErrorCode, _ debug: String, into out: inout ByteBuffer) {
    guard phase != .closed else { return }
    var goAway = GoAway()
    goAway.debug = debug
    out.writeGoAway(goAway, code: code)
    connectionLost(CallFailure(.unavailable, debug, fate: .unknown))
  }

  /// The connection is gone, or is given up: every call gets its result.
  mutating func connectionLost(_ failure: CallFailure) {
    guard phase != .closed else { return }
    phase = .closed
    isGoingAway = true
    var failure = failure
    failure.fate = .unknown
    failure.retryAfter = failure.retryAfter ?? retryAfter
    for stream in calls.keys.sorted() {
      if let call = calls[stream] { finish(call, .failed(failure)) }
    }
    calls = [:]
    failWaiting()
    events.append(.close(failure))
  }

  mutating func failWaiting() {
    while let call = waiting.popFirst() { finish(call, .failed(goneFailure(.notExecuted))) }
  }

  mutating func closeIfDone() {
    guard isGoingAway, calls.isEmpty, waiting.isEmpty, phase != .closed else { return }
    connectionLost(goneFailure(.notExecuted))
  }
}
