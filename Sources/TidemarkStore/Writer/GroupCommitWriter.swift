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

  private enum Job: Sendable {
    case write(WriteSubmission)
    case administer(
      @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void,
      completion: @Sendable (StoreError?) -> Void)
  }

  private let queue: WorkQueue<Job>
  private let thread: Mutex<WorkerThread?> = Mutex(nil)
  private let statisticsBox: Mutex<Statistics> = Mutex(Statistics())
  private let options: Options
  private let clock: StoreClock

  /// Opens the store's writer and starts its thread.
  ///
  /// - Parameters:
  ///   - recent: is kept true to what is committed. Only for a store to which nobody else writes.
  ///   - decodeSchema: reads what `SchemaRecord.content` keeps. Without it, spaces with a schema take no writes.
  ///   - random: makes salts, ids and epochs. Belongs to the writer's thread from here on.
  ///   - onFatal: called once, on the writer's thread, when a commit failed in a way that must not be retried. The writer refuses everything then.
  public init(
    store: any EntityStore, clock: StoreClock, random: sending any RandomNumberGenerator, options: Options = Options(),
    recent: RecentEntities? = nil, decodeSchema: @escaping @Sendable ([UInt8]) throws -> Schema = GroupCommitWriter.noSchemas,
    onFatal: @escaping @Sendable (StoreError) -> Void
  ) throws {
    self.options = options
    self.clock = clock
    queue = WorkQueue(capacity: options.queuedRequestsMax)
    let loop = CommitLoop(
      writer: try store.openWriter(), schemas: SchemaCache(decode: decodeSchema), recent: recent, random: random,
      onFatal: onFatal)
    // The loop belongs to the thread from here on; nothing else keeps it.
    nonisolated(unsafe) let owned = loop
    let worker = WorkerThread { [self] in run(owned) }
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
  public var statistics: Statistics { statisticsBox.withLock { $0 } }

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

  // MARK: The writer's thread

  private func run(_ loop: CommitLoop) {
    while let jobs = queue.takeAll(beforeWaiting: { loop.rest() }) {
      var requests: [WriteSubmission] = []
      var items = 0
      for job in jobs {
        switch job {
        case .write(let request):
          if items > 0, items + request.items.count > options.itemsPerCommitMax {
            commit(&requests, loop)
            items = 0
          }
          requests.append(request)
          items += request.items.count
        case .administer(let body, let completion):
          commit(&requests, loop)
          items = 0
          completion(loop.administer(body))
        }
      }
      commit(&requests, loop)
    }
    loop.rest()
  }

  /// Commits the requests whose deadline has not passed, answers all, and empties the list.
  private func commit(_ requests: inout [WriteSubmission], _ loop: CommitLoop) {
    // More than once when what the requests load or make is too large for one transaction.
    while !requests.isEmpty { commitOnce(&requests, loop) }
  }

  private func commitOnce(_ requests: inout [WriteSubmission], _ loop: CommitLoop) {
    let uptime = clock.uptimeNanoseconds()
    let live = requests.filter { $0.deadlineNanoseconds.map { uptime < $0 } ?? true }
    var answers = Answers()
    var left: [WriteSubmission] = []
    if live.count < requests.count {
      for request in requests where request.deadlineNanoseconds.map({ uptime >= $0 }) ?? false {
        answers.add(.expired, to: request)
      }
    }
    if !live.isEmpty {
      let (results, changes) = loop.commit(live, now: clock.now())
      for (request, result) in zip(live, results) {
        if let result { answers.add(result, to: request) } else { left.append(request) }
      }
      statisticsBox.withLock {
        $0.commits &+= 1
        $0.changes &+= UInt64(changes)
      }
    }
    if left.isEmpty { requests.removeAll(keepingCapacity: true) } else { requests = left }
    answers.deliver()
  }
}

/// The answers of one commit, gathered by sink: one delivery a sink.
private struct Answers {
  private var bySink: [(sink: any WriteSink, answers: [WriteAnswer])] = []

  mutating func add(_ result: WriteResult, to request: WriteSubmission) {
    let answer = WriteAnswer(ticket: request.ticket, result: result)
    if let index = bySink.firstIndex(where: { $0.sink === request.sink }) {
      bySink[index].answers.append(answer)
    } else {
      bySink.append((request.sink, [answer]))
    }
  }

  func deliver() {
    for (sink, answers) in bySink { sink.deliver(answers) }
  }
}
