import NIOCore
import NIOEmbedded
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// A dispatcher on a loop of its own.
final class LoopUnderTest: Sendable {
  let loop = NIOAsyncTestingEventLoop()
  let account: AnswerAccount
  private let connection: NIOLoopBound<RecordingConnection>
  private let handler: NIOLoopBound<any CallHandler>

  init(_ service: TidemarkService) async throws {
    let loop = loop
    let account = AnswerBudget(limits: ServerLimits()).openAccount()
    self.account = account
    (connection, handler) = try await loop.executeInContext {
      (
        NIOLoopBound(RecordingConnection(loop, account), eventLoop: loop),
        NIOLoopBound<any CallHandler>(service.makeHandler(on: loop), eventLoop: loop)
      )
    }
  }

  /// The replies of pending calls, in order.
  var replies: [CallReply] {
    get async { (try? await loop.executeInContext { [connection] in connection.value.replies }) ?? [] }
  }

  /// What was said of the memory that requests take.
  var held: [CallID: Int] {
    get async { (try? await loop.executeInContext { [connection] in connection.value.held }) ?? [:] }
  }

  /// The next reply of a pending call, removed. Time goes on until it is there.
  func takeReply() async throws -> CallReply {
    while await replies.isEmpty { await loop.advanceTime(by: .milliseconds(20)) }
    return try await loop.executeInContext { [connection] in connection.value.replies.removeFirst() }
  }

  /// Says that nobody waits for the calls sent so far.
  func cancelAll(_ reason: CancelReason) async throws {
    try await loop.executeInContext { [connection, handler] in
      for call in 1...connection.value.lastCall {
        handler.value.cancelled(CallID(rawValue: call), reason: reason, connection: connection.value)
      }
    }
  }

  /// Sends a call. What `block` waits for is what every later task of the loop waits for, too.
  func send(
    _ method: Method, _ request: some EncodableMessage, authorization: String = "", attempt: UInt32 = 0,
    deadline: NIODeadline? = nil,
    block: @escaping @Sendable () -> Void = {}
  ) async throws {
    let bytes = ByteBuffer(bytes: try request.encode(using: MessageArena()))
    try await loop.executeInContext { [connection, handler, loop] in
      let owner = connection.value
      owner.lastCall += 1
      var meta = CallMeta()
      meta.authorization = authorization
      meta.attempt = attempt
      let call = IncomingCall(
        id: CallID(rawValue: owner.lastCall), method: method.rawValue, path: nil, meta: meta, deadline: deadline,
        message: bytes, isHalfClosed: true, connection: owner)
      if case .reply(let reply) = handler.value.receive(call) { owner.replies.append(reply) }
      loop.execute(block)
    }
  }
}

final class RecordingConnection: CallConnection {
  let eventLoop: any EventLoop
  let peer = "test"
  let connectionID: UInt64 = 1
  let account: AnswerAccount
  var lastCall: UInt32 = 0
  var replies: [CallReply] = []
  /// What was said of the memory that requests take.
  var held: [CallID: Int] = [:]

  init(_ eventLoop: any EventLoop, _ account: AnswerAccount) {
    self.eventLoop = eventLoop
    self.account = account
  }

  func complete(_ call: CallID, with reply: CallReply) { replies.append(reply) }
  func send(_ message: ByteBuffer, on call: CallID) -> Bool { true }
  func hold(_ bytes: Int, for call: CallID) { held[call] = bytes }
  func returnCredit(_ bytes: Int, to call: CallID) {}
  func flush() {}
}
