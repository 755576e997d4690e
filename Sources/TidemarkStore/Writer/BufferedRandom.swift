internal import Glibc

/// Random bits of the operating system, fetched 32 words at a time: asked for one by one, the calls cost more than the bits.
public struct BufferedRandom: RandomNumberGenerator {
  /// At most 256 bytes, which getentropy(3) gives whole or not at all.
  private static let wordsPerFetch = 32
  private var words: [UInt64] = []

  public init() {}

  public mutating func next() -> UInt64 {
    if words.isEmpty { fetch() }
    if let word = words.popLast() { return word }
    // It ends the process when the system has none to give.
    var source = SystemRandomNumberGenerator()
    return source.next()
  }

  private mutating func fetch() {
    words.append(contentsOf: repeatElement(0, count: BufferedRandom.wordsPerFetch))
    let isFilled = words.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) == 0 }
    if !isFilled { words.removeAll(keepingCapacity: true) }
  }
}
