import NIOCore
import TidemarkWire

/// The time between the end of a handshake's time and the close.
///
/// When the event loop was busy, what the client sent in time may lie unread in the socket, and timers that are due come before
/// the next read. A timer that is not due yet comes after it.
enum HandshakeTurn {
  static let length = TimeAmount.milliseconds(100)
}

/// Chooses the codec of a connection by its first four bytes, then hands the connection over and leaves.
///
/// Bytes that no codec begins with, and silence, are answered by closing without a word.
final class CodecSniffer: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let timeout: TimeAmount
  private let makeTidemark: () -> TidemarkServerHandler
  private let onClose: @Sendable () -> Void
  private var collected = ByteBuffer()
  private var timer: Scheduled<Void>?
  private var isDone = false

  /// - Parameter onClose: called when the connection ends before it was handed over.
  init(
    timeout: TimeAmount, onClose: @escaping @Sendable () -> Void, makeTidemark: @escaping () -> TidemarkServerHandler
  ) {
    self.timeout = timeout
    self.onClose = onClose
    self.makeTidemark = makeTidemark
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    let loop = context.eventLoop
    let bound = NIOLoopBound(self, eventLoop: loop)
    timer = loop.scheduleTask(in: timeout) {
      bound.value.timer = loop.scheduleTask(in: HandshakeTurn.length) { channel.close(promise: nil) }
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var incoming = unwrapInboundIn(data)
    guard !isDone else { return context.fireChannelRead(data) }
    collected.writeBuffer(&incoming)
    guard let magic = collected.getInteger(at: collected.readerIndex, as: UInt32.self) else { return }
    guard magic == Preface.magic else { return context.close(promise: nil) }
    isDone = true
    timer?.cancel()
    do {
      try context.pipeline.syncOperations.addHandler(makeTidemark(), position: .after(self))
      context.fireChannelRead(wrapInboundOut(collected))
      collected = ByteBuffer()
      context.pipeline.syncOperations.removeHandler(self, promise: nil)
    } catch {
      context.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if !isDone, case ChannelEvent.inputClosed = event { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    if !isDone { onClose() }
    isDone = true
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
