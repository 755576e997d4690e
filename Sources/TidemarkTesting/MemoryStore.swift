internal import Synchronization
public import TidemarkCore
public import TidemarkStore

/// The in-memory engine: the executable model of `EntityStore`. Small rather than fast: a transaction works on a copy of the
/// whole state.
public final class MemoryStore: EntityStore {
  private let state: Mutex<MemoryState>
  private let hasWriter = Mutex(false)

  public init() { state = Mutex(MemoryState()) }

  public var engineName: String { "memory" }
  public var hasOneWriter: Bool { true }
  public var connections: ConnectionCounts? { nil }

  public func openWriter() throws -> any StoreWriter {
    let isTaken = hasWriter.withLock { hasWriter in
      defer { hasWriter = true }
      return hasWriter
    }
    guard !isTaken else { throw StoreError(.failed, "the store already has its writer") }
    return MemoryWriter(self)
  }

  public func openReader() throws -> any StoreReader { MemoryReader(self) }

  /// Damages one row of a space's log, for tests of what reads it.
  public func damage(_ revision: Revision, in space: SpaceID) {
    state.withLock { _ = $0.parts[space]?.damaged.insert(revision) }
  }

  /// Puts other fields under a revision without touching its digest, for tests of verification.
  public func tamper(_ revision: Revision, in space: SpaceID, fields: CanonicalFields) {
    state.withLock { state in
      guard let index = Int(exactly: revision.rawValue), state.parts[space]?.log.indices.contains(index - 1) == true else {
        return
      }
      state.parts[space]?.log[index - 1].change.entity.fields = fields
    }
  }

  fileprivate var committed: MemoryState {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  fileprivate func writerClosed() { hasWriter.withLock { $0 = false } }
}

private final class MemoryReader: StoreReader {
  private let store: MemoryStore
  init(_ store: MemoryStore) { self.store = store }

  func read<Result>(_ body: (any StoreSnapshot) throws -> Result) throws -> Result {
    try body(MemorySnapshot(store.committed))
  }
}

private final class MemoryWriter: StoreWriter {
  private let store: MemoryStore
  init(_ store: MemoryStore) { self.store = store }
  deinit { store.writerClosed() }

  func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result {
    let transaction = MemoryTransaction(store.committed)
    let result = try body(transaction)
    if let failure = transaction.failure { throw failure }
    store.committed = transaction.state
    return result
  }

  func idle() throws {}
}
