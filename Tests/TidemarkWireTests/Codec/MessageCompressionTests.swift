import Testing

@testable import TidemarkWire

@Suite struct MessageCompressionTests {
  private func inflate(_ bytes: [UInt8], _ bytesMax: Int = WireLimits.messageBytesMax) throws(WireError) -> [UInt8] {
    try withBytes(bytes) { (raw) throws(WireError) in try MessageCompression.inflate(raw, bytesMax: bytesMax) }
  }
  private func compress(_ bytes: [UInt8]) -> [UInt8]? { bytes.withUnsafeBytes { MessageCompression.compress($0) } }

  private func text(_ random: inout RandomValues, _ words: Int) -> [UInt8] {
    Array(random.many(words...words) { $0.word(1...3) }.joined(separator: " ").utf8)
  }

  @Test func whatWasCompressedComesBack() throws {
    var random = RandomValues(seed: freshSeed("whatWasCompressedComesBack"))
    for words in [50, 1_000, 100_000] {
      let bytes = text(&random, words)
      let compressed = try #require(compress(bytes))
      #expect(compressed.count < bytes.count)
      #expect(try inflate(compressed) == bytes)
    }
  }

  @Test func whatDoesNotShrinkIsSentAsItIs() {
    var random = RandomValues(seed: freshSeed("whatDoesNotShrinkIsSentAsItIs"))
    #expect(compress([]) == nil)
    #expect(compress([1]) == nil)
    #expect(compress(random.many(5_000...5_000) { UInt8.random(in: 0...255, using: &$0.random) }) == nil)
  }

  @Test func nobodySendsWhatThePeerWouldTakeForABomb() {
    #expect(compress([UInt8](repeating: 0, count: 1 << 20)) == nil)
  }

  @Test func bombsAreRefusedWhileTheyInflate() {
    let bomb = deflatedZeros(count: 1 << 20)
    #expect(bomb.count * WireLimits.inflationRatioMax < 1 << 20)
    #expect(throws: WireError.inflatesTooMuch) { try inflate(bomb) }
  }

  @Test func theLimitHoldsToTheByte() throws {
    var random = RandomValues(seed: freshSeed("theLimitHoldsToTheByte"))
    let bytes = text(&random, 5_000)
    let compressed = try #require(compress(bytes))
    #expect(try inflate(compressed, bytes.count) == bytes)
    #expect(throws: WireError.inflatesTooMuch) { try inflate(compressed, bytes.count - 1) }
    #expect(throws: WireError.inflatesTooMuch) { try inflate(compressed, 0) }
  }

  @Test func cutDamagedAndFollowedBytesAreRefused() throws {
    var random = RandomValues(seed: freshSeed("cutDamagedAndFollowedBytesAreRefused"))
    let original = text(&random, 200)
    let compressed = try #require(compress(original))
    for end in 0..<compressed.count { #expect(throws: WireError.self) { try inflate(Array(compressed[..<end])) } }
    #expect(throws: WireError.badCompression) { try inflate(compressed + [0]) }
    #expect(throws: WireError.badCompression) { try inflate(compressed + compressed) }
    for _ in 0..<500 {
      var damaged = compressed
      damaged[random.number(0...damaged.count - 1)] ^= UInt8(1 << random.number(0...7))
      // The bits between the last block and the checksum mean nothing.
      if let restored = try? inflate(damaged) { #expect(restored == original) }
    }
    // gzip is another format.
    #expect(throws: WireError.badCompression) { try inflate([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }
  }

  /// Zeros in zlib format: one fixed-Huffman block of a literal 0 and matches of length 258 at distance 1.
  private func deflatedZeros(count: Int) -> [UInt8] {
    var bits: [UInt8] = [1, 1, 0]  // final block, fixed codes
    bits += [0, 0, 1, 1, 0, 0, 0, 0]  // literal 0
    for _ in 0..<(count - 1) / 258 {
      bits += [1, 1, 0, 0, 0, 1, 0, 1]  // length 258 (symbol 285)
      bits += [0, 0, 0, 0, 0]  // distance 1
    }
    bits += [0, 0, 0, 0, 0, 0, 0]  // end of block
    var bytes: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: bits.count, by: 8) {
      var byte: UInt8 = 0
      for (index, bit) in bits[start..<min(start + 8, bits.count)].enumerated() { byte |= bit << UInt8(index) }
      bytes.append(byte)
    }
    return bytes + [0, 0, 0, 0]  // the checksum is never reached
  }
}
