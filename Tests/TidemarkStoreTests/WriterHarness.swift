import Synchronization
import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// A group-commit writer over any engine, asked synchronously.
final class WriterHarness {
  let store: any EntityStore
  let writer: GroupCommitWriter
  let reader: any StoreReader
  let principal: Principal
  private let schema: Schema?
  private let sink = CollectingSink()

  /// - Parameters:
  ///   - now: the clock; `nil` for one that moves a microsecond each time it is read.
  ///   - schema: the schema in force in the default space.
  init(
    _ store: any EntityStore, seed: UInt64, options: GroupCommitWriter.Options = .init(),
    now: (@Sendable () -> Timestamp)? = nil, schema: Schema? = nil, board: RevisionBoard? = nil,
    onTrouble: @escaping @Sendable (StoreError?) -> Void = { _ in }
  ) throws {
    self.store = store
    self.schema = schema
    let ticks = Ticks()
    let clock = StoreClock(now: now ?? { ticks.next() }, uptimeNanoseconds: { 1_000 })
    writer = try GroupCommitWriter(
      store: store, clock: clock, random: SeededGenerator(seed: seed), options: options, board: board,
      decodeSchema: { _ in schema ?? Schema() },
      onTrouble: onTrouble
    ) { _ in }
    guard let name = PrincipalName("tester") else { throw StoreError(.failed, "no name") }
    principal = Principal(name: name, roleEverywhere: .admin)
    reader = try store.openReader()
    try administer { transaction, random in
      let epoch = Epoch(rawValue: Bytes16(high: random.next(), low: random.next()))
      var space = try transaction.insertSpace(
        named: .default, epoch: epoch, createdAt: Timestamp(rawValue: 1), genesis: Chain.genesis(epoch))
      guard schema != nil else { return }
      space.schemaVersion = 1
      try transaction.insertSchema(
        SchemaRecord(version: 1, content: [1], appliedAt: Timestamp(rawValue: 1), appliedBy: name), in: space.id)
      try transaction.updateSpace(space)
    }
  }

  /// Submits one list and waits for its answer.
  func submit(
    _ items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false, deadline: UInt64? = nil,
    space: SpaceName = .default
  ) -> WriteResult? {
    let submission = WriteSubmission(
      space: space, principal: principal, items: items, mode: mode, validatesOnly: validatesOnly, deadlineNanoseconds: deadline,
      sink: sink, ticket: 1)
    guard writer.submit(submission) else { return nil }
    return sink.take()
  }

  func administer(
    _ body: @escaping @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void
  ) throws {
    let done = Waiting<StoreError?>()
    guard writer.administer(body, completion: { done.put($0) }) else { throw StoreError(.failed, "closed") }
    if let error = done.take() { throw error }
  }

  /// The faults of the space's chain.
  func faults() throws -> [ChainVerifier.Fault] {
    var verifier = ChainVerifier(space: .default)
    while !verifier.isDone {
      guard try reader.read({ try verifier.step($0, limit: 7) }) else { break }
    }
    return verifier.faults
  }

  /// What is wrong with the keys and references of the space.
  func relationFaults() throws -> [ChainVerifier.Fault] {
    var verifier = RelationVerifier(space: .default) { [schema] _ in schema ?? Schema() }
    while !verifier.isDone {
      guard try reader.read({ try verifier.step($0, limit: 3) }) else { break }
    }
    return verifier.faults
  }

  /// A clock that moves a microsecond each time it is read.
  private final class Ticks: Sendable {
    private let count = Atomic<Int64>(1_000_000)
    func next() -> Timestamp { Timestamp(rawValue: count.add(1, ordering: .relaxed).newValue) }
  }
}

/// Keeps the answers of commits until they are asked for.
final class CollectingSink: WriteSink {
  private let waiting = Waiting<WriteResult>()
  func deliver(_ answers: [WriteAnswer]) {
    for answer in answers { waiting.put(answer.result) }
  }
  func take() -> WriteResult { waiting.take() }
}
