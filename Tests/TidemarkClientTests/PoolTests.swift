import NIOCore
import NIOPosix
import Testing
import TidemarkCore
import TidemarkTransport
import TidemarkWire
import TidemarkTestTraits

@testable import TidemarkClient

/// A client with a pool of real connections.
@Suite(.serialized, .ownThreads) struct PoolTests {
  private let sightings = Sightings()

  private func listen(port: Int = 0) async throws -> TidemarkListener {
    let sightings = sightings
    return try await TidemarkListener.start(port: port, group: MultiThreadedEventLoopGroup.singleton) { _ in
      LoopbackHandler(sightings)
    }
  }

  private func client(_ listeners: [TidemarkListener], _ pool: PoolOptions, attemptsMax: Int = 8) -> TidemarkClient {
    var options = ClientOptions()
    options.attemptsMax = attemptsMax
    var pool = pool
    pool.startsAtRandom = false
    return TidemarkClient(
      pool: listeners.map { ServerAddress(host: "127.0.0.1", port: $0.port) }, options: options, pool: pool)
  }

  private func count(_ client: TidemarkClient) -> Int { (client.runner.transport as? PooledTransport)?.connectionCount ?? 0 }

  @Test func aServerThatDiesAndReturnsIsUsedAgain() async throws {
    let first = try await listen()
    let second = try await listen()
    var pool = PoolOptions()
    pool.connectionsMax = 1
    let client = client([first, second], pool)
    _ = try await client.listSpaces()
    #expect(first.connectionCount == 1)
    await first.drain(timeout: .seconds(5))
    for _ in 0..<10 { _ = try await client.listSpaces() }
    #expect(second.connectionCount == 1)
    let again = try await listen(port: first.port)
    await second.drain(timeout: .seconds(5))
    for _ in 0..<10 { _ = try await client.listSpaces() }
    #expect(again.connectionCount == 1)
    client.close()
    await again.drain(timeout: .seconds(5))
  }

  @Test func thereAreNeverMoreConnectionsThanAllowed() async throws {
    let listener = try await listen()
    var pool = PoolOptions()
    (pool.connectionsMax, pool.callsPerConnectionMax) = (3, 2)
    let client = client([listener], pool)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<300 { group.addTask { _ = try await client.listSpaces() } }
      try await group.waitForAll()
    }
    #expect(count(client) <= 3)
    #expect(listener.connectionCount <= 3)
    #expect(sightings.attempts.count == 300)
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aCallBeyondTheWaitersFailsAtOnceAndSaysWhy() async throws {
    let listener = try await listen()
    var pool = PoolOptions()
    (pool.connectionsMax, pool.callsPerConnectionMax, pool.waitersMax) = (1, 1, 0)
    let client = client([listener], pool, attemptsMax: 1)
    let (type, id) = (try #require(TypeName("t")), try #require(EntityID("1")))
    let pending = Task { try await client.space(.default).get(type, id) }
    await sightings.wait(for: .pending)
    let error = await #expect(throws: ClientError.self) { try await client.listSpaces() }
    #expect(error?.code == .resourceExhausted)
    #expect(error?.reason == "POOL_EXHAUSTED")
    pending.cancel()
    _ = await pending.result
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aCallWaitsNoLongerThanItMay() async throws {
    let listener = try await listen()
    var pool = PoolOptions()
    (pool.connectionsMax, pool.callsPerConnectionMax, pool.waitMax) = (1, 1, .milliseconds(20))
    let client = client([listener], pool, attemptsMax: 1)
    let (type, id) = (try #require(TypeName("t")), try #require(EntityID("1")))
    let pending = Task { try await client.space(.default).get(type, id) }
    await sightings.wait(for: .pending)
    let error = await #expect(throws: ClientError.self) { try await client.listSpaces() }
    #expect(error?.reason == "POOL_EXHAUSTED")
    // A place that becomes free is given to who waits.
    pending.cancel()
    _ = await pending.result
    _ = try await client.listSpaces()
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aCallThatMayNotWaitDoesNot() async throws {
    let listener = try await listen()
    var pool = PoolOptions()
    (pool.connectionsMax, pool.callsPerConnectionMax, pool.waitMax) = (1, 1, .zero)
    let client = client([listener], pool, attemptsMax: 1)
    let (type, id) = (try #require(TypeName("t")), try #require(EntityID("1")))
    let pending = Task { try await client.space(.default).get(type, id) }
    await sightings.wait(for: .pending)
    for _ in 0..<50 {
      let error = await #expect(throws: ClientError.self) { try await client.listSpaces() }
      #expect(error?.reason == "POOL_EXHAUSTED")
    }
    pending.cancel()
    _ = await pending.result
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  /// A call that is given up while it waits leaves its place in the queue, and takes none.
  @Test func aCallThatIsCancelledWhileItWaitsEnds() async throws {
    let listener = try await listen()
    var pool = PoolOptions()
    (pool.connectionsMax, pool.callsPerConnectionMax, pool.waitMax) = (1, 1, .seconds(60))
    let client = client([listener], pool, attemptsMax: 1)
    let (type, id) = (try #require(TypeName("t")), try #require(EntityID("1")))
    let pending = Task { try await client.space(.default).get(type, id) }
    await sightings.wait(for: .pending)
    for _ in 0..<50 {
      let waiting = Task { try await client.listSpaces() }
      await Task.yield()
      waiting.cancel()
      let result = await waiting.result
      if case .failure(let error as ClientError) = result { #expect(error.code == .cancelled) }
      #expect(throws: ClientError.self) { try result.get() }
    }
    pending.cancel()
    _ = await pending.result
    _ = try await client.listSpaces()
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aStreamKeepsItsPlaceUntilItEnds() async throws {
    let listener = try await listen()
    var pool = PoolOptions()
    (pool.connectionsMax, pool.callsPerConnectionMax, pool.waitersMax) = (1, 1, 0)
    let client = client([listener], pool, attemptsMax: 1)
    let type = try #require(TypeName("t"))
    let reader = Task {
      var iterator = client.space(.default).list(type).makeAsyncIterator()
      _ = try await iterator.next()
      await #expect(throws: ClientError.self) { try await client.listSpaces() }
    }
    try await reader.value
    await sightings.wait(for: .cancelled)
    _ = try await client.listSpaces()
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aClosedPoolRefusesCalls() async throws {
    let listener = try await listen()
    let client = client([listener], PoolOptions())
    _ = try await client.handshake()
    client.close()
    await #expect(throws: ClientError.closed) { try await client.listSpaces() }
    await listener.drain(timeout: .seconds(5))
  }

  @Test func withoutServersCallsFail() async throws {
    let client = client([], PoolOptions(), attemptsMax: 1)
    let error = await #expect(throws: ClientError.self) { try await client.listSpaces() }
    #expect(error?.code == .unavailable)
  }
}
