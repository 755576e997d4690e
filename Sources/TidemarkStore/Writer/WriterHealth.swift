internal import Synchronization

/// Whether storing works, as all lanes of a writer know it together: what goes wrong with the database goes wrong in each of them.
package final class WriterHealth: Sendable {
  private struct State {
    var isFailed = false
    var isUnreached = false
    var troubles: UInt64 = 0
  }

  private let state = Mutex(State())
  private let onTrouble: @Sendable (StoreError?) -> Void
  private let onFatal: @Sendable (StoreError) -> Void

  /// - Parameters:
  ///   - onTrouble: told the first error for want of the database, and `nil` when it is back. In the order in which they happened.
  ///   - onFatal: told once that a commit failed in a way that must not be retried.
  package init(
    onTrouble: @escaping @Sendable (StoreError?) -> Void = { _ in }, onFatal: @escaping @Sendable (StoreError) -> Void
  ) {
    self.onTrouble = onTrouble
    self.onFatal = onFatal
  }

  /// Nothing may be stored any more.
  var isFailed: Bool { state.withLock { $0.isFailed } }

  /// How often the database was not reached; for `noteReached`.
  package var troubles: UInt64 { state.withLock { $0.troubles } }

  /// A transaction failed for want of the database.
  package func noteTrouble(_ failure: StoreError) {
    state.withLock { state in
      state.troubles &+= 1
      if !state.isUnreached { onTrouble(failure) }
      state.isUnreached = true
    }
  }

  /// A transaction was stored that began after so many troubles. One that began before the latest says nothing about now.
  package func noteReached(since troubles: UInt64) {
    state.withLock { state in
      guard state.isUnreached, state.troubles == troubles else { return }
      state.isUnreached = false
      onTrouble(nil)
    }
  }

  /// A commit failed, and whether it is durable is unknown.
  func noteFailed(_ failure: StoreError) {
    state.withLock { state in
      guard !state.isFailed else { return }
      state.isFailed = true
      onFatal(failure)
    }
  }
}
