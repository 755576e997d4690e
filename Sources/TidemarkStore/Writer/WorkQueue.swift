internal import Glibc

/// A bounded first-in first-out queue between threads. Producers never wait: they are told when it is full.
///
/// `@unchecked Sendable`: every access to the mutable state holds `mutex`.
final class WorkQueue<Element: Sendable>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var elements: [Element] = []
  private var waiting = 0
  private var isClosed = false
  private let capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Appends an element. False when the queue is full or closed.
  func append(_ element: Element) -> Bool {
    pthread_mutex_lock(mutex)
    guard !isClosed, elements.count < capacity else {
      pthread_mutex_unlock(mutex)
      return false
    }
    elements.append(element)
    let shouldWake = waiting > 0
    pthread_mutex_unlock(mutex)
    if shouldWake { pthread_cond_signal(condition) }
    return true
  }

  /// How many elements wait.
  var count: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return elements.count
  }

  /// Takes everything there is; waits while there is nothing. `nil` when the queue is closed and empty.
  ///
  /// - Parameter beforeWaiting: called without the lock before the thread goes to sleep.
  func takeAll(beforeWaiting: () -> Void = {}) -> [Element]? {
    pthread_mutex_lock(mutex)
    if elements.isEmpty && !isClosed {
      pthread_mutex_unlock(mutex)
      beforeWaiting()
      pthread_mutex_lock(mutex)
    }
    while elements.isEmpty && !isClosed { wait() }
    defer { pthread_mutex_unlock(mutex) }
    guard !elements.isEmpty else { return nil }
    let taken = elements
    elements = []
    elements.reserveCapacity(min(taken.count, 1024))
    return taken
  }

  /// Refuses everything further. What is queued can still be taken.
  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_mutex_unlock(mutex)
    pthread_cond_broadcast(condition)
  }

  private func wait() {
    waiting += 1
    pthread_cond_wait(condition, mutex)
    waiting -= 1
  }
}

/// A thread that runs one body.
///
/// `@unchecked Sendable`: `handle` is written once, before the value is shared.
final class WorkerThread: @unchecked Sendable {
  private var handle = pthread_t()

  private final class Body {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts the thread.
  init(_ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run: run))
    let failure = pthread_create(
      &handle, nil,
      { raw in
        guard let raw else { return nil }
        Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run()
        return nil
      }, body.toOpaque())
    precondition(failure == 0, "the system has no thread left at start")
  }

  /// Waits until the body has returned.
  func join() { pthread_join(handle, nil) }
}
