import NIOCore
import TidemarkWire

@testable import TidemarkTransport

/// Feeds a server connection with arbitrary bytes, once whole and once in pieces: both must tell the same story.
///
/// The first byte is the size of the pieces, the rest comes from the client. Calls on streams that are 1 modulo 4 are answered at
/// once, the others wait until the end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count)
  guard let pieceBytes = bytes.first else { return 0 }
  let input = bytes.dropFirst()
  let whole = story(of: input, pieceBytes: input.count)
  let pieces = story(of: input, pieceBytes: Int(pieceBytes) + 1)
  if whole != pieces { fatalError("the story depends on the pieces:\n\(whole)\n\(pieces)") }
  return 0
}

private func story(of bytes: Slice<UnsafeBufferPointer<UInt8>>, pieceBytes: Int) -> [String] {
  let now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
  var machine = ServerStateMachine(limits: ServerLimits(), now: now)
  var input = ByteBuffer()
  var out = ByteBuffer()
  var told: [String] = []
  var parked: [CallID] = []
  var rest = bytes
  while !rest.isEmpty {
    input.writeBytes(rest.prefix(max(1, pieceBytes)))
    rest = rest.dropFirst(max(1, pieceBytes))
    while let event = machine.next(&input, into: &out, now: now) {
      told.append(describe(event))
      switch event {
      case .call(let call) where call.id.rawValue % 4 == 1:
        machine.answer(call.id, CallReply(message: call.message), into: &out, now: now)
      case .call(let call):
        machine.park(call.id)
        parked.append(call.id)
      case .cancelled(let id, let reason): machine.cancelHandled(id, reason, into: &out)
      case .message(let id, _, _, let owed): machine.returnCredit(owed, to: id, into: &out)
      case .close: return told
      case .opened, .creditAvailable: break
      }
    }
    machine.didRead(leftover: input.readableBytes, now: now)
    if out.readableBytes > 64 << 20 { fatalError("the answers grow without end") }
  }
  for id in parked {
    _ = machine.send(ByteBuffer(bytes: [1, 2, 3]), on: id, into: &out)
    machine.complete(id, CallReply(status: RPCStatus(.unavailable, "Over.")), into: &out, now: now)
  }
  machine.pumpStreams(into: &out)
  machine.inputClosed(into: &out)
  _ = machine.tick(now: now + .seconds(3_600), into: &out)
  machine.connectionLost()
  return told
}

private func describe(_ event: ServerStateMachine.Event) -> String {
  switch event {
  case .opened(let hello): "opened \(hello)"
  case .call(let call):
    "call \(call.id) \(call.method) \(call.path ?? "-") \(call.meta) \(call.message.readableBytesView.map { $0 })"
  case .message(let id, let message, let isLast, let owed):
    "message \(id) \(message.map { $0.readableBytesView.map { $0 } } ?? []) \(isLast) \(owed)"
  case .cancelled(let id, let reason): "cancelled \(id) \(reason)"
  case .creditAvailable(let id): "credit \(id)"
  case .close(let afterWriting): "close \(afterWriting)"
  }
}
