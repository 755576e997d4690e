internal import Synchronization
public import TidemarkCore

/// Writes to a store for a whole process: takes whatever is queued, judges it in one transaction, commits, and only then answers.
///
/// Where the store has one writer, everything takes one lane: one thread, one transaction after the other. Elsewhere there are several lanes, and a
/// space always takes the same, so that one that waits for others holds up only those that share its lane. There is no artificial wait: a request that comes alone is committed alone, and while one commit is on its way to the disk the next batch gathers.
/// Requests of one lane, and so those of one space, are judged in the order in which they were submitted.
public final class GroupCommitWriter: Sendable {
  /// What the writer may use.
  public struct Options: Sendable {
    /// How many requests may wait. Further ones are refused at once.
    public var queuedRequestsMax = 16_384
    /// How many items one transaction takes.
    public var itemsPerCommitMax = 2_048
    /// How many lanes there are, and so how many transactions at once, where the store takes more than one writer; at least 1.
    public var writerLanes = 4

    public init() {}
  }

  /// What the writer has done since it started.
  public struct Statistics: Sendable, Hashable {
    /// Transactions with at least one request.
    public var commits: UInt64 = 0
    /// Changes in them.
    public var changes: UInt64 = 0
  }

  /// One for each lane.
  private let queues: [WorkQueue<BatchRunner.Job>]
  private let threads: Mutex<[WorkerThread]> = Mutex([])
  private let counts = BatchCounts()
  private let queuedRequestsMax: Int

  /// Opens the store's writers and starts their threads.
  ///
  /// - Parameters:
  ///   - recent: is kept true to what is committed. Only for a store to which nobody else writes.
  ///   - board: hears of each commit once it is durable, before the answers are delivered.
  ///   - decodeSchema: reads what `SchemaRecord.content` keeps. Without it, spaces with a schema take no writes.
  ///   - random: makes salts, ids and epochs. Belongs to the writer's threads from here on.
  ///   - onTrouble: called on a writer's thread with the first error for want of the database, and with `nil` when it is back.
  ///   - onFatal: called once, on a writer's thread, when a commit failed in a way that must not be retried. The writer refuses everything then.
  public init(
    store: any EntityStore, clock: StoreClock, random: sending any RandomNumberGenerator, options: Options = Options(),
    recent: RecentEntities? = nil, board: RevisionBoard? = nil,
    decodeSchema: @escaping @Sendable ([UInt8]) throws -> Schema = GroupCommitWriter.noSchemas,
    onTrouble: @escaping @Sendable (StoreError?) -> Void = { _ in }, onFatal: @escaping @Sendable (StoreError) -> Void
  ) throws {
    let lanes = store.hasOneWriter ? 1 : max(1, options.writerLanes)
    queuedRequestsMax = options.queuedRequestsMax
    queues = (0..<lanes).map { _ in WorkQueue(capacity: options.queuedRequestsMax) }
    let health = WriterHealth(onTrouble: onTrouble, onFatal: onFatal)
    // It belongs to one of both: to the only lane, or to all of them behind a lock.
    nonisolated(unsafe) let source = random
    let randoms = lanes == 1 ? [source] : SharedRandom(source).makeGenerators(lanes)
    let counts = counts
    let runners = try randoms.map { random in
      try BatchRunner(
        store: store, clock: clock, random: random, options: options, recent: recent, board: board, decodeSchema: decodeSchema,
        counts: counts, health: health)
    }
    let workers = zip(queues, runners).map { queue, runner in
      // The runner belongs to the thread from here on; nothing else keeps it.
      nonisolated(unsafe) let owned = runner
      return WorkerThread {
        while let jobs = queue.takeAll(beforeWaiting: { owned.rest() }) { owned.run(jobs) }
        owned.rest()
      }
    }
    threads.withLock { $0 = workers }
  }

  /// Reads no schema.
  public static let noSchemas: @Sendable ([UInt8]) throws -> Schema = { _ in
    throw StoreError(.unknownFormat, "this writer reads no schemas")
  }

  /// Queues a request. False when the queue is full or the writer is closed: nothing was done, and the sink hears nothing.
  public func submit(_ request: WriteSubmission) -> Bool { append(.write(request), of: request.space) }

  /// Queues work on spaces or tokens that runs in a transaction of its own. False when the queue is full or the writer is closed.
  ///
  /// - Parameters:
  ///   - space: what the work is about, and nothing else; it is done in order with the space's writes then. `nil` for all other work, which is
  ///     done in order among itself: that on tokens has to be, also when it is about a space.
  ///   - completion: called on the writer's thread after the commit; its error is `nil` when the work is durable.
  public func administer(
    only space: SpaceName? = nil,
    _ body: @escaping @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void,
    completion: @escaping @Sendable (StoreError?) -> Void
  ) -> Bool {
    append(.administer(body, completion: completion), of: space)
  }

  private func append(_ job: BatchRunner.Job, of space: SpaceName?) -> Bool {
    let lane = space.map { GroupCommitWriter.lane(of: $0, among: queues.count) } ?? 0
    // What waits in the other lanes counts as well, about.
    guard queues.count == 1 || queueDepth < queuedRequestsMax else { return false }
    return queues[lane].append(job)
  }

  /// The lane of a space, always the same one (FNV-1a of its name).
  package static func lane(of space: SpaceName, among count: Int) -> Int {
    let hash = space.text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    return Int((hash ^ (hash >> 32)) % UInt64(max(1, count)))
  }

  /// What the writer has done so far.
  public var statistics: Statistics { counts.statistics }

  /// How many requests wait.
  public var queueDepth: Int { queues.reduce(0) { $0 + $1.count } }

  /// Refuses new requests, finishes the queued ones and ends the threads. Returns when all of that is done.
  public func close() {
    for queue in queues { queue.close() }
    let workers = threads.withLock { workers in
      defer { workers = [] }
      return workers
    }
    for worker in workers { worker.join() }
  }
}

/// Randomness that several threads draw from.
private final class SharedRandom: Sendable {
  private let source: Mutex<any RandomNumberGenerator>

  init(_ source: sending any RandomNumberGenerator) { self.source = Mutex(source) }

  func makeGenerators(_ count: Int) -> [any RandomNumberGenerator] { (0..<count).map { _ in Generator(shared: self) } }

  private struct Generator: RandomNumberGenerator {
    let shared: SharedRandom
    mutating func next() -> UInt64 { shared.source.withLock { $0.next() } }
  }
}
