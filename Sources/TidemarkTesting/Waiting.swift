internal import Glibc
internal import Synchronization

/// Hands values from one thread to another that waits for them, in order.
public final class Waiting<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])
  private let semaphore: Semaphore

  public init() { semaphore = Semaphore() }

  /// Leaves a value.
  public func put(_ value: Value) {
    values.withLock { $0.append(value) }
    semaphore.signal()
  }

  /// Blocks until there is a value.
  public func take() -> Value {
    while true {
      semaphore.wait()
      if let value = values.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return value }
    }
  }

  /// `@unchecked Sendable`: a POSIX semaphore may be used by any thread.
  private final class Semaphore: @unchecked Sendable {
    private let raw = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    init() { sem_init(raw, 0, 0) }
    deinit {
      sem_destroy(raw)
      raw.deallocate()
    }
    func signal() { sem_post(raw) }
    func wait() { while sem_wait(raw) != 0 {} }
  }
}
