import NIOCore
import NIOPosix
import TidemarkWire

/// What every accepted connection of a listener is made with.
struct ConnectionSetup: Sendable {
  let limits: ServerLimits
  let hello: Hello
  let counts: ConnectionCounts
  let children: ConnectionSet
  let budget: AnswerBudget
  let requests: RequestBudget
  /// The dispatcher of each event loop.
  let handlers: [ObjectIdentifier: NIOLoopBoundBox<any CallHandler>]

  /// Admits a connection and puts its handlers in place; runs on the connection's event loop.
  func install(on channel: any Channel) throws {
    let address = channel.remoteAddress?.ipAddress ?? "unknown"
    guard let handler = handlers[ObjectIdentifier(channel.eventLoop)]?.value, let id = counts.admit(address) else {
      throw ChannelError.connectPending
    }
    let peer = channel.remoteAddress.map { "\($0.ipAddress ?? "unknown"):\($0.port ?? 0)" } ?? "unknown"
    children.insert(channel)
    let onClose: @Sendable () -> Void = { [counts, children] in
      children.remove(channel)
      counts.release(address)
    }
    let acceptedAt = NIODeadline.now()
    let sniffer = CodecSniffer(timeout: limits.handshakeTimeout, onClose: onClose) { [self] in
      let tidemark = TidemarkServerHandler(
        handler: handler, limits: limits, hello: hello, eventLoop: channel.eventLoop, peer: peer, connectionID: id,
        account: budget.openAccount(), requests: requests, acceptedAt: acceptedAt, onClose: onClose)
      let bound = NIOLoopBound(tidemark, eventLoop: channel.eventLoop)
      children.setDrain(channel) {
        channel.eventLoop.execute { bound.value.drain() }
      }
      return tidemark
    }
    do {
      try channel.pipeline.syncOperations.addHandler(sniffer)
    } catch {
      onClose()
      throw error
    }
  }
}

/// Binds the listening socket.
func makeServerChannel(
  group: any EventLoopGroup, setup: ConnectionSetup, host: String, port: Int
) async throws -> any Channel {
  let bytesQueuedMax = setup.limits.bytesQueuedMax
  return try await ServerBootstrap(group: group)
    .serverChannelOption(.backlog, value: 1024)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try setup.install(on: channel) }
    }
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelOption(.allowRemoteHalfClosure, value: true)
    // Above the high mark the handler reads no further calls.
    .childChannelOption(.writeBufferWaterMark, value: .init(low: max(1, bytesQueuedMax / 2), high: max(1, bytesQueuedMax)))
    .childChannelOption(.tcpUserTimeout, value: SocketOptionValue(setup.limits.writeStallTimeout.nanoseconds / 1_000_000))
    .bind(host: host, port: port)
    .get()
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
  /// `TCP_USER_TIMEOUT` of Linux, in milliseconds: how long sent bytes may stay without an acknowledgement (tcp(7)).
  static var tcpUserTimeout: Self { .init(level: .tcp, name: .init(rawValue: 18)) }
}
