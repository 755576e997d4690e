import NIOCore
import Testing
import TidemarkCore
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// What requests say that they take while they wait.
@Suite struct HeldBytesTests {
  @Test func aBulkIsHeldAsItIsDecodedAndNotAsItWasSent() async throws {
    let world = try BulkWorld()
    let loop = try await LoopUnderTest(world.service)
    // Two bytes an element on the wire, and a whole value here.
    let list = Value.list([Scalar](repeating: .bool(true), count: 9_000))
    let request = BulkWriteRequest(
      space: .default, items: try (0..<10).map { try world.create(UInt64($0) + 1, "e\($0)", [("list", list)]) })
    try await loop.send(.bulkWrite, request)
    let held = try #require(await loop.held[CallID(rawValue: 1)])
    #expect(held >= 90_000 * MemoryLayout<Scalar>.stride)
    world.service.close()
  }

  @Test func aSmallCallSaysNothing() async throws {
    let world = try BulkWorld()
    let loop = try await LoopUnderTest(world.service)
    try await loop.send(.create, WriteRequest(space: .default, item: try world.create(1, "a", [("x", .int(1))])))
    #expect(await loop.held.isEmpty)
    world.service.close()
  }
}
