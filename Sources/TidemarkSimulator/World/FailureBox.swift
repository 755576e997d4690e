internal import Synchronization
internal import TidemarkStore

/// Takes the error of administrative work.
final class FailureBox: Sendable {
  private let error = Mutex<StoreError?>(nil)

  func put(_ failure: StoreError?) { error.withLock { $0 = failure } }

  func take() -> StoreError? { error.withLock { $0 } }
}
