/// SplitMix64: the same numbers for the same seed, everywhere. Print the seed of a failing test.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  /// What the numbers follow from.
  public let seed: UInt64
  private var state: UInt64

  public init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  /// A generator whose seed is printed, so that a failure can be repeated.
  ///
  /// - Parameter name: the test, for the printed line.
  public init(printing name: String, seed: UInt64 = .random(in: 0...UInt64.max)) {
    self.init(seed: seed)
    print("\(name): seed \(seed)")
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
