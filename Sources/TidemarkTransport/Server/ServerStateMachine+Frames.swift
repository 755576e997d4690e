import NIOCore
import TidemarkWire

/// Frames that reach the server: each kind checked and acted upon.
extension ServerStateMachine {
  mutating func receive(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    guard let type = FrameType(rawValue: header.type) else {
      guard header.type >= FrameType.ignorableMin, phase == .open else {
        return fail(.protocolViolation, "Unknown frame type.", into: &out)
      }
      return countIdleFrame(into: &out, now: now)
    }
    guard (phase == .hello) == (type == .hello) else {
      return fail(.protocolViolation, "HELLO must come first, and once.", into: &out)
    }
    switch type {
    case .call: return receiveCall(header, payload, into: &out, now: now)
    case .data: return receiveData(header, payload, into: &out, now: now)
    case .hello: return receiveHello(header, payload, into: &out)
    case .reply: return fail(.protocolViolation, "A client sends no REPLY.", into: &out)
    case .cancel: return receiveCancel(header, into: &out, now: now)
    case .credit: return receiveCredit(header, payload, into: &out, now: now)
    case .ping: return receivePing(header, payload, into: &out, now: now)
    case .goAway: return receiveGoAway(header, into: &out)
    }
  }

  /// Counts a frame without effect.
  mutating func countIdleFrame(into out: inout ByteBuffer, now: NIODeadline) -> Event? {
    idleFrames.take(now: now) ? nil : fail(.calm, "Too many frames without effect.", into: &out)
  }

  /// True for the numbers a client may use: odd, and at most 2^31 - 1.
  func isClientStream(_ stream: UInt32) -> Bool { stream & 0x8000_0001 == 1 }

  private mutating func receiveHello(_ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer) -> Event? {
    guard header.flags.isEmpty, header.aux == 0, header.stream == 0,
      let theirs = payload.withUnsafeReadableBytes({ try? Hello.decode($0) })
    else { return fail(.protocolViolation, "HELLO cannot be read.", into: &out) }
    guard theirs.minorMin <= UInt32(Preface.minorMax) else {
      return fail(.version, "This server speaks version 1.0.", into: &out)
    }
    guard theirs.hasValidFrameLimit else {
      return fail(.protocolViolation, "The frame limit of HELLO is out of range.", into: &out)
    }
    var answer = hello
    answer.minorMax = min(theirs.minorMax, UInt32(Preface.minorMax))
    answer.minorMin = answer.minorMax
    phase = .open
    peer.frameBytesMax = theirs.effectiveFrameBytesMax
    peer.messageBytesMax = theirs.effectiveMessageBytesMax
    peer.inflates = theirs.compressions.contains("deflate")
    outbound = OutboundFlow(
      streamCreditBytes: theirs.effectiveStreamCreditBytes, connectionCreditBytes: theirs.effectiveConnectionCreditBytes,
      frameBytesMax: peer.frameBytesMax)
    out.writeHello(answer)
    // A drain may have begun before.
    if drain != .none { out.writeGoAway(drainingGoAway(), code: .none) }
    return .opened(theirs)
  }

  private mutating func receiveData(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    guard isClientStream(header.stream), header.aux == 0, header.flags.isSubset(of: [.end, .more, .compressed]),
      !header.flags.isSuperset(of: [.end, .more]), header.stream <= highest, assemblies[header.stream] == nil
    else { return fail(.protocolViolation, "DATA breaks a rule.", into: &out) }
    if payload.readableBytes == 0, !header.flags.contains(.end), let event = countIdleFrame(into: &out, now: now) {
      return event
    }
    guard let call = calls[header.stream], !call.isAbandoned else {
      guard inbound.discard(payload.readableBytes, into: &out) else {
        return fail(.flowControl, "DATA beyond credit.", into: &out)
      }
      return countIdleFrame(into: &out, now: now)
    }
    guard !call.isHalfClosed else {
      guard inbound.discard(payload.readableBytes, into: &out) else {
        return fail(.flowControl, "DATA beyond credit.", into: &out)
      }
      return abandon(header.stream, .streamClosed, into: &out)
    }
    switch inbound.receive(header, payload, into: &out) {
    case .part:
      guard assembledBytes + inbound.assembledBytes <= limits.bytesQueuedMax else {
        return abandon(header.stream, .refused, into: &out)
      }
      return nil
    case .message(let message, let isCompressed, let owed):
      let isLast = header.flags.contains(.end)
      calls[header.stream]?.isHalfClosed = isLast
      guard isCompressed else { return .message(CallID(rawValue: header.stream), message, isLast: isLast, owed: owed) }
      guard let inflated = message.inflated(bytesMax: limits.messageBytesMax) else {
        return abandon(header.stream, .compression, into: &out)
      }
      return .message(CallID(rawValue: header.stream), inflated, isLast: isLast, owed: owed)
    case .end:
      calls[header.stream]?.isHalfClosed = true
      return .message(CallID(rawValue: header.stream), nil, isLast: true, owed: 0)
    case .overCredit: return fail(.flowControl, "DATA beyond credit.", into: &out)
    case .tooLarge: return abandon(header.stream, .messageTooLarge, into: &out)
    case .badFlags: return fail(.protocolViolation, "DATA breaks a rule.", into: &out)
    }
  }

  private mutating func receiveCancel(_ header: FrameHeader, into out: inout ByteBuffer, now: NIODeadline) -> Event? {
    guard isClientStream(header.stream), header.flags.isEmpty, header.length == 0 else {
      return fail(.protocolViolation, "CANCEL breaks a rule.", into: &out)
    }
    guard cancels.take(now: now) else { return fail(.calm, "Too many cancels.", into: &out) }
    if let assembly = assemblies.removeValue(forKey: header.stream) {
      assembledBytes -= assembly.call.message.readableBytes
      return nil
    }
    guard let call = calls[header.stream], !call.isAbandoned else { return nil }
    silence(header.stream, into: &out)
    guard calls[header.stream] != nil else { return nil }
    return .cancelled(CallID(rawValue: header.stream), .client)
  }

  private mutating func receiveCredit(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    guard header.flags.isEmpty, header.aux == 0, payload.readableBytes == 4,
      header.stream == 0 || (isClientStream(header.stream) && header.stream <= highest),
      let increment = payload.getInteger(at: payload.readerIndex, as: UInt32.self)
    else { return fail(.protocolViolation, "CREDIT breaks a rule.", into: &out) }
    guard increment > 0, increment <= UInt32(Int32.max) else {
      return fail(.flowControl, "CREDIT must add 1 to 2147483647 bytes.", into: &out)
    }
    creditFramesLeft &+= 2 &* outbound.takeDataFramesSent() &- 1
    guard creditFramesLeft >= 0 else { return fail(.calm, "Too many CREDIT frames.", into: &out) }
    // Credit may come before the call is complete, and before the first message of its stream.
    if assemblies[header.stream] != nil {
      var credit = assemblies[header.stream]?.credit ?? outbound.makeCredit()
      guard credit.add(Int(increment)) else {
        return fail(.flowControl, "Credit passes 2147483647 bytes.", into: &out)
      }
      assemblies[header.stream]?.credit = credit
      return nil
    }
    if calls[header.stream]?.isAbandoned == false { outbound.open(header.stream) }
    guard outbound.add(Int(increment), to: header.stream) else {
      return fail(.flowControl, "Credit passes 2147483647 bytes.", into: &out)
    }
    pumpStreams(into: &out)
    return nil
  }

  private mutating func receivePing(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    guard header.stream == 0, header.aux == 0, header.flags.isSubset(of: .pong),
      let opaque = payload.getInteger(at: payload.readerIndex, as: UInt64.self), payload.readableBytes == 8
    else { return fail(.protocolViolation, "PING breaks a rule.", into: &out) }
    if header.flags.contains(.pong) {
      if case .announced = drain, opaque == Self.drainPing {
        finishDrain(into: &out)
        return events.isEmpty ? nil : events.removeFirst()
      }
      // Answers cost nothing, but nobody asked for many.
      return countIdleFrame(into: &out, now: now)
    }
    guard pings.take(now: now) else { return fail(.calm, "Too many pings.", into: &out) }
    pongDue = opaque
    return nil
  }

  private mutating func receiveGoAway(_ header: FrameHeader, into out: inout ByteBuffer) -> Event? {
    guard header.stream == 0, header.flags.isEmpty else {
      return fail(.protocolViolation, "GOAWAY breaks a rule.", into: &out)
    }
    // The client opens no further calls; those in flight are answered, then the connection ends.
    drain = .final
    closeIfDrained()
    return events.isEmpty ? nil : events.removeFirst()
  }
}

extension Hello {
  var hasValidFrameLimit: Bool {
    frameBytesMax == 0
      || (WireLimits.frameBytesMin...WireLimits.frameBytesMax).contains(Int(frameBytesMax))
  }
  /// The limits with their defaults put in.
  var effectiveFrameBytesMax: Int { frameBytesMax == 0 ? WireLimits.frameBytesDefault : Int(frameBytesMax) }
  var effectiveMessageBytesMax: Int { messageBytesMax == 0 ? WireLimits.messageBytesMax : Int(messageBytesMax) }
  var effectiveStreamCreditBytes: Int { streamCreditBytes == 0 ? FlowDefaults.streamCreditBytes : Int(streamCreditBytes) }
  var effectiveConnectionCreditBytes: Int {
    connectionCreditBytes == 0 ? FlowDefaults.connectionCreditBytes : Int(connectionCreditBytes)
  }
  var effectiveCallsInFlightMax: Int { callsInFlightMax == 0 ? FlowDefaults.callsInFlightMax : Int(callsInFlightMax) }
}

/// What holds until HELLO says otherwise.
enum FlowDefaults {
  static let streamCreditBytes = 64 * 1024
  static let connectionCreditBytes = 1024 * 1024
  static let callsInFlightMax = 128
}
