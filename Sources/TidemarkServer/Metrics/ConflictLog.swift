internal import Logging
internal import Synchronization
internal import TidemarkCore
internal import TidemarkStore

/// Writes a line to the log for each write that was refused: which entity, what was expected and what is there, who, and what became of it. Never what
/// the fields hold.
///
/// At most `burstMax` lines at once and `linesPerSecond` in the long run; a line tells how many before it were left out.
final class ConflictLog: Sendable {
  static let burstMax = 200
  static let linesPerSecond: UInt64 = 50

  private struct State {
    var lines = ConflictLog.burstMax
    var filledAt: UInt64
    var leftOut: UInt64 = 0
  }

  private let logger: Logger
  private let clock: StoreClock
  private let state: Mutex<State>

  init(_ logger: Logger, _ clock: StoreClock) {
    self.logger = logger
    self.clock = clock
    state = Mutex(State(filledAt: clock.uptimeNanoseconds()))
  }

  /// Notes a refused write.
  ///
  /// - Parameter attempt: the attempt of the client, from 1; 0 when it did not say.
  func note(_ outcome: Outcome, expected: Expected?, space: SpaceName, principal: PrincipalName?, attempt: UInt32) {
    guard logger.logLevel <= .info, let leftOut = takeLine() else { return }
    var metadata: Logger.Metadata = [
      "outcome": "\(outcome.code)", "space": "\(space)", "type": "\(outcome.type)", "id": "\(outcome.id?.text ?? "")",
      "expected": "\(expected?.version.description ?? "")", "actual": "\(outcome.version?.description ?? "")",
      "principal": "\(principal?.text ?? "")", "attempt": "\(attempt)",
    ]
    if leftOut > 0 { metadata["left_out"] = "\(leftOut)" }
    logger.info("a write was refused", metadata: metadata)
  }

  /// How many lines were left out since the last one; `nil` when this one is to be left out, too.
  private func takeLine() -> UInt64? {
    let now = clock.uptimeNanoseconds()
    return state.withLock { state in
      let nanosecondsPerLine = 1_000_000_000 / ConflictLog.linesPerSecond
      let due = now > state.filledAt ? (now - state.filledAt) / nanosecondsPerLine : 0
      if due > 0 {
        state.lines = min(ConflictLog.burstMax, state.lines + Int(clamping: min(due, UInt64(ConflictLog.burstMax))))
        state.filledAt = now
      }
      guard state.lines > 0 else {
        state.leftOut &+= 1
        return nil
      }
      state.lines -= 1
      defer { state.leftOut = 0 }
      return state.leftOut
    }
  }
}

extension LoopDispatcher {
  /// Counts what became of a request, and notes what was refused.
  func note(_ result: WriteResult, of call: PendingCall) {
    guard case .outcomes(let outcomes) = result else { return }
    let space: SpaceName
    let expected: (Int) -> Expected?
    switch call.kind {
    case .other: return
    case .write(let named, let action, _):
      space = named
      expected = { _ in action.expected }
    case .bulk(let work):
      // Nothing became of what was only asked.
      guard !work.validatesOnly else { return }
      space = work.space
      expected = { work.items.indices.contains($0) && work.items[$0].afterItem == nil ? work.items[$0].action.expected : nil }
    }
    service.counters.add(outcomes, space: space, isRetry: call.attempt > 1)
    for (index, outcome) in outcomes.enumerated() where !outcome.code.isSuccess && !outcome.isReplay {
      service.conflictLog.note(
        outcome, expected: expected(index), space: space, principal: call.principal, attempt: call.attempt)
    }
  }
}
