/// Threads that read consistent states, away from event loops and from the writer.
///
/// A thread takes several jobs at once and runs them on one snapshot that begins after all of them were submitted.
public final class ReaderPool: Sendable {
  /// A read. It handles its own errors; `snapshot` is `nil` when the store could not be read at all, with the reason.
  public typealias Job = @Sendable (Result<any StoreSnapshot, StoreError>) -> Void

  private let queue: WorkQueue<Job>
  private let workers: [WorkerThread]

  /// Opens `threads` readers and starts their threads.
  public init(store: any EntityStore, threads: Int, queuedJobsMax: Int = 16_384) throws {
    let queue = WorkQueue<Job>(capacity: queuedJobsMax)
    self.queue = queue
    workers = try (0..<max(1, threads)).map { _ in
      // The reader belongs to the thread from here on; nothing else keeps it.
      nonisolated(unsafe) let reader = try store.openReader()
      return WorkerThread {
        while let jobs = queue.take(limit: 64) { ReaderPool.run(jobs, reader) }
      }
    }
  }

  /// Queues a read. False when the queue is full or the pool is closed: the job will not run.
  public func submit(_ job: @escaping Job) -> Bool { queue.append(job) }

  /// Refuses new jobs, finishes the queued ones and ends the threads.
  public func close() {
    queue.close()
    for worker in workers { worker.join() }
  }

  private static func run(_ jobs: [Job], _ reader: any StoreReader) {
    var done = 0
    do {
      try reader.read { snapshot in
        for job in jobs {
          done += 1
          job(.success(snapshot))
        }
      }
    } catch {
      let failure = error as? StoreError ?? StoreError(.failed, "\(error)")
      for job in jobs.dropFirst(done) { job(.failure(failure)) }
    }
  }
}
