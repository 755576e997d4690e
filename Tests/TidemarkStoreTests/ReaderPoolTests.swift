import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkStore

/// Reads take turns, and none is older than its submission.
@Suite(.timeLimit(.minutes(1))) struct ReaderPoolTests {
  @Test func lanesTakeTurns() {
    let queue = TurnQueue<String>(capacity: 10)
    for (text, lane) in [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("b2", 2)] {
      #expect(queue.append(text, lane: UInt64(lane)))
    }
    let mark = queue.mark()
    #expect(mark == 6)
    #expect((0..<7).map { _ in queue.take(upTo: 6) } == ["a1", "b1", "c1", "a2", "b2", "a3", nil])
  }

  @Test func nothingIsTakenThatCameAfterTheMark() {
    let queue = TurnQueue<Int>(capacity: 10)
    _ = queue.append(1, lane: 1)
    let mark = queue.mark() ?? 0
    _ = queue.append(2, lane: 1)
    #expect(queue.take(upTo: mark) == 1 && queue.take(upTo: mark) == nil)
    #expect(queue.mark() == 2 && queue.take(upTo: 2) == 2)
  }

  @Test func aFullOrClosedQueueRefuses() {
    let queue = TurnQueue<Int>(capacity: 1)
    #expect(queue.append(1, lane: 1) && !queue.append(2, lane: 2))
    queue.close()
    #expect(queue.take(upTo: queue.mark() ?? 0) == 1 && queue.mark() == nil)
    #expect(!queue.append(3, lane: 3))
  }

  @Test func randomLanesAreEmptiedInOrderAndFairly() throws {
    var random = SeededGenerator(seed: 7)
    let queue = TurnQueue<Numbered>(capacity: 10_000)
    var sent: [UInt64: [Int]] = [:]
    var taken: [UInt64: [Int]] = [:]
    for number in 0..<5_000 {
      let lane = random.next() % 9 * (random.next() % 2)
      #expect(queue.append(Numbered(lane: lane, number: number), lane: lane))
      sent[lane, default: []].append(number)
      if random.next() % 3 > 0, let next = queue.take(upTo: .max) { taken[next.lane, default: []].append(next.number) }
    }
    while let next = queue.take(upTo: .max) { taken[next.lane, default: []].append(next.number) }
    #expect(taken == sent)
  }

  /// One connection asks for much that takes long; the read of another is the next but one.
  @Test func aReadDoesNotWaitForTheManyOfAnotherLane() async throws {
    // Each look at the clock finds that a snapshot has been used for long enough.
    let time = Counter()
    let clock = StoreClock(
      now: { Timestamp(rawValue: 0) }, uptimeNanoseconds: { time.add(ReaderPool.snapshotNanosecondsMax) })
    let pool = try ReaderPool(store: MemoryStore(), clock: clock, threads: 1)
    let order = Order()
    let (begun, gate) = (Signal(), Signal())
    #expect(
      pool.submit(lane: 1) { _ in
        begun.raise()
        gate.wait()
      })
    begun.wait()
    for number in 1...50 { #expect(pool.submit(lane: 1) { _ in order.append(number) }) }
    #expect(pool.submit(lane: 2) { _ in order.append(100) })
    gate.raise()
    pool.close()
    let done = order.all
    #expect(done.count == 51 && done.firstIndex(of: 100).map { $0 <= 1 } == true)
  }

  @Test func everyReadSeesWhatWasThereWhenItWasSubmitted() async throws {
    let store = MemoryStore()
    let writer = try store.openWriter()
    let clock = StoreClock(now: { Timestamp(rawValue: 0) }, uptimeNanoseconds: { 0 })
    let pool = try ReaderPool(store: store, clock: clock, threads: 2)
    let missed = Counter()
    for number in 0..<200 {
      let name = try #require(SpaceName("s\(number)"))
      try writer.write { transaction in
        _ = try transaction.insertSpace(
          named: name, epoch: Epoch(rawValue: Bytes16(high: 1, low: UInt64(number))), createdAt: Timestamp(rawValue: 0),
          genesis: Digest32(words: (0, 0, 0, 0)))
      }
      #expect(
        pool.submit(lane: UInt64(number % 3)) { snapshot in
          guard (try? snapshot.get().space(named: name)) ?? nil == nil else { return }
          _ = missed.add(1)
        })
    }
    pool.close()
    #expect(missed.add(0) == 0)
  }
}

private struct Numbered: Sendable {
  var lane: UInt64
  var number: Int
}

private final class Counter: Sendable {
  private let value = Atomic<UInt64>(0)
  /// The sum after it.
  func add(_ amount: UInt64) -> UInt64 { value.wrappingAdd(amount, ordering: .relaxed).newValue }
}

private final class Order: Sendable {
  private let numbers: Mutex<[Int]> = Mutex([])
  var all: [Int] { numbers.withLock { $0 } }
  func append(_ number: Int) { numbers.withLock { $0.append(number) } }
}

/// Lets one thread wait for another.
private final class Signal: Sendable {
  private let isRaised = Atomic<Bool>(false)
  func raise() { isRaised.store(true, ordering: .releasing) }
  func wait() { while !isRaised.load(ordering: .acquiring) {} }
}
