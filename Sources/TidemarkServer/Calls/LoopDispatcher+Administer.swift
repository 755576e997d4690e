internal import NIOCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Work on spaces and tokens.
extension LoopDispatcher {
  /// Answers a call with what administrative work in a transaction of its own makes.
  ///
  /// - Parameters:
  ///   - body: runs on the writer's thread; a failure must be found before anything is changed.
  ///   - didCommit: runs on the writer's thread, once the work is durable and before any later work: in the order of the commits.
  ///   - reply: runs on the loop, once the work is durable.
  func administer<Made: Sendable, Response: EncodableMessage>(
    _ call: IncomingCall,
    _ body: @escaping @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Result<Made, RPCStatus>,
    didCommit: @escaping @Sendable (Made) -> Void = { _ in },
    reply makeResponse: @escaping @Sendable (LoopDispatcher, Made) -> Response
  ) throws(CallFailure) -> CallDisposition {
    let ticket = keep(call)
    let mailbox = mailbox
    let made = Handover<Result<Made, RPCStatus>>()
    let deadline = call.deadline?.uptimeNanoseconds
    let clock = service.clock
    let isQueued = service.writer.administer { transaction, random in
      if let deadline, clock.uptimeNanoseconds() >= deadline { return made.put(.failure(.expired)) }
      made.put(try body(transaction, &random))
    } completion: { error in
      let result = error.map { .failure(.ofWrite($0)) } ?? made.take() ?? .failure(.storeFailed)
      if case .success(let value) = result { didCommit(value) }
      mailbox.finish(ticket) { dispatcher in
        switch result {
        case .success(let value): dispatcher.reply(makeResponse(dispatcher, value))
        case .failure(let status): CallReply(status: status)
        }
      }
    }
    return isQueued ? .pending : try giveUp(ticket)
  }
}
