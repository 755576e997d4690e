internal import NIOCore
internal import TidemarkStore
internal import TidemarkTransport

/// How other threads reach the dispatcher of a loop: one hop for all answers of a commit.
final class LoopMailbox: WriteSink, Sendable {
  private let loop: any EventLoop
  private let dispatcher: NIOLoopBound<LoopDispatcher>

  /// Call on the dispatcher's loop.
  init(_ dispatcher: LoopDispatcher) {
    loop = dispatcher.loop
    self.dispatcher = NIOLoopBound(dispatcher, eventLoop: dispatcher.loop)
  }

  func deliver(_ answers: [WriteAnswer]) {
    let dispatcher = dispatcher
    loop.execute { dispatcher.value.finish(answers) }
  }

  /// Runs something on the loop.
  func perform(_ body: @escaping @Sendable (LoopDispatcher) -> Void) {
    let dispatcher = dispatcher
    loop.execute { body(dispatcher.value) }
  }

  /// Answers the call of a ticket. The reply is made on the loop.
  func finish(_ ticket: UInt64, _ makeReply: @escaping @Sendable (LoopDispatcher) -> CallReply) {
    let dispatcher = dispatcher
    loop.execute { dispatcher.value.finish(ticket) { owner, _ in makeReply(owner) } }
  }
}
