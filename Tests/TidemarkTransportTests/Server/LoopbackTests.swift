import NIOCore
import NIOPosix
import TidemarkTransport
import TidemarkWire
import Testing

/// A listener and a client on real sockets.
@Suite(.serialized) struct LoopbackTests {
  let group = MultiThreadedEventLoopGroup.singleton

  @Test func unaryCallsAreAnswered() async throws {
    let listener = try await TidemarkListener.start(port: 0, group: group) { _ in EchoHandler() }
    let client = try await ClientConnection.connect(host: "127.0.0.1", port: listener.port, on: group.next()).get()
    for size in [0, 1, 400, 65_536, 65_537, 1_000_000, 4 * 1024 * 1024] {
      let message = ByteBuffer(repeating: UInt8(truncatingIfNeeded: size), count: size)
      let reply = try await client.reply(method: Method.echo.rawValue, message: message)
      #expect(reply.status == nil)
      #expect(reply.message == message)
    }
    client.close()
    #expect(await listener.drain(timeout: .seconds(5)) == 0)
  }

  @Test func manyCallsAtOnceAreAllAnswered() async throws {
    let listener = try await TidemarkListener.start(port: 0, group: group) { _ in EchoHandler() }
    let client = try await ClientConnection.connect(host: "127.0.0.1", port: listener.port, on: group.next()).get()
    let sizes = try await withThrowingTaskGroup(of: Bool.self) { tasks in
      for number in 0..<2_000 {
        tasks.addTask {
          let message = ByteBuffer(repeating: 7, count: number)
          return try await client.reply(method: Method.echo.rawValue, message: message).message == message
        }
      }
      return try await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(sizes == 2_000)
    client.close()
    #expect(await listener.drain(timeout: .seconds(5)) == 0)
  }

  @Test func streamsDeliverEverythingWhenCreditIsReturned() async throws {
    let listener = try await TidemarkListener.start(port: 0, group: group) { _ in EchoHandler() }
    let client = try await ClientConnection.connect(host: "127.0.0.1", port: listener.port, on: group.next()).get()
    for (count, size) in [(0, 0), (3, 0), (1_000, 1_000), (30, 200_000)] {
      let received = try await client.stream(count: count, size: size)
      #expect(received == count)
    }
    client.close()
    #expect(await listener.drain(timeout: .seconds(5)) == 0)
  }

  @Test func unknownMethodIsUnimplemented() async throws {
    let listener = try await TidemarkListener.start(port: 0, group: group) { _ in EchoHandler() }
    let client = try await ClientConnection.connect(host: "127.0.0.1", port: listener.port, on: group.next()).get()
    var meta = CallMeta()
    meta.method = "/tidemark.v1.DiagnosticsService/Echo"
    #expect(try await client.reply(method: 0, message: ByteBuffer(), meta: meta).status == nil)
    meta.method = "/no.such/Method"
    #expect(try await client.reply(method: 0, message: ByteBuffer(), meta: meta).status?.code == .unimplemented)
    #expect(try await client.reply(method: 9_999, message: ByteBuffer()).status?.code == .unimplemented)
    client.close()
    #expect(await listener.drain(timeout: .seconds(5)) == 0)
  }
}

extension ClientConnection {
  func reply(method: UInt16, message: ByteBuffer, meta: CallMeta = CallMeta()) async throws -> CallReply {
    try await withCheckedThrowingContinuation { continuation in
      call(method: method, message: message, meta: meta) { result in
        switch result {
        case .reply(let reply): continuation.resume(returning: reply)
        case .failed(let failure): continuation.resume(throwing: failure)
        }
      }
    }
  }

  /// Asks `EchoHandler` for a stream; returns how many messages of the right size came.
  func stream(count: Int, size: Int) async throws -> Int {
    var request = ByteBuffer()
    request.writeInteger(UInt64(count))
    request.writeInteger(UInt64(size))
    let seen = StreamCount()
    let message = request
    return try await withCheckedThrowingContinuation { continuation in
      eventLoop.execute {
        seen.call = self.stream(
          method: EchoHandler.streamMethod, message: message,
          onMessage: { message, owed in
            if message.readableBytes == size { seen.count += 1 }
            if let call = seen.call { self.returnCredit(owed, to: call) }
          },
          completion: { result in
            switch result {
            case .reply: continuation.resume(returning: seen.count)
            case .failed(let failure): continuation.resume(throwing: failure)
            }
          })
      }
    }
  }
}

// @unchecked: used on the event loop of the connection only.
private final class StreamCount: @unchecked Sendable {
  var count = 0
  var call: ClientCall?
}
