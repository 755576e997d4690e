/// Random bits from a source that is costly to ask, fetched 512 words at a time.
public struct BufferedRandom<Source: RandomNumberGenerator>: RandomNumberGenerator {
  private var source: Source
  private var words: [UInt64] = []

  public init(_ source: Source) { self.source = source }

  public mutating func next() -> UInt64 {
    if let word = words.popLast() { return word }
    words = (0..<512).map { _ in source.next() }
    return source.next()
  }
}
