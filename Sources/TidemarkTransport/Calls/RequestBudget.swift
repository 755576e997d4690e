import NIOCore
import Synchronization

/// Counts the memory of requests that all connections of a listener wait with: unfinished messages, and calls from when they are decoded to
/// when they are answered.
///
/// Below the limit everybody may begin a call. Above it only connections that hold little may, up to twice the limit, and above that only with
/// calls that are small themselves. Whoever may not is read no further: what it sends waits in its socket.
public final class RequestBudget: Sendable {
  /// What a connection may hold beside those that hold much, in bytes.
  static let littleBytes = 16 * 1024
  /// The largest call that waits for nobody, in bytes of its frame.
  static let smallCallBytes = 4 * 1024

  private let bytesMax: Int
  private let held = Atomic<Int>(0)
  private let waiting = Atomic<Int>(0)

  public init(limits: ServerLimits) { bytesMax = limits.requestBytesMax }

  /// What all connections hold, in bytes, but for at most `RequestShare.stepBytes` each.
  public var heldBytes: Int { held.load(ordering: .relaxed) }

  /// True while only connections that hold little may begin a call.
  var isTight: Bool { heldBytes >= bytesMax }

  /// True while only small calls may begin.
  var isFull: Bool {
    // Twice the limit, without overflow for any setting.
    heldBytes / 2 >= bytesMax
  }

  /// After which time a connection that waits looks again: later when they are many.
  var interval: TimeAmount { .milliseconds(5 + Int64(waiting.load(ordering: .relaxed) / 20)) }

  fileprivate func add(_ bytes: Int) { held.wrappingAdd(bytes, ordering: .relaxed) }

  /// Counts a connection that waits for room, or no longer does.
  func setWaiting(_ isWaiting: Bool) { waiting.wrappingAdd(isWaiting ? 1 : -1, ordering: .relaxed) }
}

/// What one connection holds of requests. Little is not told to the budget, so small calls touch nothing that others touch.
struct RequestShare {
  /// The budget is told when this much has changed, in bytes.
  static let stepBytes = 4 * 1024

  let budget: RequestBudget
  private(set) var heldBytes = 0
  private var countedBytes = 0

  init(_ budget: RequestBudget) { self.budget = budget }

  /// Says what the connection holds now, in bytes.
  mutating func set(_ bytes: Int) {
    heldBytes = bytes
    let change = bytes &- countedBytes
    guard change >= RequestShare.stepBytes || change <= -RequestShare.stepBytes || (bytes == 0 && change != 0) else { return }
    budget.add(change)
    countedBytes = bytes
  }

  /// Whether a call may begin now.
  ///
  /// - Parameters:
  ///   - bytes: the payload of its first frame.
  ///   - isWhole: nothing follows, and nothing is to be inflated.
  func mayBegin(bytes: Int, isWhole: Bool) -> Bool {
    guard budget.isTight else { return true }
    guard heldBytes <= RequestBudget.littleBytes else { return false }
    return !budget.isFull || (isWhole && bytes <= RequestBudget.smallCallBytes)
  }

  /// Whether an unfinished message may go on: it must not wait, or unfinished ones could hold all there is and wait for each other.
  var mayGoOn: Bool { heldBytes <= RequestBudget.littleBytes || !budget.isFull }
}
