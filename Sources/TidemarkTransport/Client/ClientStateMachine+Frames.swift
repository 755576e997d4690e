import NIOCore
import TidemarkWire

/// Frames that reach the client, and what time does.
extension ClientStateMachine {
  /// Takes the next thing out of `input`; `nil` when it holds no complete frame and nothing is due.
  mutating func next(_ input: inout ByteBuffer, into out: inout ByteBuffer, now: NIODeadline) -> Event? {
    while true {
      if let event = events.popFirst() { return event }
      guard phase != .closed else {
        input.clear()
        return nil
      }
      guard let header = input.peekFrameHeader() else { return nil }
      guard header.length <= UInt32(clamping: configuration.hello.effectiveFrameBytesMax) else {
        fail(.frameTooLarge, "A frame is larger than the limit.", into: &out)
        continue
      }
      guard input.readableBytes >= FrameHeader.bytes + Int(header.length) else { return nil }
      input.moveReaderIndex(forwardBy: FrameHeader.bytes)
      guard let payload = input.readSlice(length: Int(header.length)) else { return nil }
      receive(header, payload, into: &out, now: now)
    }
  }

  func isKnownStream(_ stream: UInt32) -> Bool { stream & 1 == 1 && stream < nextStream }

  private mutating func receive(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) {
    guard let type = FrameType(rawValue: header.type) else {
      if header.type < FrameType.ignorableMin || phase != .open {
        fail(.protocolViolation, "Unknown frame type.", into: &out)
      }
      return
    }
    // A server that cannot talk to us answers GOAWAY in place of HELLO.
    guard (phase == .waitingForHello) == (type == .hello) || type == .goAway else {
      return fail(.protocolViolation, "HELLO must come first, and once.", into: &out)
    }
    switch type {
    case .reply: receiveReply(header, payload, into: &out, now: now)
    case .data: receiveData(header, payload, into: &out)
    case .hello: receiveHello(header, payload, into: &out, now: now)
    case .cancel: receiveCancel(header, into: &out, now: now)
    case .credit: receiveCredit(header, payload, into: &out)
    case .ping: receivePing(header, payload, into: &out)
    case .goAway: receiveGoAway(header, payload, into: &out)
    case .call: fail(.protocolViolation, "A server sends no CALL.", into: &out)
    }
  }

  private mutating func receiveHello(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) {
    guard header.flags.isEmpty, header.aux == 0, header.stream == 0,
      let hello = payload.withUnsafeReadableBytes({ try? Hello.decode($0) }), hello.hasValidFrameLimit,
      hello.minorMin <= UInt32(Preface.minorMax)
    else { return fail(.protocolViolation, "HELLO cannot be read.", into: &out) }
    phase = .open
    frameBytesMax = hello.effectiveFrameBytesMax
    messageBytesMax = hello.effectiveMessageBytesMax
    callsInFlightMax = max(1, hello.effectiveCallsInFlightMax)
    serverInflates = hello.compressions.contains("deflate")
    outbound.raise(
      streamCreditBytes: hello.effectiveStreamCreditBytes,
      connectionCreditBy: hello.effectiveConnectionCreditBytes - FlowDefaults.connectionCreditBytes,
      frameBytesMax: frameBytesMax)
    events.append(.opened(hello))
    sendWaiting(into: &out, now: now)
  }

  private mutating func receiveReply(
    _ header: FrameHeader, _ body: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) {
    guard header.flags.isSubset(of: [.end, .meta, .compressed, .more]),
      header.flags.contains(.end) != header.flags.contains(.more), isKnownStream(header.stream)
    else { return fail(.protocolViolation, "REPLY breaks a rule.", into: &out) }
    guard let call = calls[header.stream] else { return }
    var payload = body
    var partial: ClientCall.PartialReply
    if var begun = call.partialReply {
      call.partialReply = nil
      guard header.aux == 0, header.flags.isSubset(of: [.end, .more]) else {
        return fail(.protocolViolation, "REPLY breaks a rule.", into: &out)
      }
      begun.reply.message.writeImmutableBuffer(payload)
      partial = begun
    } else {
      var reply = CallReply(message: payload)
      if header.flags.contains(.meta) {
        guard let block = payload.readMetaBlock(), let meta = block.withUnsafeReadableBytes({ try? CallMeta.decode($0) })
        else {
          let failure = CallFailure(.internal, "The server's metadata cannot be read.", fate: .unknown)
          return end(call, failure, .cancelled, into: &out)
        }
        reply.meta = meta
        reply.message = payload
      }
      partial = ClientCall.PartialReply(
        reply: reply, code: header.aux, isCompressed: header.flags.contains(.compressed))
    }
    guard partial.reply.message.readableBytes <= configuration.hello.effectiveMessageBytesMax else {
      let failure = CallFailure(.resourceExhausted, "The answer is larger than the limit.", fate: .unknown)
      return end(call, failure, .messageTooLarge, into: &out)
    }
    guard header.flags.contains(.end) else {
      call.partialReply = partial
      return
    }
    close(call, into: &out)
    finish(call, result(of: partial))
    sendWaiting(into: &out, now: now)
    closeIfDone()
  }

  /// The complete reply, inflated, with its status decoded.
  private func result(of partial: ClientCall.PartialReply) -> CallResult {
    var reply = partial.reply
    if partial.isCompressed {
      guard let inflated = reply.message.inflated(bytesMax: configuration.hello.effectiveMessageBytesMax) else {
        return .failed(CallFailure(.internal, "The answer cannot be inflated.", fate: .unknown))
      }
      reply.message = inflated
    }
    if partial.code != 0 {
      let code = StatusCode(rawValue: partial.code) ?? .unknown
      var status = reply.message.withUnsafeReadableBytes { try? RPCStatus.decode($0) } ?? RPCStatus(code, "")
      status.code = code
      reply.status = status
      reply.message = ByteBuffer()
    }
    return .reply(reply)
  }

  private mutating func receiveData(_ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer) {
    guard header.aux == 0, header.flags.isSubset(of: [.compressed, .more]), isKnownStream(header.stream) else {
      return fail(.protocolViolation, "DATA breaks a rule.", into: &out)
    }
    guard let call = calls[header.stream], call.onMessage != nil, call.partialReply == nil else {
      if !inbound.discard(payload.readableBytes, into: &out) { fail(.flowControl, "DATA beyond credit.", into: &out) }
      return
    }
    switch inbound.receive(header, payload, into: &out) {
    case .part, .end: return
    case .message(let message, let isCompressed, let owed):
      guard isCompressed else { return events.append(.message(call, message, owed: owed)) }
      guard let inflated = message.inflated(bytesMax: configuration.hello.effectiveMessageBytesMax) else {
        let failure = CallFailure(.internal, "A message cannot be inflated.", fate: .unknown)
        return end(call, failure, .compression, into: &out)
      }
      events.append(.message(call, inflated, owed: owed))
    case .overCredit: fail(.flowControl, "DATA beyond credit.", into: &out)
    case .tooLarge:
      let failure = CallFailure(.resourceExhausted, "A message is larger than the limit.", fate: .unknown)
      end(call, failure, .messageTooLarge, into: &out)
    case .badFlags: fail(.protocolViolation, "DATA breaks a rule.", into: &out)
    }
  }

  private mutating func receiveCancel(_ header: FrameHeader, into out: inout ByteBuffer, now: NIODeadline) {
    guard isKnownStream(header.stream), header.flags.isEmpty, header.length == 0 else {
      return fail(.protocolViolation, "CANCEL breaks a rule.", into: &out)
    }
    guard let call = calls[header.stream] else { return }
    close(call, into: &out)
    finish(call, .failed(CallFailure(cancel: FramingErrorCode(aux: header.aux))))
    sendWaiting(into: &out, now: now)
    closeIfDone()
  }

  private mutating func receiveCredit(_ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer) {
    guard header.flags.isEmpty, header.aux == 0, payload.readableBytes == 4,
      header.stream == 0 || isKnownStream(header.stream),
      let increment = payload.getInteger(at: payload.readerIndex, as: UInt32.self), increment > 0,
      outbound.add(Int(increment), to: header.stream)
    else { return fail(.flowControl, "CREDIT breaks a rule.", into: &out) }
    pump(into: &out)
  }

  /// Sends what waits for credit or for the socket.
  mutating func pump(into out: inout ByteBuffer) {
    // Nobody asks when a further message may be sent: the queue holds what was submitted.
    while outbound.hasWaiting, outbound.next(into: &out) != nil {}
  }

  private mutating func receivePing(_ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer) {
    guard header.stream == 0, header.aux == 0, header.flags.isSubset(of: .pong), payload.readableBytes == 8,
      let opaque = payload.getInteger(at: payload.readerIndex, as: UInt64.self)
    else { return fail(.protocolViolation, "PING breaks a rule.", into: &out) }
    if !header.flags.contains(.pong) { pongDue = opaque }
  }

  private mutating func receiveGoAway(_ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer) {
    guard header.stream == 0, header.flags.isEmpty else {
      return fail(.protocolViolation, "GOAWAY breaks a rule.", into: &out)
    }
    let goAway = payload.withUnsafeReadableBytes { try? GoAway.decode($0) } ?? GoAway()
    isGoingAway = true
    if goAway.retryAfterMilliseconds > 0 { retryAfter = .milliseconds(Int64(goAway.retryAfterMilliseconds)) }
    events.append(.goingAway(goAway, FramingErrorCode(aux: header.aux)))
    for stream in calls.keys.sorted() where stream > goAway.lastStream {
      guard let call = calls[stream] else { continue }
      close(call, into: &out)
      finish(call, .failed(goneFailure(.notExecuted)))
    }
    failWaiting()
    closeIfDone()
  }

  // MARK: Time

  /// Notes that bytes came.
  mutating func didRead(now: NIODeadline) {
    lastReadAt = now
    pingSentAt = nil
  }

  /// Does what is due; returns when to call again.
  mutating func tick(now: NIODeadline, into out: inout ByteBuffer) -> NIODeadline {
    guard phase != .closed else { return .distantFuture }
    expireCalls(now: now, into: &out)
    if phase == .waitingForHello, now >= startedAt + configuration.handshakeTimeout {
      connectionLost(CallFailure(.unavailable, "The server did not say HELLO in time.", fate: .unknown))
    } else if let sent = pingSentAt {
      if now >= sent + configuration.keepaliveTimeout {
        connectionLost(CallFailure(.unavailable, "The server does not answer.", fate: .unknown))
      }
    } else if phase == .open, !calls.isEmpty, now >= lastReadAt + max(configuration.keepaliveInterval, .seconds(10)) {
      pingSentAt = now
      out.writePing(ServerStateMachine.keepalivePing, isAnswer: false)
    }
    return nextWake(now: now)
  }

  func nextWake(now: NIODeadline) -> NIODeadline {
    guard phase != .closed else { return .distantFuture }
    var wake = min(now + ServerStateMachine.wakeIntervalMax, callWakeAt)
    if phase == .waitingForHello { wake = min(wake, startedAt + configuration.handshakeTimeout) }
    if let pingSentAt { wake = min(wake, pingSentAt + configuration.keepaliveTimeout) }
    return wake
  }

  private mutating func expireCalls(now: NIODeadline, into out: inout ByteBuffer) {
    guard now >= callWakeAt else { return }
    var wake = NIODeadline.distantFuture
    let failure = CallFailure(.deadlineExceeded, "The deadline passed.", fate: .unknown)
    for call in calls.values.sorted(by: { $0.stream < $1.stream }) + Array(waiting) where !call.isFinished {
      guard let deadline = call.deadline else { continue }
      if deadline <= now { end(call, failure, .timeout, into: &out) } else { wake = min(wake, deadline) }
    }
    waiting.removeAll { $0.isFinished }
    callWakeAt = wake
    sendWaiting(into: &out, now: now)
    closeIfDone()
  }
}
