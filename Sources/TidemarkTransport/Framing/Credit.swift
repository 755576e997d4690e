/// How many bytes of DATA may still be sent, on a stream or on the connection.
struct SendCredit: Sendable {
  /// The most credit a peer may give, 2^31 - 1 bytes.
  static let bytesMax = Int(Int32.max)

  private(set) var available: Int

  init(_ initial: Int) { available = min(initial, SendCredit.bytesMax) }

  /// Adds what a CREDIT frame gave; `false` when it passes `bytesMax`.
  mutating func add(_ increment: Int) -> Bool {
    let (sum, overflow) = available.addingReportingOverflow(increment)
    guard !overflow, sum <= SendCredit.bytesMax else { return false }
    available = sum
    return true
  }

  mutating func spend(_ bytes: Int) { available &-= bytes }
}

/// How many bytes of DATA the peer may still send, on a stream or on the connection.
struct ReceiveCredit: Sendable {
  private let initial: Int
  private(set) var available: Int
  private var unannounced = 0

  init(_ initial: Int) {
    self.initial = initial
    available = initial
  }

  /// Counts received bytes; `false` when the peer had no credit for them.
  mutating func consume(_ bytes: Int) -> Bool {
    guard bytes <= available else { return false }
    available -= bytes
    return true
  }

  /// Gives credit back.
  ///
  /// Small amounts are collected until they make half of the initial credit, so that CREDIT frames stay rare, or until they
  /// are no less than what the peer may still send: the rest may be held by messages that nobody takes, and then the half is
  /// never reached. Call it with 0 whenever credit was used up.
  ///
  /// - Returns: the increment to announce now; 0 for none.
  mutating func giveBack(_ bytes: Int) -> UInt32 {
    unannounced = min(unannounced &+ bytes, initial - available)
    guard unannounced > 0, unannounced * 2 >= initial || unannounced >= available else { return 0 }
    let increment = unannounced
    available += increment
    unannounced = 0
    return UInt32(clamping: increment)
  }
}
