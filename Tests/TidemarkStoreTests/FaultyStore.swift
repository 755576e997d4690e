import Synchronization
import TidemarkStore

/// Passes everything on to another store, and throws where a test asks for it.
final class FaultyStore: EntityStore {
  enum Fault: Sendable {
    /// The body runs, and the commit throws.
    case commit(StoreError.Code)
    /// Reading entities throws whenever the key with this id is among them.
    case damaged(id: String)
  }

  let base: any EntityStore
  private let fault = Mutex<Fault?>(nil)

  init(_ base: any EntityStore) { self.base = base }

  var engineName: String { base.engineName }
  var hasOneWriter: Bool { base.hasOneWriter }
  var connections: ConnectionCounts? { base.connections }

  func set(_ new: Fault?) { fault.withLock { $0 = new } }

  var current: Fault? { fault.withLock { $0 } }

  func openReader() throws -> any StoreReader { try base.openReader() }
  func openWriter() throws -> any StoreWriter { FaultyWriter(try base.openWriter(), self) }
}

private final class FaultyWriter: StoreWriter {
  private let base: any StoreWriter
  private let store: FaultyStore

  init(_ base: any StoreWriter, _ store: FaultyStore) {
    self.base = base
    self.store = store
  }

  func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result {
    try base.write { transaction in
      let result = try body(FaultyTransaction(transaction, store))
      if case .commit(let code)? = store.current { throw StoreError(code, "asked for by the test") }
      return result
    }
  }

  func idle() throws { try base.idle() }
}
