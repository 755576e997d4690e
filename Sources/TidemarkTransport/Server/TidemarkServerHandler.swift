import Logging
import NIOCore
import TidemarkWire

/// Serves one connection of the Tidemark framing: the bytes of a read go through the state machine to the dispatcher and
/// back, and leave with one write.
///
/// Everything runs on the channel's event loop; a unary call that is answered at once costs no task, future or promise.
final class TidemarkServerHandler: ChannelDuplexHandler, CallConnection {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = Never
  typealias OutboundOut = ByteBuffer

  let eventLoop: any EventLoop
  let connectionID: UInt64
  let peer: String
  let account: AnswerAccount
  private let handler: any CallHandler
  private let onClose: @Sendable () -> Void
  private let limits: ServerLimits
  private var machine: ServerStateMachine
  private var input = ByteBuffer()
  private var out = ByteBuffer()
  private var context: ChannelHandlerContext?
  private var isRunning = false
  private var isOpen = false
  /// The read that was held back while too much waits.
  private var heldRead = false
  /// The budget was told that this connection waits for room.
  private var isToldToWait = false
  private var isClosing = false
  /// Everything is written, and the sending side is shut down.
  private var isOutputDone = false
  private var isInputClosed = false
  /// The machine heard that the client closed its sending side: every call that came before is parsed.
  private var isEndTold = false
  /// The time for the handshake is over, and the socket is read once more.
  private var hadLastTurn = false
  private var wakeAt = NIODeadline.distantFuture
  private var wake: Scheduled<Void>?
  /// The bytes given to the channel, and the clock of the stall watch.
  private var bytesWritten = 0
  private var progress = (bytes: 0, at: NIODeadline.now())
  /// What the account was told that this connection holds.
  private var countedBytes = 0
  /// The bytes given to the channel since it was last asked what it holds.
  private var uncountedBytes = 0
  /// While all together are fewer than this, what the channel holds is not asked for.
  private static let uncountedBytesMax = 16 * 1024

  init(
    handler: any CallHandler, limits: ServerLimits, hello: Hello, eventLoop: any EventLoop, peer: String, connectionID: UInt64,
    account: AnswerAccount? = nil, requests: RequestBudget? = nil, acceptedAt: NIODeadline = .now(),
    onClose: @escaping @Sendable () -> Void
  ) {
    self.handler = handler
    self.limits = limits
    self.eventLoop = eventLoop
    self.peer = peer
    self.connectionID = connectionID
    self.account = account ?? AnswerBudget(limits: limits).openAccount()
    self.onClose = onClose
    machine = ServerStateMachine(limits: limits, hello: hello, requests: requests, now: acceptedAt)
  }

  // MARK: Channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { schedule(machine.nextWake(now: .now())) }
  }

  func channelActive(context: ChannelHandlerContext) {
    schedule(machine.nextWake(now: .now()))
    context.fireChannelActive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    wake?.cancel()
    wake = nil
    self.context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var incoming = unwrapInboundIn(data)
    if isClosing { return }
    if input.readableBytes == 0 { input = incoming } else { input.writeBuffer(&incoming) }
    run(now: .now(), didRead: true)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    machine.writePong(into: &out)
    flush()
    context.fireChannelReadComplete()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    updateWritability(context)
    if machine.outbound.isWritable {
      machine.writePong(into: &out)
      run(now: .now(), didRead: false)
      flush()
    } else {
      updateAccount()
    }
    context.fireChannelWritabilityChanged()
  }

  func read(context: ChannelHandlerContext) {
    if isHeld { heldRead = true } else { context.read() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event {
      isInputClosed = true
      run(now: .now(), didRead: false)
      flush()
      if isOutputDone { context.close(promise: nil) }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    wake?.cancel()
    wake = nil
    isClosing = true
    machine.connectionLost()
    run(now: .now(), didRead: false)
    self.context = nil
    machine.outbound.closeAll()
    out = ByteBuffer()
    updateAccount()
    waitForRoom(false, now: .now())
    account.close()
    if isOpen { handler.connectionClosed(self) }
    isOpen = false
    onClose()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  // MARK: CallConnection

  func complete(_ call: CallID, with reply: CallReply) {
    machine.complete(call, reply, into: &out, now: .now())
  }

  func send(_ message: ByteBuffer, on call: CallID) -> Bool {
    machine.send(message, on: call, into: &out)
  }

  func hold(_ bytes: Int, for call: CallID) {
    machine.hold(bytes, for: call)
  }

  func returnCredit(_ bytes: Int, to call: CallID) {
    machine.returnCredit(bytes, to: call, into: &out)
  }

  func flush() {
    guard !isRunning else { return }
    if !machine.events.isEmpty || machine.outbound.hasWaiting || input.readableBytes > 0 { run(now: .now(), didRead: false) }
    writeOut()
    updateAccount()
    releaseRead()
    if machine.callWakeAt < wakeAt { schedule(machine.callWakeAt) }
  }

  /// Begins a drain.
  func drain() {
    machine.beginDrain(now: .now(), into: &out)
    run(now: .now(), didRead: false)
    flush()
    schedule(machine.nextWake(now: .now()))
  }

  // MARK: The loop

  /// While true, nothing is read or parsed: a slow reader, or too much in flight.
  private var isHeld: Bool { machine.isCongested || machine.waitsForRoom || !machine.outbound.isWritable }

  private func run(now: NIODeadline, didRead: Bool) {
    guard !isRunning else { return }
    isRunning = true
    machine.lookForRoom()
    repeat {
      while !isHeld || !machine.events.isEmpty || machine.phase == .closed {
        guard let event = machine.next(&input, into: &out, now: now) else { break }
        perform(event, now: now)
        if out.readableBytes >= OutboundFlow.outputBytesMax { writeOut() }
      }
      tellEnd()
      if machine.outbound.hasWaiting {
        machine.pumpStreams(into: &out)
        while out.readableBytes >= OutboundFlow.outputBytesMax, machine.outbound.isWritable, context?.channel.isActive == true {
          writeOut()
          machine.pumpStreams(into: &out)
        }
      }
    } while !machine.events.isEmpty
    isRunning = false
    if machine.waitsForRoom || isToldToWait { waitForRoom(machine.waitsForRoom, now: now) }
    if didRead {
      machine.didRead(leftover: isHeld ? 0 : input.readableBytes, now: now)
      if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
    }
  }

  /// Looks again after a while, as long as the next call waits for room. Nobody tells when there is some.
  private func waitForRoom(_ isWaiting: Bool, now: NIODeadline) {
    let budget = machine.requests.budget
    if isWaiting != isToldToWait { budget.setWaiting(isWaiting) }
    isToldToWait = isWaiting
    if isWaiting { schedule(now + budget.interval) }
  }

  /// Tells the machine that nothing more will come, once what came is parsed: the socket is read to its end even while held.
  private func tellEnd() {
    guard isInputClosed, !isEndTold, !isHeld || input.readableBytes == 0 else { return }
    isEndTold = true
    machine.inputClosed(into: &out)
  }

  private func perform(_ event: ServerStateMachine.Event, now: NIODeadline) {
    switch event {
    case .call(let call):
      let incoming = IncomingCall(
        id: call.id, method: call.method, path: call.path, meta: call.meta, deadline: call.deadline, message: call.message,
        isHalfClosed: call.isHalfClosed, connection: self)
      switch handler.receive(incoming) {
      case .reply(let reply): machine.answer(call.id, reply, into: &out, now: now)
      case .pending: machine.park(call.id)
      }
    case .message(let call, let message, let isLast, let owed):
      handler.received(message, isLast: isLast, owed: owed, on: call, connection: self)
    case .cancelled(let call, let reason):
      handler.cancelled(call, reason: reason, connection: self)
      machine.cancelHandled(call, reason, into: &out)
    case .creditAvailable(let call):
      handler.creditAvailable(call, connection: self)
    case .opened:
      isOpen = true
      schedule(machine.nextWake(now: now))
      handler.connectionOpened(self)
    case .close(let afterWriting):
      close(afterWriting: afterWriting)
    }
  }

  private func writeOut() {
    guard out.readableBytes > 0, let context, context.channel.isActive else { return }
    bytesWritten &+= out.readableBytes
    uncountedBytes &+= out.readableBytes
    if countedBytes == 0, uncountedBytes < Self.uncountedBytesMax {
      context.writeAndFlush(wrapOutboundOut(out), promise: nil)
    } else {
      let bound = NIOLoopBound(self, eventLoop: eventLoop)
      context.writeAndFlush(wrapOutboundOut(out)).whenComplete { _ in bound.value.updateAccount() }
    }
    // A buffer that the socket took whole is free again and is used for the next turn; a big one is not worth keeping.
    if out.capacity > 32 * 1024 { out = ByteBuffer() } else { out.clear() }
    if !context.channel.isWritable { updateWritability(context) }
  }

  private func updateWritability(_ context: ChannelHandlerContext) {
    machine.outbound.isWritable = context.channel.isWritable
    machine.backlogBytes = context.channel.isWritable ? 0 : bufferedBytes(context)
  }

  /// Tells the account what this connection holds, when that has changed. Small answers that the socket takes cost nothing here.
  private func updateAccount() {
    let queued = machine.outbound.heldBytes
    guard queued > 0 || countedBytes > 0 || uncountedBytes >= Self.uncountedBytesMax else { return }
    uncountedBytes = 0
    let held = queued + out.readableBytes + (context.map(bufferedBytes) ?? 0)
    account.setHeldForCredit(machine.outbound.isWritable ? queued : 0)
    guard held != countedBytes else { return }
    account.reserve(held - countedBytes)
    countedBytes = held
  }

  private func bufferedBytes(_ context: ChannelHandlerContext) -> Int {
    (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  private func releaseRead() {
    guard heldRead, !isHeld, let context else { return }
    heldRead = false
    context.read()
  }

  // MARK: Time and the end

  private func schedule(_ time: NIODeadline) {
    guard time < wakeAt, time != .distantFuture, !isClosing else { return }
    wake?.cancel()
    wakeAt = time
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    wake = eventLoop.scheduleTask(deadline: time) { bound.value.wakeUp() }
  }

  private func wakeUp() {
    wakeAt = .distantFuture
    guard let context else { return }
    let now = NIODeadline.now()
    if !machine.phase.isPastHandshake, !hadLastTurn {
      hadLastTurn = true
      return schedule(max(now, machine.nextWake(now: now)) + HandshakeTurn.length)
    }
    let next = machine.tick(now: now, into: &out)
    run(now: now, didRead: false)
    flush()
    let buffered = bufferedBytes(context)
    // Streams may wait for credit as long as there is room for what they hold.
    let isWaiting = buffered > 0 || (machine.outbound.heldBytes > 0 && account.budget.isTight)
    if !isWaiting || bytesWritten - buffered > progress.bytes {
      progress = (bytesWritten - buffered, now)
    } else if now >= progress.at + limits.writeStallTimeout {
      context.close(promise: nil)
      return
    }
    schedule(isWaiting ? min(next, progress.at + limits.writeStallTimeout) : next)
  }

  private func close(afterWriting: Bool) {
    guard !isClosing, let context else { return }
    isClosing = true
    heldRead = false
    input = ByteBuffer()
    wake?.cancel()
    wake = nil
    guard afterWriting, context.channel.isActive else { return context.close(promise: nil) }
    // Shut down the sending side once everything is written, then wait for the peer: closing at once could drop the last frames.
    let channel = context.channel
    let linger = limits.lingerTimeout
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let giveUp = eventLoop.scheduleTask(in: limits.writeStallTimeout) { channel.close(promise: nil) }
    let bytes = out
    out = ByteBuffer()
    context.writeAndFlush(wrapOutboundOut(bytes)).whenComplete { _ in
      giveUp.cancel()
      bound.value.isOutputDone = true
      bound.value.updateAccount()
      guard !bound.value.isInputClosed else { return channel.close(promise: nil) }
      channel.close(mode: .output, promise: nil)
      channel.eventLoop.scheduleTask(in: linger) { channel.close(promise: nil) }
    }
    context.read()
  }
}
