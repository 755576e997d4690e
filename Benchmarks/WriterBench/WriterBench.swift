internal import Glibc
internal import Synchronization
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkStoreSQLite

/// Why a run could not be made, or cannot be trusted.
struct WriterBenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Updates of random entities through a `GroupCommitWriter`, whose next transaction is always queued.
final class WriterBench {
  private let writer: GroupCommitWriter
  private let inbox = Inbox()
  private let principal: Principal
  private let type: TypeName
  private let space = SpaceName.default
  private let itemsPerRequest: Int
  private let requestsPerCommit: Int
  private let ids: [EntityID]
  private var random = SystemRandomNumberGenerator()
  private var versions: [EntityVersion]
  private var ticket: UInt64 = 0

  init(folder: String, itemsPerRequest: Int, requestsPerCommit: Int, entities: Int) throws {
    guard let name = PrincipalName("bench"), let type = TypeName("assignment") else { throw WriterBenchError("no names") }
    self.itemsPerRequest = itemsPerRequest
    self.requestsPerCommit = requestsPerCommit
    self.type = type
    principal = Principal(name: name, roleEverywhere: .admin, roles: [:])
    let store = try SQLiteStore.open(folder: folder)
    var options = GroupCommitWriter.Options()
    options.itemsPerCommitMax = itemsPerRequest * requestsPerCommit
    writer = try GroupCommitWriter(
      store: store, clock: WriterBench.clock, random: BufferedRandom(), options: options
    ) { error in
      print("the writer failed: \(error)")
      exit(1)
    }
    var random = SystemRandomNumberGenerator()
    ids = try (0..<entities).map { index in
      let now = Timestamp(rawValue: 1_760_000_000_000_000 + Int64(index) * 1_000)
      let text = UUIDText.format(UUIDText.makeVersion7(now: now, using: &random))
      guard let id = EntityID(text) else { throw WriterBenchError("no id") }
      return id
    }
    versions = Array(repeating: .first, count: entities)
    try fill()
  }

  /// Updates per second.
  func run(updates: Int) throws -> Double {
    let start = WriterBench.clock.uptimeNanoseconds()
    let requests = max(1, updates / itemsPerRequest)
    var sent = 0
    // Two transactions are on their way: while one is committed, the next waits.
    while sent < min(requests, 2 * requestsPerCommit) {
      try submit(updateRequest())
      sent += 1
    }
    var answered = 0
    while answered < requests {
      for answer in inbox.take() {
        answered += 1
        guard case .outcomes(let outcomes) = answer.result, outcomes.allSatisfy({ $0.code == .applied }) else {
          throw WriterBenchError("an update was answered with \(answer.result)")
        }
        guard sent < requests else { continue }
        try submit(updateRequest())
        sent += 1
      }
    }
    let seconds = Double(WriterBench.clock.uptimeNanoseconds() - start) / 1e9
    writer.close()
    return Double(requests * itemsPerRequest) / seconds
  }

  private func fill() throws {
    let done = Inbox()
    let space = space
    guard
      writer.administer(
        { transaction, random in
          guard try transaction.space(named: space) == nil else { throw StoreError(.failed, "the folder has a store already") }
          let epoch = Epoch(rawValue: Bytes16(high: random.next(), low: random.next()))
          _ = try transaction.insertSpace(
            named: space, epoch: epoch, createdAt: WriterBench.clock.now(), genesis: Chain.genesis(epoch))
        }, completion: { error in done.deliver([WriteAnswer(ticket: 0, result: error == nil ? .outcomes([]) : .unknown)]) }),
      case .outcomes? = done.take().first?.result
    else { throw WriterBenchError("no space") }
    for start in stride(from: 0, to: ids.count, by: 500) {
      let items = try ids[start..<min(start + 500, ids.count)].map { id in
        WriteItem(operation: makeOperation(), type: type, id: id, action: .create(try WriterBench.fields()))
      }
      try submit(items)
      guard case .outcomes(let outcomes)? = inbox.take().first?.result, outcomes.allSatisfy({ $0.code == .applied }) else {
        throw WriterBenchError("the store could not be filled")
      }
    }
  }

  private func updateRequest() throws -> [WriteItem] {
    try (0..<itemsPerRequest).map { _ in
      let index = Int.random(in: 0..<ids.count, using: &random)
      let expected = Expected(version: versions[index])
      versions[index] = versions[index].next
      guard let name = FieldPath("count") else { throw WriterBenchError("no field") }
      // The version makes every value another one.
      let value = Value.int(Int64(versions[index].rawValue) + 1_000_000)
      return WriteItem(
        operation: makeOperation(), type: type, id: ids[index],
        action: .update(try Patch([Patch.Entry(name, .set(value))]), expected))
    }
  }

  private func makeOperation() -> OperationID {
    OperationID(rawValue: UUIDText.makeVersion7(now: WriterBench.clock.now(), using: &random))
  }

  private func submit(_ items: [WriteItem]) throws {
    ticket += 1
    guard
      writer.submit(
        WriteSubmission(space: space, principal: principal, items: items, deadlineNanoseconds: nil, sink: inbox, ticket: ticket))
    else { throw WriterBenchError("the queue is full") }
  }

  /// The fields of the other benchmarks' entities: 320 bytes.
  private static func fields() throws -> Fields {
    let pairs: [(String, Value)] = [
      ("confirmed", .bool(true)), ("count", .int(1_000_000)), ("customer", .string("customer-0042-north")),
      ("duration_minutes", .int(90)), ("location", .string("Berlin, Depot 4")),
      ("note", .string(String(repeating: "n", count: 118))), ("rate", .double(1.25)),
      ("title", .string("Morning shift, line 7")),
    ]
    return try Fields(
      pairs.map { name, value in
        guard let path = FieldPath(name) else { throw WriterBenchError("no field \(name)") }
        return Field(path, value)
      })
  }

  private static let clock = StoreClock(
    now: { Timestamp(rawValue: Int64(clamping: read(CLOCK_REALTIME) / 1_000)) },
    uptimeNanoseconds: { read(CLOCK_MONOTONIC) })

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}

/// Takes answers on the writer's thread and hands them to the one that waits.
///
/// `@unchecked Sendable`: every access to the answers holds `mutex`.
private final class Inbox: WriteSink, @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
  private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
  private var answers: [WriteAnswer] = []

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  func deliver(_ delivered: [WriteAnswer]) {
    pthread_mutex_lock(mutex)
    answers += delivered
    pthread_mutex_unlock(mutex)
    pthread_cond_signal(condition)
  }

  /// All answers that came; waits for the first.
  func take() -> [WriteAnswer] {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while answers.isEmpty { pthread_cond_wait(condition, mutex) }
    defer { answers = [] }
    return answers
  }
}
