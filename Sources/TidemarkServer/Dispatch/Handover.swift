internal import Dispatch
internal import Synchronization

/// Carries one value from one thread to another.
final class Handover<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let isThere = DispatchSemaphore(value: 0)

  /// Leaves the value.
  func put(_ new: Value) {
    value.withLock { $0 = new }
    isThere.signal()
  }

  /// The value, when one was left.
  func take() -> Value? { value.withLock { $0 } }

  /// Blocks until a value is left. Never to be called on an event loop.
  func waitAndTake() -> Value {
    while true {
      isThere.wait()
      if let value = take() { return value }
    }
  }
}
