import NIOCore
import TidemarkWire

/// What time and the server's own wishes do to a connection, and the frames the server writes.
extension ServerStateMachine {
  /// The opaque bytes of the PING between the two GOAWAY frames of a drain: `drainend`.
  static let drainPing: UInt64 = 0x6472_6169_6E65_6E64
  /// The opaque bytes of keepalive PINGs: `tidemark`.
  static let keepalivePing: UInt64 = 0x7469_6465_6D61_726B
  /// The connection looks at its clocks at least this often.
  static let wakeIntervalMax = TimeAmount.seconds(10)

  // MARK: Time

  /// Does what is due.
  ///
  /// - Returns: when to call again. Calls with an earlier deadline may move `callWakeAt` before that.
  mutating func tick(now: NIODeadline, into out: inout ByteBuffer) -> NIODeadline {
    switch phase {
    case .closed: return .distantFuture
    case .preface, .hello:
      let end = startedAt + limits.handshakeTimeout
      if now >= end {
        // A peer that said nothing of ours hears nothing.
        if phase == .hello {
          events.insert(fail(.timeout, "No HELLO in time.", into: &out), at: 0)
        } else {
          phase = .closed
          events.append(.close(afterWriting: false))
        }
      }
      return end
    case .open: break
    }
    expireCalls(now: now, into: &out)
    if callsInFlight > 0 || waitsForRoom { lastCallAt = now }
    // The client is not silent: it is not read.
    if waitsForRoom { (lastReadAt, pingSentAt) = (now, nil) }
    if let partial, now >= partial.since + limits.frameTimeout, isTooSlow(partial, now) {
      events.insert(fail(.timeout, "A frame arrives too slowly.", into: &out), at: 0)
    } else if now >= lastCallAt + limits.idleTimeout {
      events.insert(fail(.none, "Idle.", into: &out), at: 0)
    } else if let sent = pingSentAt {
      if now >= sent + limits.keepaliveTimeout { events.insert(fail(.timeout, "No answer to a ping.", into: &out), at: 0) }
    } else if now >= lastReadAt + limits.keepaliveInterval {
      pingSentAt = now
      out.writePing(Self.keepalivePing, isAnswer: false)
    }
    if case .announced(let at) = drain, now >= at + limits.drainStepDelay { finishDrain(into: &out) }
    return nextWake(now: now)
  }

  /// When `tick` is needed at the latest.
  func nextWake(now: NIODeadline) -> NIODeadline {
    guard phase == .open else { return phase == .closed ? .distantFuture : startedAt + limits.handshakeTimeout }
    var wake = min(now + Self.wakeIntervalMax, callWakeAt)
    if let partial { wake = min(wake, max(partial.since + limits.frameTimeout, now + .seconds(1))) }
    if case .announced(let at) = drain { wake = min(wake, at + limits.drainStepDelay) }
    let silence = pingSentAt.map { $0 + limits.keepaliveTimeout } ?? lastReadAt + limits.keepaliveInterval
    return min(wake, silence, lastCallAt + limits.idleTimeout)
  }

  private func isTooSlow(_ partial: (since: NIODeadline, bytes: Int), _ now: NIODeadline) -> Bool {
    let seconds = max(1, (now - partial.since).nanoseconds / 1_000_000_000)
    return Int64(partial.bytes) / seconds < Int64(limits.frameBytesPerSecondMin)
  }

  private mutating func expireCalls(now: NIODeadline, into out: inout ByteBuffer) {
    guard now >= callWakeAt else { return }
    var wake = NIODeadline.distantFuture
    for (stream, call) in calls where !call.isAbandoned {
      guard let deadline = call.deadline else { continue }
      if deadline <= now {
        if outbound.isFinishing(stream) {
          out.writeCancel(.timeout, stream: stream)
          silence(stream, into: &out)
        } else {
          events.append(.cancelled(CallID(rawValue: stream), .deadline))
        }
      } else {
        wake = min(wake, deadline)
      }
    }
    for (stream, assembly) in assemblies {
      let deadline = assembly.call.deadline ?? now + limits.callTimeoutMax
      if deadline <= now {
        assemblies[stream] = nil
        assembledBytes -= assembly.call.message.readableBytes
        let status = RPCStatus(.deadlineExceeded, "The deadline passed before the call was complete.", details: [.notExecuted])
        writeReply(stream, CallReply(status: status), into: &out)
      } else {
        wake = min(wake, deadline)
      }
    }
    callWakeAt = wake
    countRequests()
  }

  // MARK: The end

  /// Begins to close without losing work: announces it, then refuses new calls, answers those in flight, and closes.
  mutating func beginDrain(now: NIODeadline, into out: inout ByteBuffer) {
    guard drain == .none, phase != .closed else { return }
    drain = .announced(now)
    guard phase == .open else { return }
    out.writeGoAway(drainingGoAway(), code: .none)
    out.writePing(Self.drainPing, isAnswer: false)
  }

  func drainingGoAway() -> GoAway {
    var goAway = GoAway()
    goAway.lastStream = UInt32(Int32.max)
    goAway.debug = "The server is draining."
    return goAway
  }

  /// The second step: every call that was sent before the client heard of the drain has arrived.
  mutating func finishDrain(into out: inout ByteBuffer) {
    guard case .announced = drain, phase == .open else { return }
    drain = .final
    var goAway = drainingGoAway()
    goAway.lastStream = highest
    out.writeGoAway(goAway, code: .none)
    closeIfDrained()
  }

  mutating func closeIfDrained() {
    guard drain == .final, callsInFlight == 0, phase == .open else { return }
    phase = .closed
    events.append(.close(afterWriting: true))
  }

  /// The client closed its sending side: streams end, other calls are still answered.
  mutating func inputClosed(into out: inout ByteBuffer) {
    guard phase == .open else {
      if phase != .closed { events.append(.close(afterWriting: false)) }
      phase = .closed
      return
    }
    drain = .final
    for stream in assemblies.keys { assembledBytes -= assemblies[stream]?.call.message.readableBytes ?? 0 }
    assemblies = [:]
    countRequests()
    for (stream, call) in calls where call.deadline == nil && !call.isAbandoned {
      silence(stream, into: &out)
      if calls[stream] != nil { events.append(.cancelled(CallID(rawValue: stream), .connectionClosed)) }
    }
    closeIfDrained()
  }

  /// The connection is gone: every parked call is reported as cancelled.
  mutating func connectionLost() {
    phase = .closed
    abandonAll()
  }

  mutating func abandonAll() {
    for stream in calls.keys.sorted() where calls[stream]?.isAbandoned == false {
      calls[stream]?.isAbandoned = true
      if !outbound.isFinishing(stream) { events.append(.cancelled(CallID(rawValue: stream), .connectionClosed)) }
    }
    assemblies = [:]
    assembledBytes = 0
    countRequests()
  }

  // MARK: Writing

  mutating func writeReply(_ stream: UInt32, _ reply: CallReply, into out: inout ByteBuffer) {
    guard phase == .open else { return }
    let bytes = reply.message.readableBytes
    if reply.status == nil, reply.meta == nil, bytes <= peer.frameBytesMax, bytes <= peer.messageBytesMax,
      !limits.compressesReplies, backlogBytes == 0
    {
      out.writeFrameHeader(FrameHeader(length: UInt32(clamping: bytes), type: .reply, flags: .end, stream: stream))
      out.writeImmutableBuffer(reply.message)
      return
    }
    writeLargeReply(stream, reply, into: &out)
  }

  private func writeLargeReply(_ stream: UInt32, _ reply: CallReply, into out: inout ByteBuffer) {
    var outgoing = OutgoingMessage(type: .reply, aux: 0, stream: stream, message: reply.message)
    if let status = reply.status { outgoing.setStatus(status, bytesMax: peer.messageBytesMax) }
    let backlog = backlogBytes + out.readableBytes + outgoing.message.readableBytes
    if outgoing.message.readableBytes > peer.messageBytesMax {
      outgoing.setStatus(.answerTooLarge, bytesMax: peer.messageBytesMax)
    } else if backlog > limits.bytesOutboundMax {
      outgoing.setStatus(.tooManyAnswers, bytesMax: peer.messageBytesMax)
    }
    if let meta = reply.meta?.encode(), meta.count <= WireLimits.metadataBytesMax { outgoing.meta = meta }
    if limits.compressesReplies, peer.inflates, let deflated = outgoing.message.deflated() {
      outgoing.message = deflated
      outgoing.isCompressed = true
    }
    out.writeMessage(outgoing, frameBytesMax: peer.frameBytesMax)
  }

  /// Writes the answer to the latest PING, once the reads of this turn are done.
  mutating func writePong(into out: inout ByteBuffer) {
    guard let opaque = pongDue, outbound.isWritable, phase == .open else { return }
    pongDue = nil
    out.writePing(opaque, isAnswer: true)
  }
}

extension OutgoingMessage {
  /// Turns the message into a failure.
  ///
  /// Details are worth losing when the receiver cannot take them, the largest first; the code is not.
  mutating func setStatus(_ status: RPCStatus, bytesMax: Int) {
    aux = status.code.rawValue
    var fitted = status
    var bytes = fitted.encode()
    while bytes.count > bytesMax, let largest = fitted.details.max(by: { $0.value.count < $1.value.count }) {
      fitted.details.removeAll { $0 == largest }
      bytes = fitted.encode()
    }
    if bytes.count > bytesMax { bytes = RPCStatus(status.code, String(status.message.prefix(256))).encode() }
    message = ByteBuffer(bytes: bytes)
  }
}

extension RPCStatus {
  static let answerTooLarge = RPCStatus(.resourceExhausted, "The answer is larger than the client's limit.")
  static let tooManyAnswers = RPCStatus(.resourceExhausted, "Too many answers wait for the client to read them.")
}
