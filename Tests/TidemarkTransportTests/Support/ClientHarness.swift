import NIOCore
import TidemarkWire

@testable import TidemarkTransport

/// A client's state machine with its owner around it, without any socket.
struct ClientHarness {
  var machine: ClientStateMachine
  var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
  var output = ByteBuffer()
  var results: [ObjectIdentifier: CallResult] = [:]
  var resultCount = 0
  /// Messages of streams that the application has not taken.
  var untaken: [(call: ClientCall, size: Int, owed: Int)] = []
  var messages: [ObjectIdentifier: Int] = [:]
  var bytesUntakenMax = 0
  var closed: CallFailure?
  private var input = ByteBuffer()

  init(configuration: ClientConfiguration = ClientConfiguration()) {
    machine = ClientStateMachine(configuration: configuration, now: now)
    machine.begin(into: &output)
  }

  /// A harness that has the server's HELLO, with an empty output.
  static func open(hello: Hello = ServerLimits().hello()) -> ClientHarness {
    var client = ClientHarness()
    var bytes = ByteBuffer()
    bytes.writeHello(hello)
    client.feed(bytes)
    client.output.clear()
    return client
  }

  @discardableResult
  mutating func call(
    _ method: UInt16, _ message: ByteBuffer = ByteBuffer(), timeout: TimeAmount? = nil, isStream: Bool = false,
    isHalfClosed: Bool = true
  ) -> ClientCall {
    var meta = CallMeta()
    if let timeout { meta.timeoutMicroseconds = UInt64(timeout.nanoseconds / 1_000) }
    let onMessage: @Sendable (ByteBuffer, Int) -> Void = { _, _ in }
    let call = ClientCall(
      method: method, meta: meta, message: message, isHalfClosed: isHalfClosed, onMessage: isStream ? onMessage : nil,
      completion: { (_: CallResult) in })
    machine.submit(call, into: &output, now: now)
    work()
    return call
  }

  mutating func feed(_ bytes: ByteBuffer) {
    input.writeImmutableBuffer(bytes)
    machine.didRead(now: now)
    work()
    if let opaque = machine.pongDue {
      machine.pongDue = nil
      output.writePing(opaque, isAnswer: true)
    }
  }

  mutating func receive(
    _ type: FrameType, flags: FrameFlags = [], aux: UInt16 = 0, stream: UInt32 = 0, payload bytes: [UInt8] = []
  ) {
    var buffer = ByteBuffer()
    buffer.writeFrameHeader(
      FrameHeader(length: UInt32(bytes.count), type: type, flags: flags, aux: aux, stream: stream))
    buffer.writeBytes(bytes)
    feed(buffer)
  }

  mutating func advance(_ time: TimeAmount) {
    now = now + time
    _ = machine.tick(now: now, into: &output)
    work()
  }

  mutating func cancel(_ call: ClientCall) {
    machine.cancel(call, into: &output, now: now)
    work()
  }

  /// The application takes the oldest message.
  mutating func take() {
    guard !untaken.isEmpty else { return }
    let message = untaken.removeFirst()
    machine.returnCredit(message.owed, to: message.call, into: &output)
  }

  mutating func work() {
    while let event = machine.next(&input, into: &output, now: now) {
      switch event {
      case .finished(let call, let result):
        resultCount += 1
        results[ObjectIdentifier(call)] = result
      case .message(let call, let message, let owed):
        messages[ObjectIdentifier(call), default: 0] += 1
        untaken.append((call, message.readableBytes, owed))
        bytesUntakenMax = max(bytesUntakenMax, untaken.reduce(0) { $0 + $1.size })
      case .opened, .goingAway: break
      case .close(let failure): closed = failure
      }
    }
  }

  func failure(_ call: ClientCall) -> CallFailure? {
    if case .failed(let failure) = results[ObjectIdentifier(call)] { failure } else { nil }
  }

  func reply(_ call: ClientCall) -> CallReply? {
    if case .reply(let reply) = results[ObjectIdentifier(call)] { reply } else { nil }
  }

  mutating func frames() -> [Frame] {
    let frames = Frame.all(in: output)
    output.clear()
    return frames
  }
}
