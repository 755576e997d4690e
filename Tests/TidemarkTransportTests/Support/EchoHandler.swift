import NIOCore
import TidemarkTransport
import TidemarkWire

/// A dispatcher for tests: echoes, parks or streams, depending on the method.
final class EchoHandler: CallHandler {
  /// Answered by `completeParked`.
  static let parkedMethod: UInt16 = 2
  /// Streams as many messages as the first 8 bytes of the request say, of the size that the next 8 say.
  static let streamMethod = Method.list.rawValue

  struct Stream {
    var left: Int
    var message: ByteBuffer
  }

  private(set) var parked: [(call: IncomingCall, isCancelled: Bool)] = []
  private(set) var cancelled: [(CallID, CancelReason)] = []
  private var streams: [CallID: Stream] = [:]
  private(set) var received = 0

  func receive(_ call: IncomingCall) -> CallDisposition {
    received += 1
    switch call.method {
    case EchoHandler.parkedMethod:
      parked.append((call, false))
      return .pending
    case EchoHandler.streamMethod:
      var message = call.message
      guard let count = message.readInteger(as: UInt64.self), let size = message.readInteger(as: UInt64.self) else {
        return .reply(CallReply(status: RPCStatus(.invalidArgument, "two numbers, please")))
      }
      streams[call.id] = Stream(left: Int(count), message: ByteBuffer(repeating: 0x61, count: Int(size)))
      creditAvailable(call.id, connection: call.connection)
      return .pending
    case Method.echo.rawValue: return .reply(CallReply(message: call.message))
    default: return .reply(CallReply(status: RPCStatus(.unimplemented, "There is no such method.")))
    }
  }

  func creditAvailable(_ call: CallID, connection: any CallConnection) {
    while let stream = streams[call] {
      guard stream.left > 0 else {
        streams[call] = nil
        connection.complete(call, with: CallReply(message: ByteBuffer()))
        return
      }
      streams[call]?.left -= 1
      guard connection.send(stream.message, on: call) else { return }
    }
  }

  func cancelled(_ call: CallID, reason: CancelReason, connection: any CallConnection) {
    cancelled.append((call, reason))
    if streams.removeValue(forKey: call) != nil { connection.complete(call, with: CallReply(message: ByteBuffer())) }
  }

  /// Echoes every parked call.
  func completeParked() {
    let calls = parked
    parked = []
    for entry in calls { entry.call.connection.complete(entry.call.id, with: CallReply(message: entry.call.message)) }
    for entry in calls { entry.call.connection.flush() }
  }
}
