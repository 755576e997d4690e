internal import NIOCore
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// The dispatcher of one event loop: checks who calls, decodes, hands the work to the writer or the readers, and answers.
///
/// Everything here happens on `loop`. What waits for another thread waits in `pending` under a ticket, and comes back through `mailbox`.
final class LoopDispatcher: CallHandler {
  let service: TidemarkService
  let loop: any EventLoop
  /// Memory for decoding and encoding, used by one call after the other.
  let arena = MessageArena()
  private(set) lazy var mailbox = LoopMailbox(self)
  private var pending = TicketTable<PendingCall>()
  private var streams: [CallName: any ServerStream] = [:]
  private(set) lazy var watches = WatchedSpaces(self)
  private var postponed = PostponedReads()
  private var isLookingThrough = false
  private var credentials: [UInt64: RememberedCredentials] = [:]
  var held = HeldCalls()
  var isAwaitingConfirmation = false
  var isWatchingHeld = false
  /// Replies are encoded here, one after the other.
  private var buffer = ByteBuffer()
  private var random = BufferedRandom()

  init(service: TidemarkService, loop: any EventLoop) {
    self.service = service
    self.loop = loop
  }

  /// The largest buffer that is used again, in bytes.
  private static let bufferBytesMax = 64 * 1024
  /// How many postponed reads go to the readers at once.
  private static let resumedReadsMax = 64

  /// The memory of larger requests is counted; that of others is guessed from their size, in bytes.
  private static let guessedBytesMax = 4 * 1024

  /// Names a call on any connection of this loop.
  struct CallName: Hashable, Sendable {
    let connection: UInt64
    let call: CallID
  }

  // MARK: CallHandler

  func receive(_ call: IncomingCall) -> CallDisposition {
    guard Method(rawValue: call.method) != nil else {
      return .reply(CallReply(status: .unknownMethod(call.path ?? "number \(call.method)")))
    }
    switch judge(call) {
    case .principal(let principal): return answer(call, principal)
    case .refused: return .reply(CallReply(status: .unauthenticated))
    case .ask: return hold(call, since: service.clock.uptimeNanoseconds())
    }
  }

  /// Who makes a call.
  ///
  /// - Parameter asked: when it was held, by `StoreClock.uptimeNanoseconds`.
  func judge(_ call: IncomingCall, since asked: UInt64? = nil) -> RememberedCredentials.Verdict {
    let authorization = call.meta.authorization
    if !authorization.isEmpty { service.poller?.noteUse() }
    return credentials[call.connection.connectionID, default: RememberedCredentials()]
      .verdict(for: authorization, service.authenticator, now: service.clock.uptimeNanoseconds, since: asked)
  }

  /// Does what a call asks for.
  func answer(_ call: IncomingCall, _ principal: Principal) -> CallDisposition {
    guard let method = Method(rawValue: call.method) else {
      return .reply(CallReply(status: .unknownMethod(call.path ?? "number \(call.method)")))
    }
    do throws(CallFailure) {
      return try dispatch(method, call, principal)
    } catch {
      var reply = CallReply(status: error.status)
      reply.isMalformedRequest = error.isMalformed
      return .reply(reply)
    }
  }

  func creditAvailable(_ call: CallID, connection: any CallConnection) {
    streams[CallName(connection: connection.connectionID, call: call)]?.resume()
  }

  func cancelled(_ call: CallID, reason: CancelReason, connection: any CallConnection) {
    // Reads and writes in flight end by themselves and complete then, which frees the slot.
    let name = CallName(connection: connection.connectionID, call: call)
    if let held = held.remove(name) {
      let status = reason == .deadline ? RPCStatus.expired : .cancelled
      return held.call.connection.complete(call, with: CallReply(status: status))
    }
    if let read = postponed.remove(name) { return read.end(self, reason == .deadline ? .expired : .cancelled) }
    streams[name]?.cancel()
  }

  func connectionClosed(_ connection: any CallConnection) { credentials[connection.connectionID] = nil }

  private func dispatch(_ method: Method, _ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    switch method {
    case .create, .getOrCreate, .update, .replace, .delete, .restore: try write(method, call, principal)
    case .get: try get(call, principal)
    case .batchGet: try batchGet(call, principal)
    case .list: try list(call, principal)
    case .bulkWrite: try bulkWrite(call, principal)
    case .getOutcomes: try getOutcomes(call, principal)
    case .undoWrites: try undoWrites(call, principal)
    case .createSpace: try createSpace(call, principal)
    case .listSpaces: try listSpaces(call, principal)
    case .deleteSpace: try deleteSpace(call, principal)
    case .getSpace: try getSpace(call, principal)
    case .verifySpace: try verifySpace(call, principal)
    case .createToken: try createToken(call, principal)
    case .listTokens: try listTokens(call, principal)
    case .revokeToken: try revokeToken(call, principal)
    case .echo: try echo(call)
    case .getServerInfo: try getServerInfo(call, principal)
    case .pull: try pull(call, principal)
    case .exchange: try exchange(call, principal)
    case .watch: try watch(call, principal)
    case .applySchema: try applySchema(call, principal)
    case .getSchema: try getSchema(call, principal)
    case .rollbackSchema: try rollbackSchema(call, principal)
    }
  }

  // MARK: Messages

  /// Decodes the request of a call.
  func decode<Message: DecodableMessage>(_ call: IncomingCall) throws(CallFailure) -> Message {
    do throws(WireError) {
      return try call.message.withReadable { (bytes) throws(WireError) in try Message.decode(bytes, using: arena) }
    } catch { throw CallFailure(error) }
  }

  /// Encodes the response of a call.
  func reply(_ message: some EncodableMessage) -> CallReply {
    do throws(WireError) {
      return CallReply(message: try encode(message))
    } catch { return CallReply(status: .tooLargeToTell) }
  }

  /// The encoding of a message, valid until the next one is encoded.
  func encode(_ message: some EncodableMessage) throws(WireError) -> ByteBuffer {
    // What somebody still holds is left to them, and big memory is not kept for small messages.
    buffer.clear(minimumCapacity: 256)
    if buffer.capacity > LoopDispatcher.bufferBytesMax { buffer = ByteBuffer() }
    try message.withPacked(using: arena) { packed in
      _ = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: packed.size) { packed.pack(into: $0) }
    }
    return buffer
  }

  /// An operation id for a write whose client sent none.
  func makeOperation() -> OperationID {
    OperationID(rawValue: UUIDText.makeVersion7(now: service.clock.now(), using: &random))
  }

  // MARK: Pending calls

  /// Keeps a call until its ticket comes back.
  ///
  /// - Parameter principal: who writes, for the log; `nil` for a call that writes no entities.
  func keep(_ call: IncomingCall, _ kind: PendingCall.Kind = .other, by principal: PrincipalName? = nil) -> UInt64 {
    if call.message.readableBytes >= LoopDispatcher.guessedBytesMax, let bytes = kind.heldBytes {
      call.connection.hold(bytes, for: call.id)
    }
    return pending.insert(
      PendingCall(
        id: call.id, connection: call.connection, kind: kind, principal: principal, attempt: call.meta.attempt))
  }

  /// Forgets a call whose work could not be queued.
  func giveUp(_ ticket: UInt64) throws(CallFailure) -> CallDisposition {
    _ = pending.remove(ticket)
    throw CallFailure(.overloaded)
  }

  /// Answers the call of a ticket.
  func finish(_ ticket: UInt64, _ makeReply: (LoopDispatcher, PendingCall) -> CallReply) {
    guard let call = pending.remove(ticket) else { return }
    call.connection.complete(call.id, with: makeReply(self, call))
    call.connection.flush()
  }

  /// Answers the calls of one commit, with one flush a connection.
  func finish(_ answers: [WriteAnswer]) {
    var touched: [any CallConnection] = []
    for answer in answers {
      guard let call = pending.remove(answer.ticket) else { continue }
      note(answer.result, of: call)
      guard let reply = writeReply(answer.result, call) else { continue }
      call.connection.complete(call.id, with: reply)
      if !touched.contains(where: { $0 === call.connection }) { touched.append(call.connection) }
    }
    for connection in touched { connection.flush() }
  }

  /// Keeps a call on again under a new ticket: its answer needs a further step.
  func keepOn(_ call: PendingCall) -> UInt64 { pending.insert(call) }

  /// Keeps the call of a ticket on as one that waits for something else. `nil` when there is none.
  func keepOn(_ ticket: UInt64, as kind: PendingCall.Kind) -> UInt64? {
    guard var call = pending.remove(ticket) else { return nil }
    call.kind = kind
    if let bytes = kind.heldBytes { call.connection.hold(bytes, for: call.id) }
    return pending.insert(call)
  }

  // MARK: Reads

  /// Queues a read, or postpones it. False when the readers have too much to do: nothing will come of it.
  func submit(_ read: StoreRead) -> Bool {
    guard read.mayStart else {
      postpone(read)
      return true
    }
    return submitNow(read)
  }

  private func submitNow(_ read: StoreRead) -> Bool {
    let (clock, mailbox) = (service.clock, mailbox)
    return service.readers.submit(lane: read.name.connection) { read.run($0, clock, mailbox) }
  }

  /// Keeps a read until its connection may have more.
  func postpone(_ read: StoreRead) {
    postponed.add(read)
    lookThroughLater()
  }

  private func lookThroughLater() {
    guard !postponed.isEmpty, !isLookingThrough else { return }
    isLookingThrough = true
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: postponed.interval) { bound.value.resumePostponed() }
  }

  private func resumePostponed() {
    isLookingThrough = false
    for read in postponed.takeReady(limit: LoopDispatcher.resumedReadsMax, service.clock) {
      if read.account.isClosed {
        read.end(self, .cancelled)
      } else if read.isExpired(service.clock) {
        read.end(self, .expired)
      } else if !submitNow(read) {
        read.end(self, .overloaded)
      }
    }
    lookThroughLater()
  }

  // MARK: Streams

  /// Starts a stream of messages that are made one after the other.
  func start(_ source: any StreamSource, for call: IncomingCall) -> CallDisposition {
    start(call) {
      StreamCall(source: source, id: call.id, connection: call.connection, dispatcher: self, onDone: $0)
    }
  }

  /// Starts the stream that answers a call.
  ///
  /// - Parameter make: makes the stream, which says when it is over.
  func start(_ call: IncomingCall, _ make: (_ onDone: @escaping () -> Void) -> any ServerStream) -> CallDisposition {
    let name = CallName(connection: call.connection.connectionID, call: call.id)
    let stream = make { [weak self] in self?.streams[name] = nil }
    streams[name] = stream
    stream.resume()
    return .pending
  }
}
