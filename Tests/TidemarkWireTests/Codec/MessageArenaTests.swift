import Testing

@testable import TidemarkWire

@Suite struct MessageArenaTests {
  /// How many KiB the arena hands out before it refuses.
  private func kibibytes(of arena: MessageArena) -> Int {
    var count = 0
    do { while count < 100_000 { _ = try arena.allocate(bytes: 1024); count += 1 } } catch {}
    return count
  }

  @Test func capHoldsToTheByteAndEveryMessageHasAllOfIt() {
    let arena = MessageArena(bytesMax: 100 * 1024)
    #expect(kibibytes(of: arena) == 100)
    #expect(arena.isExhausted)
    arena.reset()
    #expect(!arena.isExhausted)
    #expect(kibibytes(of: arena) == 100)
    #expect(kibibytes(of: MessageArena()) * 1024 == WireLimits.decodedBytesMax)
  }
}
