internal import Synchronization
public import TidemarkCore

/// The one writer of a store: takes whatever is queued, judges it in one transaction, commits, and only then answers.
///
/// There is no artificial wait: a request that comes alone is committed alone, and while one commit is on its way to the disk the next batch gathers.
/// Requests are judged in the order in which they were submitted.
public final class GroupCommitWriter: Sendable {
  /// What the writer may use.
  public struct Options: Sendable {
    /// How many requests may wait. Further ones are refused at once.
    public var queuedRequestsMax = 16_384
    /// How many items one transaction takes.
    public var itemsPerCommitMax = 2_048

    public init() {}
  }

  /// What the writer has done since it started.
  public struct Statistics: Sendable, Hashable {
    /// Transactions with at least one request.
    public var commits: UInt64 = 0
    /// Changes in them.
    public var changes: UInt64 = 0
  }

  private let queue: WorkQueue<BatchRunner.Job>
  private let thread: Mutex<WorkerThread?> = Mutex(nil)
  private let counts = BatchCounts()

  /// Opens the store's writer and starts its thread.
  ///
  /// - Parameters:
  ///   - recent: is kept true to what is committed. Only for a store to which nobody else writes.
  ///   - board: hears of each commit once it is durable, before the answers are delivered.
  ///   - decodeSchema: reads what `SchemaRecord.content` keeps. Without it, spaces with a schema take no writes.
  ///   - random: makes salts, ids and epochs. Belongs to the writer's thread from here on.
  ///   - onTrouble: called on the writer's thread with the first error for want of the database, and with `nil` when it is back.
  ///   - onFatal: called once, on the writer's thread, when a commit failed in a way that must not be retried. The writer refuses everything then.
  public init(
    store: any EntityStore, clock: StoreClock, random: sending any RandomNumberGenerator, options: Options = Options(),
    recent: RecentEntities? = nil, board: RevisionBoard? = nil,
    decodeSchema: @escaping @Sendable ([UInt8]) throws -> Schema = GroupCommitWriter.noSchemas,
    onTrouble: @escaping @Sendable (StoreError?) -> Void = { _ in }, onFatal: @escaping @Sendable (StoreError) -> Void
  ) throws {
    queue = WorkQueue(capacity: options.queuedRequestsMax)
    let runner = try BatchRunner(
      store: store, clock: clock, random: random, options: options, recent: recent, board: board,
      decodeSchema: decodeSchema, counts: counts,
      onTrouble: onTrouble, onFatal: onFatal)
    // The runner belongs to the thread from here on; nothing else keeps it.
    nonisolated(unsafe) let owned = runner
    let worker = WorkerThread { [queue] in
      while let jobs = queue.takeAll(beforeWaiting: { owned.rest() }) { owned.run(jobs) }
      owned.rest()
    }
    thread.withLock { $0 = worker }
  }

  /// Reads no schema.
  public static let noSchemas: @Sendable ([UInt8]) throws -> Schema = { _ in
    throw StoreError(.unknownFormat, "this writer reads no schemas")
  }

  /// Queues a request. False when the queue is full or the writer is closed: nothing was done, and the sink hears nothing.
  public func submit(_ request: WriteSubmission) -> Bool { queue.append(.write(request)) }

  /// Queues work on spaces or tokens that runs in a transaction of its own. False when the queue is full or the writer is closed.
  ///
  /// - Parameter completion: called on the writer's thread after the commit; its error is `nil` when the work is durable.
  public func administer(
    _ body: @escaping @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void,
    completion: @escaping @Sendable (StoreError?) -> Void
  ) -> Bool {
    queue.append(.administer(body, completion: completion))
  }

  /// What the writer has done so far.
  public var statistics: Statistics { counts.statistics }

  /// How many requests wait.
  public var queueDepth: Int { queue.count }

  /// Refuses new requests, finishes the queued ones and ends the thread. Returns when all of that is done.
  public func close() {
    queue.close()
    let worker = thread.withLock { worker in
      defer { worker = nil }
      return worker
    }
    worker?.join()
  }
}
