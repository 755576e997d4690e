/// What happened in a simulation, line by line: a digest of all of it, and the last lines.
struct Trace {
  /// FNV-1a over all lines.
  private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
  private(set) var tail: [String] = []
  private let tailLinesMax: Int

  init(tailLinesMax: Int) { self.tailLinesMax = tailLinesMax }

  mutating func add(_ line: String) {
    for byte in line.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
    digest = (digest ^ 10) &* 0x100_0000_01B3
    tail.append(line)
    if tail.count >= 2 * tailLinesMax { tail.removeFirst(tail.count - tailLinesMax) }
  }

  var lines: ArraySlice<String> { tail.suffix(tailLinesMax) }
}
