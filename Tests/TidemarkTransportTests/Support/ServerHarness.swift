import NIOCore
import TidemarkWire

@testable import TidemarkTransport

/// A server's state machine with a dispatcher around it, without any socket.
///
/// Method 40 echoes at once, 2 waits for `completeParked`, 9 answers two messages like the request, 50 echoes every message
/// of the client and at last the first one. Others are unimplemented.
struct ServerHarness {
  static let parked: UInt16 = 2
  static let clientStream: UInt16 = 50

  var machine: ServerStateMachine
  var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
  var output = ByteBuffer()
  /// How the connection was closed; `nil` while it is open.
  var closedAfterWriting: Bool?
  /// Whether messages of client streams are taken at once.
  var returnsCredit = true
  private(set) var parkedCalls: [CallID] = []
  private(set) var cancelled: [CallID: CancelReason] = [:]
  private(set) var dispatched = 0
  private(set) var dispatchedAtOnceMax = 0
  private(set) var sizes: [Int] = []
  private var firstMessages: [CallID: ByteBuffer] = [:]
  private var input = ByteBuffer()

  init(limits: ServerLimits = ServerLimits(), requests: RequestBudget? = nil) {
    machine = ServerStateMachine(limits: limits, requests: requests, now: now)
  }

  /// A harness past its handshake, with an empty output.
  static func open(
    limits: ServerLimits = ServerLimits(), hello: Hello = Hello(), requests: RequestBudget? = nil
  ) -> ServerHarness {
    var server = ServerHarness(limits: limits, requests: requests)
    var bytes = ByteBuffer()
    bytes.writeInteger(Preface.encoded)
    bytes.writeHello(hello)
    server.feed(bytes)
    server.output.clear()
    return server
  }

  mutating func feed(_ bytes: ByteBuffer) {
    input.writeImmutableBuffer(bytes)
    work()
    machine.didRead(leftover: input.readableBytes, now: now)
    machine.writePong(into: &output)
  }

  mutating func feed(_ header: FrameHeader, _ payload: ByteBuffer = ByteBuffer()) {
    var bytes = ByteBuffer()
    bytes.writeFrameHeader(header)
    bytes.writeImmutableBuffer(payload)
    feed(bytes)
  }

  mutating func call(_ method: UInt16, stream: UInt32, _ message: String = "hi", flags: FrameFlags = .end) {
    let payload = ByteBuffer(string: message)
    feed(
      FrameHeader(length: UInt32(payload.readableBytes), type: .call, flags: flags, aux: method, stream: stream), payload)
  }

  mutating func advance(_ time: TimeAmount) {
    now = now + time
    _ = machine.tick(now: now, into: &output)
    work()
  }

  /// Does what the machine asks for.
  mutating func work() {
    while let event = machine.next(&input, into: &output, now: now) {
      switch event {
      case .opened: break
      case .call(let call): dispatch(call)
      case .message(let id, let message, let isLast, let owed):
        if let message {
          sizes.append(message.readableBytes)
          _ = machine.send(message, on: id, into: &output)
        }
        if returnsCredit { machine.returnCredit(owed, to: id, into: &output) }
        if isLast, let first = firstMessages.removeValue(forKey: id) {
          machine.complete(id, CallReply(message: first), into: &output, now: now)
        }
      case .cancelled(let id, let reason):
        cancelled[id] = reason
        machine.cancelHandled(id, reason, into: &output)
      case .creditAvailable: break
      case .close(let afterWriting): closedAfterWriting = afterWriting
      }
      dispatchedAtOnceMax = max(dispatchedAtOnceMax, machine.callsInFlight)
    }
  }

  private mutating func dispatch(_ call: ServerStateMachine.ReceivedCall) {
    dispatched += 1
    sizes.append(call.message.readableBytes)
    switch call.method {
    case Method.echo.rawValue:
      machine.answer(call.id, CallReply(message: call.message), into: &output, now: now)
    case ServerHarness.parked:
      parkedCalls.append(call.id)
      machine.park(call.id)
    case Method.list.rawValue:
      machine.park(call.id)
      for _ in 0..<2 { _ = machine.send(call.message, on: call.id, into: &output) }
      machine.complete(call.id, CallReply(message: ByteBuffer()), into: &output, now: now)
    case ServerHarness.clientStream:
      firstMessages[call.id] = call.message
      machine.park(call.id)
    default:
      let status = RPCStatus(.unimplemented, "There is no such method.")
      machine.answer(call.id, CallReply(status: status), into: &output, now: now)
    }
  }

  /// Ends every call of method 2, the cancelled ones too.
  mutating func completeParked(_ message: String = "done") {
    for id in parkedCalls { machine.complete(id, CallReply(message: ByteBuffer(string: message)), into: &output, now: now) }
    parkedCalls = []
    work()
  }

  /// Takes the frames written so far.
  mutating func frames() -> [Frame] {
    let frames = Frame.all(in: output)
    output.clear()
    return frames
  }
}

/// A frame, for comparison.
struct Frame: Equatable {
  var header: FrameHeader
  var payload: ByteBuffer

  var type: FrameType? { FrameType(rawValue: header.type) }
  var stream: UInt32 { header.stream }
  var aux: UInt16 { header.aux }
  var text: String { String(buffer: payload) }

  static func all(in bytes: ByteBuffer) -> [Frame] {
    var bytes = bytes
    var frames: [Frame] = []
    while let header = bytes.peekFrameHeader() {
      bytes.moveReaderIndex(forwardBy: FrameHeader.bytes)
      guard let payload = bytes.readSlice(length: Int(header.length)) else { return frames }
      frames.append(Frame(header: header, payload: payload))
    }
    return frames
  }
}
