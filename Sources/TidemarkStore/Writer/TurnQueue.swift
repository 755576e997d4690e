internal import Glibc

/// A bounded queue between threads whose lanes take turns: who queues much waits for itself and not for others. Within a lane, first in is first out.
///
/// Elements are numbered as they come. A thread notes the number of the latest (`mark`), begins what has to begin after all of them, and then
/// takes one after the other up to that mark.
///
/// `@unchecked Sendable`: every access to the mutable state holds `mutex`.
final class TurnQueue<Element: Sendable>: @unchecked Sendable {
  private struct Lane {
    var elements = Line<(number: UInt64, element: Element)>()
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var lanes: [UInt64: Lane] = [:]
  /// The lanes that have elements, the next to be taken from first.
  private var turns = Line<UInt64>()
  private var count = 0
  private var latest: UInt64 = 0
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
  func append(_ element: Element, lane: UInt64) -> Bool {
    pthread_mutex_lock(mutex)
    guard !isClosed, count < capacity else {
      pthread_mutex_unlock(mutex)
      return false
    }
    latest &+= 1
    count += 1
    if lanes[lane] == nil { turns.append(lane) }
    lanes[lane, default: Lane()].elements.append((latest, element))
    let shouldWake = waiting > 0
    pthread_mutex_unlock(mutex)
    if shouldWake { pthread_cond_signal(condition) }
    return true
  }

  /// Waits while there is nothing, and tells the number of the latest element. `nil` when the queue is closed and empty.
  func mark() -> UInt64? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while count == 0 && !isClosed {
      waiting += 1
      pthread_cond_wait(condition, mutex)
      waiting -= 1
    }
    return count > 0 ? latest : nil
  }

  /// Takes the next element; `nil` when there is none, or the next one came after the mark.
  func take(upTo mark: UInt64) -> Element? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard let turn = turns.first, let next = lanes[turn]?.elements.first, next.number <= mark else { return nil }
    turns.removeFirst()
    count -= 1
    lanes[turn]?.elements.removeFirst()
    if lanes[turn]?.elements.first == nil { lanes[turn] = nil } else { turns.append(turn) }
    return next.element
  }

  /// Refuses everything further. What is queued can still be taken.
  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_mutex_unlock(mutex)
    pthread_cond_broadcast(condition)
  }
}

/// A first-in first-out list.
private struct Line<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var first: Element? { head < elements.count ? elements[head] : nil }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func removeFirst() {
    guard head < elements.count else { return }
    // What was taken is not kept alive here.
    elements[head] = nil
    head += 1
    guard head == elements.count || (head >= 64 && head * 2 >= elements.count) else { return }
    elements.removeFirst(head)
    head = 0
  }
}
