internal import Synchronization
package import TidemarkCore

/// Turns jobs into commits and answers. `GroupCommitWriter` runs one on the thread of each lane; the simulator runs one on its own.
package final class BatchRunner {
  /// What the writer is asked to do.
  package enum Job: Sendable {
    case write(WriteSubmission)
    case administer(
      @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void,
      completion: @Sendable (StoreError?) -> Void)
  }

  private let loop: CommitLoop
  private let options: GroupCommitWriter.Options
  private let clock: StoreClock
  private let counts: BatchCounts

  /// Opens a writer of the store. The parameters are those of `GroupCommitWriter`.
  package init(
    store: any EntityStore, clock: StoreClock, random: any RandomNumberGenerator, options: GroupCommitWriter.Options,
    recent: RecentEntities? = nil, board: RevisionBoard? = nil, decodeSchema: @escaping @Sendable ([UInt8]) throws -> Schema,
    counts: BatchCounts = BatchCounts(), health: WriterHealth
  ) throws {
    self.options = options
    self.clock = clock
    self.counts = counts
    loop = CommitLoop(
      writer: try store.openWriter(), schemas: SchemaCache(decode: decodeSchema), recent: recent, board: board,
      random: random, health: health)
  }

  /// Lets the store do what can wait.
  package func rest() { loop.rest() }

  /// Does the jobs in their order, writes that stand together in as few transactions as their size allows, and answers each after its commit.
  package func run(_ jobs: [Job]) {
    var requests: [WriteSubmission] = []
    var items = 0
    for job in jobs {
      switch job {
      case .write(let request):
        if items > 0, items + request.items.count > options.itemsPerCommitMax {
          commit(&requests)
          items = 0
        }
        requests.append(request)
        items += request.items.count
      case .administer(let body, let completion):
        commit(&requests)
        items = 0
        completion(loop.administer(body))
      }
    }
    commit(&requests)
  }

  /// Commits the requests whose deadline has not passed, answers all, and empties the list.
  private func commit(_ requests: inout [WriteSubmission]) {
    // More than once when what the requests load or make is too large for one transaction.
    while !requests.isEmpty { commitOnce(&requests) }
  }

  private func commitOnce(_ requests: inout [WriteSubmission]) {
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
      counts.add(changes: changes)
    }
    if left.isEmpty { requests.removeAll(keepingCapacity: true) } else { requests = left }
    answers.deliver()
  }
}

/// What a writer has done, for whoever asks from another thread.
package final class BatchCounts: Sendable {
  private let box: Mutex<GroupCommitWriter.Statistics> = Mutex(GroupCommitWriter.Statistics())

  package init() {}

  var statistics: GroupCommitWriter.Statistics { box.withLock { $0 } }

  func add(changes: Int) {
    box.withLock {
      $0.commits &+= 1
      $0.changes &+= UInt64(changes)
    }
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
