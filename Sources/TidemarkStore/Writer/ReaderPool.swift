/// Threads that read consistent states, away from event loops and from the writer.
///
/// A thread runs several jobs on one snapshot that begins after all of them were submitted, for a few milliseconds: then others get their turn, and
/// a newer snapshot. Whoever submits in one lane does not hold up those in another.
public final class ReaderPool: Sendable {
  /// A read. It handles its own errors; `snapshot` is `nil` when the store could not be read at all, with the reason.
  public typealias Job = @Sendable (Result<any StoreSnapshot, StoreError>) -> Void

  /// The most jobs that share a snapshot.
  static let jobsPerSnapshotMax = 64
  /// No further job begins on a snapshot that is older than this, in nanoseconds.
  static let snapshotNanosecondsMax: UInt64 = 5_000_000

  private let queue: TurnQueue<Job>
  private let workers: [WorkerThread]

  /// Opens `threads` readers and starts their threads.
  public init(store: any EntityStore, clock: StoreClock, threads: Int, queuedJobsMax: Int = 16_384) throws {
    let queue = TurnQueue<Job>(capacity: queuedJobsMax)
    self.queue = queue
    workers = try (0..<max(1, threads)).map { _ in
      // The reader belongs to the thread from here on; nothing else keeps it.
      nonisolated(unsafe) let reader = try store.openReader()
      return WorkerThread {
        while let mark = queue.mark() { ReaderPool.run(queue, upTo: mark, reader, clock) }
      }
    }
  }

  /// Queues a read. False when the queue is full or the pool is closed: the job will not run.
  ///
  /// - Parameter lane: for whom it is. Lanes take turns.
  public func submit(lane: UInt64, _ job: @escaping Job) -> Bool { queue.append(job, lane: lane) }

  /// Refuses new jobs, finishes the queued ones and ends the threads.
  public func close() {
    queue.close()
    for worker in workers { worker.join() }
  }

  private static func run(_ queue: TurnQueue<Job>, upTo mark: UInt64, _ reader: any StoreReader, _ clock: StoreClock) {
    // Another thread may have been faster.
    guard let first = queue.take(upTo: mark) else { return }
    var hasBegun = false
    do {
      try reader.read { snapshot in
        hasBegun = true
        let end = clock.uptimeNanoseconds() &+ snapshotNanosecondsMax
        first(.success(snapshot))
        for _ in 1..<jobsPerSnapshotMax {
          guard clock.uptimeNanoseconds() < end, let next = queue.take(upTo: mark) else { return }
          next(.success(snapshot))
        }
      }
    } catch {
      guard !hasBegun else { return }
      first(.failure(error as? StoreError ?? StoreError(.failed, "\(error)")))
    }
  }
}
