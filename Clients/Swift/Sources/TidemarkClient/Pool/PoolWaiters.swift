/// The calls that wait for a place in a pool, in order.
struct PoolWaiters {
  /// How a wait ends.
  enum End: Sendable {
    case place
    case timeout
    case cancelled
    case closed
  }

  private var waiting: [(id: UInt64, continuation: CheckedContinuation<End, Never>)] = []
  /// The calls that wait or are about to, and how their wait ended when it ended before it began.
  private var early: [UInt64: End?] = [:]
  private var nextID: UInt64 = 1

  var count: Int { waiting.count }

  mutating func makeID() -> UInt64 {
    defer { nextID += 1 }
    early.updateValue(nil, forKey: nextID)
    return nextID
  }

  /// Begins a wait; `nil` when it goes on, and how it ended when it ended before it began.
  mutating func add(_ id: UInt64, _ continuation: CheckedContinuation<End, Never>) -> End? {
    if let end = early[id] ?? nil { return end }
    waiting.append((id, continuation))
    return nil
  }

  /// Ends the wait of one call.
  mutating func take(_ id: UInt64, early end: End) -> CheckedContinuation<End, Never>? {
    guard let index = waiting.firstIndex(where: { $0.id == id }) else {
      if early[id] != nil { early.updateValue(end, forKey: id) }
      return nil
    }
    return waiting.remove(at: index).continuation
  }

  /// Forgets a call whose wait is over.
  mutating func forget(_ id: UInt64) { early.removeValue(forKey: id) }

  mutating func takeFirst() -> CheckedContinuation<End, Never>? { waiting.isEmpty ? nil : waiting.removeFirst().continuation }

  mutating func takeAll() -> [CheckedContinuation<End, Never>] {
    defer { waiting = [] }
    return waiting.map(\.continuation)
  }
}
