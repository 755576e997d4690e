internal import NIOConcurrencyHelpers

/// Carries one value from one thread to another.
final class Handover<Value: Sendable>: Sendable {
  private let value: ConditionLock<Bool>
  private let box: NIOLockedValueBox<Value?>

  init() {
    value = ConditionLock(value: false)
    box = NIOLockedValueBox(nil)
  }

  /// Leaves the value.
  func put(_ new: Value) {
    box.withLockedValue { $0 = new }
    value.lock()
    value.unlock(withValue: true)
  }

  /// The value, when one was left.
  func take() -> Value? { box.withLockedValue { $0 } }

  /// Blocks until a value is left. Never to be called on an event loop.
  func waitAndTake() -> Value {
    value.lock(whenValue: true)
    value.unlock()
    while true {
      if let value = take() { return value }
    }
  }
}

/// Lets an existential generator stand where a generic one is asked for.
struct BorrowedRandom: RandomNumberGenerator {
  var base: any RandomNumberGenerator
  init(_ base: any RandomNumberGenerator) { self.base = base }
  mutating func next() -> UInt64 { base.next() }
}
