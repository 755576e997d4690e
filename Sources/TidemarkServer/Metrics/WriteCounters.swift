internal import Synchronization
internal import TidemarkCore
internal import TidemarkWire

/// Counts what became of writes since the start, by space, type and outcome.
///
/// Names of spaces and types are bounded: what comes after the first `labelsMax` pairs is counted under `other`.
final class WriteCounters: Sendable {
  /// The pairs of space and type that are counted apart.
  static let labelsMax = 1_000

  private struct Label: Hashable {
    var space: SpaceName
    var type: TypeName

    static let other: Label? = SpaceName("other").flatMap { space in TypeName("other").map { Label(space: space, type: $0) } }
  }

  private struct Count {
    var writes: UInt64 = 0
    var retries: UInt64 = 0
  }

  /// For each label, the counts by the number of the outcome code.
  private let counts: Mutex<[Label: [Count]]> = Mutex([:])
  private static let codes = Int(OutcomeCode.allCases.map(\.rawValue).max() ?? 0) + 1

  /// Counts the outcomes of one request.
  ///
  /// - Parameter isRetry: the call was not the first attempt of its client.
  func add(_ outcomes: [Outcome], space: SpaceName, isRetry: Bool) {
    counts.withLock { counts in
      for outcome in outcomes {
        var label = Label(space: space, type: outcome.type)
        if counts[label] == nil {
          if counts.count >= WriteCounters.labelsMax, let other = Label.other { label = other }
          if counts[label] == nil { counts[label] = [Count](repeating: Count(), count: WriteCounters.codes) }
        }
        let index = Int(outcome.code.rawValue)
        // What a receipt told again was counted when it was judged.
        if !outcome.isReplay { counts[label]?[index].writes &+= 1 }
        if isRetry { counts[label]?[index].retries &+= 1 }
      }
    }
  }

  /// All counts that are not zero, sorted by space, type and outcome.
  var all: [WriteCount] {
    let counts = counts.withLock { $0 }
    let labels = counts.keys.sorted { $0.space == $1.space ? $0.type < $1.type : $0.space < $1.space }
    return labels.flatMap { label in
      OutcomeCode.allCases.compactMap { code in
        guard let count = counts[label]?[Int(code.rawValue)], count.writes > 0 || count.retries > 0 else { return nil }
        return WriteCount(
          space: label.space, type: label.type, outcome: code, writes: count.writes, retries: count.retries)
      }
    }
  }
}
