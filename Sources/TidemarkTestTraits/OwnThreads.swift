import Foundation
public import Testing

/// Runs the tests of a suite on threads of their own.
///
/// Swift has as many threads for asynchronous work as the machine has cores. A test that waits for a process or a socket by blocking,
/// or that computes for seconds, holds one of them, and with two such tests on two cores nothing else goes on: tests that await then
/// pass their deadlines for no fault of theirs. Only a few of these tests run at once, so that they leave the processor to others.
public struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
  public let isRecursive = true

  public func scopeProvider(for test: Test, testCase: Test.Case?) -> OwnThreads? { testCase == nil ? nil : self }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    await OwnThreads.gate.enter()
    do {
      try await withTaskExecutorPreference(ThreadExecutor()) { try await function() }
      await OwnThreads.gate.leave()
    } catch {
      await OwnThreads.gate.leave()
      throw error
    }
  }

  private static let gate = Gate(places: 2 * max(2, ProcessInfo.processInfo.activeProcessorCount))

  /// Lets so many in at once, in the order they came.
  private actor Gate {
    private var places: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(places: Int) { self.places = places }

    func enter() async {
      if places > 0 {
        places -= 1
        return
      }
      await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
      if waiting.isEmpty { places += 1 } else { waiting.removeFirst().resume() }
    }
  }
}

extension Trait where Self == OwnThreads {
  /// The tests block, or compute for long: they run on threads of their own.
  public static var ownThreads: OwnThreads { OwnThreads() }
}

/// Starts a thread for each piece of work, so that none waits for another that blocks.
private final class ThreadExecutor: TaskExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
