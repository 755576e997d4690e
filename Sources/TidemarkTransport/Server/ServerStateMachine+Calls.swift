import NIOCore
import TidemarkWire

/// Calls: from their first frame to their slot being free again.
extension ServerStateMachine {
  mutating func receiveCall(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    guard isClientStream(header.stream), header.flags.isSubset(of: [.end, .meta, .compressed, .more]),
      !header.flags.isSuperset(of: [.end, .more])
    else { return fail(.protocolViolation, "CALL breaks a rule.", into: &out) }
    if header.aux == 0 && !header.flags.contains(.meta) {
      return continueCall(header, payload, into: &out, now: now)
    }
    guard header.stream > highest else {
      return fail(.protocolViolation, "The streams of calls must increase.", into: &out)
    }
    guard drain != .final else { return countIdleFrame(into: &out, now: now) }
    highest = header.stream
    creditFramesLeft &+= 2
    if callRate != nil, callRate?.take(now: now) == false { return fail(.calm, "Too many calls.", into: &out) }
    guard callsInFlight < limits.callsInFlightMax else {
      out.writeCancel(.refused, stream: header.stream)
      return nil
    }
    return beginCall(header, payload, into: &out, now: now)
  }

  private mutating func beginCall(
    _ header: FrameHeader, _ body: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    var payload = body
    var meta = CallMeta()
    if header.flags.contains(.meta) {
      guard let block = payload.readMetaBlock() else {
        return reject(header.stream, .invalidArgument, "The metadata is cut off.", into: &out, now: now)
      }
      guard block.readableBytes <= limits.metadataBytesMax else {
        return reject(header.stream, .resourceExhausted, "The metadata is larger than 8 KiB.", into: &out, now: now)
      }
      guard let decoded = decodeMeta(block) else {
        return reject(header.stream, .invalidArgument, "The metadata cannot be read.", into: &out, now: now)
      }
      meta = decoded
    }
    let method = header.aux != 0 ? header.aux : Method(path: meta.method)?.rawValue ?? 0
    let call = ReceivedCall(
      id: CallID(rawValue: header.stream), method: method, path: header.aux == 0 ? meta.method : nil, meta: meta,
      deadline: deadline(method, meta.timeoutMicroseconds, now), message: payload, isHalfClosed: header.flags.contains(.end))
    guard header.flags.contains(.more) else {
      return dispatch(call, isCompressed: header.flags.contains(.compressed), into: &out, now: now)
    }
    guard reserveAssembly(payload.readableBytes) else {
      out.writeCancel(.refused, stream: header.stream)
      return nil
    }
    assemblies[header.stream] = Assembly(call: call, isCompressed: header.flags.contains(.compressed))
    // A call that never completes ends at its deadline, also when it is a stream.
    callWakeAt = min(callWakeAt, call.deadline ?? now + limits.callTimeoutMax)
    return nil
  }

  private mutating func continueCall(
    _ header: FrameHeader, _ payload: ByteBuffer, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    guard header.flags.isSubset(of: [.end, .more]) else {
      return fail(.protocolViolation, "CALL breaks a rule.", into: &out)
    }
    // Taken out while it changes: a second reference would copy the whole message at every fragment.
    guard var assembly = assemblies.removeValue(forKey: header.stream) else {
      guard header.stream <= highest, calls[header.stream] == nil else {
        return fail(.protocolViolation, "CALL without a method.", into: &out)
      }
      return countIdleFrame(into: &out, now: now)
    }
    let size = assembly.call.message.readableBytes
    guard size + payload.readableBytes <= limits.messageBytesMax else {
      assembledBytes -= size
      return reject(header.stream, .resourceExhausted, "The message is larger than the limit.", into: &out, now: now)
    }
    guard reserveAssembly(payload.readableBytes) else {
      assembledBytes -= size
      out.writeCancel(.refused, stream: header.stream)
      return nil
    }
    assembly.call.message.writeImmutableBuffer(payload)
    guard !header.flags.contains(.more) else {
      assemblies[header.stream] = assembly
      return payload.readableBytes == 0 ? countIdleFrame(into: &out, now: now) : nil
    }
    assembledBytes -= size + payload.readableBytes
    assembly.call.isHalfClosed = header.flags.contains(.end)
    return dispatch(assembly.call, isCompressed: assembly.isCompressed, credit: assembly.credit, into: &out, now: now)
  }

  private mutating func reserveAssembly(_ bytes: Int) -> Bool {
    guard assembledBytes + inbound.assembledBytes + bytes <= limits.bytesQueuedMax, requests.mayGoOn else { return false }
    assembledBytes += bytes
    return true
  }

  private mutating func dispatch(
    _ received: ReceivedCall, isCompressed: Bool, credit: SendCredit? = nil, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    var call = received
    let size = call.message.readableBytes
    guard size <= limits.messageBytesMax else {
      return reject(call.id.rawValue, .resourceExhausted, "The message is larger than the limit.", into: &out, now: now)
    }
    if isCompressed {
      guard let inflated = call.message.inflated(bytesMax: limits.messageBytesMax) else {
        return reject(call.id.rawValue, .invalidArgument, "The message cannot be inflated.", into: &out, now: now)
      }
      call.message = inflated
    }
    dispatching = (
      call.id.rawValue,
      ParkedCall(
        deadline: call.deadline, bytes: call.message.readableBytes,
        heldBytes: Self.heldBytes(of: call), isHalfClosed: call.isHalfClosed)
    )
    if let credit { outbound.open(call.id.rawValue, credit: credit) }
    lastCallAt = now
    return .call(call)
  }

  /// The memory that a request takes while its call waits, about, in bytes: for who does not know better.
  private static func heldBytes(of call: ReceivedCall) -> Int {
    let bytes = call.message.readableBytes
    // Streams may last for ever, and must not take the room of calls that pass.
    return Method(rawValue: call.method)?.isServerStreaming ?? false ? bytes : 4 * bytes + 1024
  }

  private mutating func decodeMeta(_ block: ByteBuffer) -> CallMeta? {
    if block.isEqual(to: metaCache.bytes) { return metaCache.meta }
    guard let meta = block.withUnsafeReadableBytes({ try? CallMeta.decode($0) }) else { return nil }
    if block.readableBytes <= 1024 { metaCache = (Array(block.readableBytesView), meta) }
    return meta
  }

  /// When the call ends at the latest. Streams without a timeout have no deadline.
  private func deadline(_ method: UInt16, _ timeoutMicroseconds: UInt64, _ now: NIODeadline) -> NIODeadline? {
    let isStream = Method(rawValue: method)?.isServerStreaming ?? false
    if timeoutMicroseconds == 0 { return isStream ? nil : now + limits.callTimeoutMax }
    // 100 years: more would overflow the clock.
    let microseconds = Int64(min(timeoutMicroseconds, 3_155_760_000_000_000))
    let timeout = TimeAmount.microseconds(microseconds)
    return now + (isStream ? timeout : min(timeout, limits.callTimeoutMax))
  }

  // MARK: Refusals

  /// Answers a call that was never dispatched.
  private mutating func reject(
    _ stream: UInt32, _ code: StatusCode, _ message: String, into out: inout ByteBuffer, now: NIODeadline
  ) -> Event? {
    let status = RPCStatus(code, message, details: [.notExecuted])
    writeReply(stream, CallReply(status: status), into: &out)
    return malformedCalls.take(now: now) ? nil : fail(.calm, "Too many malformed calls.", into: &out)
  }

  /// Ends a parked call because of its client, with a CANCEL.
  mutating func abandon(_ stream: UInt32, _ code: FramingErrorCode, into out: inout ByteBuffer) -> Event? {
    silence(stream, into: &out)
    out.writeCancel(code, stream: stream)
    guard calls[stream] != nil else { return nil }
    return .cancelled(CallID(rawValue: stream), .violation)
  }

  /// Sends nothing more for a call; its slot waits for the handler.
  mutating func silence(_ stream: UInt32, into out: inout ByteBuffer) {
    calls[stream]?.isAbandoned = true
    let isFinished = outbound.isFinishing(stream)
    outbound.close(stream)
    inbound.close(stream, into: &out)
    if isFinished { release(stream) }
  }

  // MARK: The dispatcher's side

  /// Answers the call being dispatched.
  mutating func answer(_ id: CallID, _ reply: CallReply, into out: inout ByteBuffer, now: NIODeadline) {
    guard let current = dispatching, current.id == id.rawValue else {
      return complete(id, reply, into: &out, now: now)
    }
    dispatching = nil
    writeReply(id.rawValue, reply, into: &out)
    if !calls.isEmpty { inbound.close(id.rawValue, into: &out) }
    outbound.close(id.rawValue)
    didEnd(reply, into: &out, now: now)
  }

  /// Keeps the slot of the call being dispatched.
  mutating func park(_ id: CallID) {
    guard let current = dispatching, current.id == id.rawValue else { return }
    dispatching = nil
    calls[current.id] = current.call
    parkedBytes += current.call.bytes
    parkedHeldBytes += current.call.heldBytes
    countRequests()
    if let deadline = current.call.deadline { callWakeAt = min(callWakeAt, deadline) }
  }

  /// Says how much memory a request takes, in bytes; see `CallConnection.hold(_:for:)`.
  mutating func hold(_ bytes: Int, for id: CallID) {
    if dispatching?.id == id.rawValue { dispatching?.call.heldBytes = bytes }
    guard let before = calls[id.rawValue]?.heldBytes else { return }
    calls[id.rawValue]?.heldBytes = bytes
    parkedHeldBytes += bytes - before
    countRequests()
  }

  /// Ends a parked call. Its slot is free, unless messages of its stream still wait for credit.
  mutating func complete(_ id: CallID, _ reply: CallReply, into out: inout ByteBuffer, now: NIODeadline) {
    if let current = dispatching, current.id == id.rawValue {
      guard outbound.contains(id.rawValue) else { return answer(id, reply, into: &out, now: now) }
      park(id)
    }
    guard let call = calls[id.rawValue] else { return }
    guard !call.isAbandoned else { return release(id.rawValue) }
    guard outbound.finish(id.rawValue, with: .reply(reply)) else { return }
    inbound.close(id.rawValue, into: &out)
    writeReply(id.rawValue, reply, into: &out)
    lastCallAt = now
    // Last: freeing the last slot of a draining connection closes it.
    release(id.rawValue)
    didEnd(reply, into: &out, now: now)
  }

  /// Sends a message of a stream; see `CallConnection.send(_:on:)`.
  mutating func send(_ message: ByteBuffer, on id: CallID, into out: inout ByteBuffer) -> Bool {
    let isKnown = dispatching?.id == id.rawValue || calls[id.rawValue]?.isAbandoned == false
    guard phase == .open, isKnown else { return false }
    guard message.readableBytes <= peer.messageBytesMax else { return refuseMessage(of: id, into: &out) }
    outbound.open(id.rawValue)
    var queued = OutboundFlow.Message(bytes: message, isCompressed: false)
    if limits.compressesReplies, peer.inflates, let deflated = message.deflated() {
      queued = OutboundFlow.Message(bytes: deflated, isCompressed: true)
    }
    return outbound.send(queued, on: id.rawValue, into: &out)
  }

  /// Ends a stream whose next message its client cannot take: a stream with a hole in it must not end well.
  ///
  /// - Returns: false: nothing further can be sent.
  private mutating func refuseMessage(of id: CallID, into out: inout ByteBuffer) -> Bool {
    park(id)
    silence(id.rawValue, into: &out)
    writeReply(id.rawValue, CallReply(status: .answerTooLarge), into: &out)
    if calls[id.rawValue] != nil { events.append(.cancelled(id, .violation)) }
    return false
  }

  mutating func returnCredit(_ bytes: Int, to id: CallID, into out: inout ByteBuffer) {
    inbound.giveBack(bytes, to: id.rawValue, into: &out)
  }

  /// The dispatcher heard of a cancelled call. After a deadline the client gets its answer now, if it has none.
  mutating func cancelHandled(_ id: CallID, _ reason: CancelReason, into out: inout ByteBuffer) {
    guard reason == .deadline, let call = calls[id.rawValue], !call.isAbandoned else { return }
    silence(id.rawValue, into: &out)
    let status = RPCStatus(.deadlineExceeded, "The deadline passed. Whether the call was executed is not known.")
    writeReply(id.rawValue, CallReply(status: status), into: &out)
  }

  /// Moves streams that wait for credit or for the socket.
  mutating func pumpStreams(into out: inout ByteBuffer) {
    while outbound.hasWaiting, let progress = outbound.next(into: &out) {
      switch progress {
      case .canSend(let stream):
        events.append(.creditAvailable(CallID(rawValue: stream)))
      case .finished(let stream, .reply(let reply)):
        inbound.close(stream, into: &out)
        writeReply(stream, reply, into: &out)
        release(stream)
      }
    }
  }

  private mutating func didEnd(_ reply: CallReply, into out: inout ByteBuffer, now: NIODeadline) {
    closeIfDrained()
    if reply.isMalformedRequest, !malformedCalls.take(now: now) {
      events.insert(fail(.calm, "Too many malformed calls.", into: &out), at: 0)
    }
  }

  private mutating func release(_ stream: UInt32) {
    guard let call = calls.removeValue(forKey: stream) else { return }
    parkedBytes -= call.bytes
    parkedHeldBytes -= call.heldBytes
    countRequests()
    closeIfDrained()
  }
}
