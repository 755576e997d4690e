import NIOCore
import NIOEmbedded
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// The answer to a single write that was refused.
@Suite struct RefusalTests {
  @Test func anOutcomeThatIsTooLargeIsToldWithoutItsDetails() async throws {
    let world = try BulkWorld()
    let loop = try await LoopUnderTest(world.service)
    let reply = try await loop.loop.executeInContext { [service = world.service, loop = loop.loop, type = world.type] in
      let long = String(repeating: "x", count: 1_000)
      var outcome = Outcome(
        code: .referenceViolation, type: type, id: EntityID("a"), operation: BulkWorld.operation(1),
        epoch: Epoch(rawValue: Bytes16(high: 1, low: 1)), message: "There is no room.")
      outcome.violations = (0..<10_000).map { _ in Violation(rule: "reference", message: long) }
      return LoopDispatcher(service: service, loop: loop).refusal(outcome)
    }
    let status = try #require(reply.status)
    #expect(status.code == .failedPrecondition)
    let detail = try #require(status.details.first { $0.typeURL.hasSuffix("tidemark.v1.Outcome") })
    let told = try detail.value.withUnsafeBytes { try Outcome.decode($0, using: MessageArena()) }
    #expect(told.code == .referenceViolation && told.id?.text == "a" && told.message == "There is no room.")
    #expect(status.details.count == 2)
    world.service.close()
  }
}
