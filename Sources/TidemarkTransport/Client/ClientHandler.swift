import NIOCore
import TidemarkWire

/// Puts a client's state machine on a channel. Everything runs on the channel's event loop.
final class ClientHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var machine: ClientStateMachine
  private let eventLoop: any EventLoop
  private let onEvent: @Sendable (ClientConnectionEvent) -> Void
  private var input = ByteBuffer()
  private var out = ByteBuffer()
  private var context: ChannelHandlerContext?
  private var isRunning = false
  private var wakeAt = NIODeadline.distantFuture
  private var wake: Scheduled<Void>?

  init(
    configuration: ClientConfiguration, eventLoop: any EventLoop, onEvent: @escaping @Sendable (ClientConnectionEvent) -> Void
  ) {
    self.eventLoop = eventLoop
    self.onEvent = onEvent
    machine = ClientStateMachine(configuration: configuration, now: .now())
  }

  // MARK: Calls

  func submit(_ call: ClientCall) {
    machine.submit(call, into: &out, now: .now())
  }

  func cancel(_ call: ClientCall) {
    machine.cancel(call, into: &out, now: .now())
  }

  func send(_ message: ByteBuffer, isLast: Bool, on call: ClientCall) {
    machine.sendMessage(message, isLast: isLast, on: call, into: &out)
  }

  func returnCredit(_ bytes: Int, to call: ClientCall) {
    machine.returnCredit(bytes, to: call, into: &out)
  }

  /// Hands over what was written and delivers what happened. Nothing while a read is being worked on: its end does that.
  func flush() {
    guard !isRunning else { return }
    run(now: .now())
    writeOut()
    if machine.callWakeAt < wakeAt { schedule(machine.callWakeAt) }
  }

  /// Ends the connection; calls in flight have an unknown outcome.
  func close() {
    var goAway = GoAway()
    goAway.debug = "The client is closing."
    if machine.phase == .open { out.writeGoAway(goAway, code: .none) }
    machine.connectionLost(CallFailure(.cancelled, "The connection was closed by its owner.", fate: .unknown))
    flush()
  }

  // MARK: Channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { start() }
  }

  func channelActive(context: ChannelHandlerContext) {
    start()
    context.fireChannelActive()
  }

  private func start() {
    machine.begin(into: &out)
    flush()
    schedule(machine.nextWake(now: .now()))
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var incoming = unwrapInboundIn(data)
    if input.readableBytes == 0 { input = incoming } else { input.writeBuffer(&incoming) }
    let now = NIODeadline.now()
    machine.didRead(now: now)
    run(now: now)
    if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if let opaque = machine.pongDue, machine.phase != .closed {
      machine.pongDue = nil
      out.writePing(opaque, isAnswer: true)
    }
    flush()
    context.fireChannelReadComplete()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    machine.outbound.isWritable = context.channel.isWritable
    if context.channel.isWritable { flush() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    wake?.cancel()
    machine.connectionLost(CallFailure(.unavailable, "The connection was lost.", fate: .unknown))
    run(now: .now())
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  // MARK: The loop

  private func run(now: NIODeadline) {
    guard !isRunning else { return }
    isRunning = true
    repeat {
      while let event = machine.next(&input, into: &out, now: now) {
        perform(event)
        if out.readableBytes >= OutboundFlow.outputBytesMax { writeOut() }
      }
      repeat {
        machine.pump(into: &out)
        machine.sendWaiting(into: &out, now: now)
        guard out.readableBytes >= OutboundFlow.outputBytesMax, context?.channel.isActive == true else { break }
        writeOut()
      } while machine.outbound.isWritable
    } while !machine.events.isEmpty
    isRunning = false
  }

  private func perform(_ event: ClientStateMachine.Event) {
    switch event {
    case .finished(let call, let result): call.completion(result)
    case .message(let call, let message, let owed): call.onMessage?(message, owed)
    case .opened(let hello): onEvent(.opened(hello))
    case .goingAway(let goAway, let code): onEvent(.goingAway(goAway, code))
    case .close(let failure):
      writeOut()
      context?.close(promise: nil)
      onEvent(.closed(failure))
    }
  }

  private func writeOut() {
    guard out.readableBytes > 0, let context, context.channel.isActive else { return }
    context.writeAndFlush(wrapOutboundOut(out), promise: nil)
    if out.capacity > 64 * 1024 { out = ByteBuffer() } else { out.clear() }
    machine.outbound.isWritable = context.channel.isWritable
  }

  private func schedule(_ time: NIODeadline) {
    guard time < wakeAt, context != nil else { return }
    wake?.cancel()
    wakeAt = time
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    wake = eventLoop.scheduleTask(deadline: time) { bound.value.wakeUp() }
  }

  private func wakeUp() {
    wakeAt = .distantFuture
    let next = machine.tick(now: .now(), into: &out)
    flush()
    schedule(next)
  }
}
