/// Lets an existential generator stand where a generic one is asked for.
public struct AnyRandom: RandomNumberGenerator {
  /// Where the numbers come from, as far as they were taken.
  public private(set) var base: any RandomNumberGenerator

  public init(_ base: any RandomNumberGenerator) { self.base = base }

  public mutating func next() -> UInt64 { base.next() }
}
