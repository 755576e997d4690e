internal import TidemarkTesting

/// Links between clients and server: messages are late, overtake each other, come twice or never.
struct Network {
  private var random: SeededGenerator
  private let lossPercent: Int
  private let repeatPercent: Int
  private let delayMax: Int64

  init(random: SeededGenerator) {
    self.random = random
    lossPercent = [0, 5, 20].randomElement(using: &self.random) ?? 0
    repeatPercent = [0, 10, 25].randomElement(using: &self.random) ?? 0
    delayMax = [300, 3_000, 12_000].randomElement(using: &self.random) ?? 300
  }

  /// How long each copy of a message is on its way, in microseconds; empty when it is lost.
  mutating func delays() -> [Int64] {
    let dice = Int.random(in: 0..<100, using: &random)
    let copies = dice < lossPercent ? 0 : dice < lossPercent + repeatPercent ? 2 : 1
    return (0..<copies).map { _ in Int64.random(in: 50...delayMax, using: &random) }
  }
}
