import NIOCore
import NIOPosix
import Testing
import TidemarkCore
import TidemarkTransport
import TidemarkWire
import TidemarkTestTraits

@testable import TidemarkClient

/// The client on a real connection.
@Suite(.serialized, .ownThreads) struct LoopbackTests {
  private let sightings = Sightings()

  private func listen(port: Int = 0) async throws -> TidemarkListener {
    let sightings = sightings
    return try await TidemarkListener.start(port: port, group: MultiThreadedEventLoopGroup.singleton) { _ in
      LoopbackHandler(sightings)
    }
  }

  private func client(_ listener: TidemarkListener) -> TidemarkClient {
    TidemarkClient(ServerAddress(host: "127.0.0.1", port: listener.port))
  }

  @Test func cancellingTheTaskCancelsTheCallOnTheWire() async throws {
    let listener = try await listen()
    let client = client(listener)
    let (type, id) = (try #require(TypeName("t")), try #require(EntityID("1")))
    let read = Task { try await client.space(.default).get(type, id) }
    await sightings.wait(for: .pending)
    read.cancel()
    await sightings.wait(for: .cancelled)
    let result = await read.result
    #expect(throws: ClientError.self) { try result.get() }
    if case .failure(let error as ClientError) = result { #expect(error.code == .cancelled) }
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aDeadlineEndsAReadAndLeavesTheOutcomeOfAWriteUnknown() async throws {
    let listener = try await listen()
    let client = client(listener)
    let (type, id) = (try #require(TypeName("t")), try #require(EntityID("1")))
    let space = client.space(.default)
    let read = await #expect(throws: ClientError.self) { try await space.get(type, id, deadline: .milliseconds(30)) }
    #expect(read?.code == .deadlineExceeded)
    let operation = client.makeOperationID()
    let write = await #expect(throws: ClientError.self) {
      try await space.create(type, id, Fields(), operation: operation, deadline: .milliseconds(30))
    }
    #expect(write?.code == .outcomeUnknown)
    #expect(write?.operation == operation)
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  /// The server sends without end; what a reader that stops has cost stays within the credit of one stream.
  @Test func aSlowReaderHoldsTheServerBack() async throws {
    let listener = try await listen()
    let client = client(listener)
    let type = try #require(TypeName("t"))
    let reader = Task {
      var iterator = client.space(.default).list(type).makeAsyncIterator()
      var ids: [String] = []
      for _ in 0..<3 { ids.append(try await iterator.next()?.key.id.text ?? "") }
      await sightings.wait(for: .stalled)
      let whileWaiting = sightings.pages
      for _ in 0..<500 { ids.append(try await iterator.next()?.key.id.text ?? "") }
      return (ids, whileWaiting)
    }
    let (ids, pages) = try await reader.value
    #expect(ids == (1...503).map(LoopbackHandler.padded))
    #expect(pages < 200, "64 KiB of credit are about 60 pages; half of it goes back at a time")
    // The iterator went away without reading to the end, which gives the call up.
    await sightings.wait(for: .cancelled)
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func manyTasksShareOneConnection() async throws {
    let listener = try await listen()
    let client = client(listener)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<300 { group.addTask { _ = try await client.listSpaces() } }
      try await group.waitForAll()
    }
    #expect(listener.connectionCount == 1)
    #expect(sightings.attempts.count == 300)
    client.close()
    await listener.drain(timeout: .seconds(5))
  }

  @Test func aServerThatComesBackIsFoundAgain() async throws {
    let first = try await listen()
    let client = client(first)
    _ = try await client.listSpaces()
    await first.drain(timeout: .seconds(5))
    let error = await #expect(throws: ClientError.self) { try await client.listSpaces(deadline: .milliseconds(300)) }
    #expect(error?.code == .unavailable || error?.code == .deadlineExceeded)
    let second = try await listen(port: first.port)
    _ = try await client.listSpaces()
    client.close()
    await second.drain(timeout: .seconds(5))
  }

  @Test func aClosedClientRefusesCalls() async throws {
    let listener = try await listen()
    let client = client(listener)
    _ = try await client.handshake()
    client.close()
    await #expect(throws: ClientError.closed) { try await client.listSpaces() }
    await listener.drain(timeout: .seconds(5))
  }
}
