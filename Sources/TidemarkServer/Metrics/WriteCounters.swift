internal import Synchronization
internal import TidemarkCore
internal import TidemarkWire

/// Counts what became of writes since the start, by space, type and outcome.
///
/// Names of spaces and types are bounded: what comes after the first `labelsMax` pairs, or the first `typesPerSpaceMax` of a space, is
/// counted under `other`. A pair is counted apart from its first write that succeeded on, so that names which nobody ever wrote take
/// no place.
final class WriteCounters: Sendable {
  /// The pairs of space and type that are counted apart.
  static let labelsMax = 1_000
  /// The types of one space that are counted apart.
  static let typesPerSpaceMax = 500

  private struct Label: Hashable {
    var space: SpaceName
    var type: TypeName

    static let otherType = TypeName("other")
    static let other: Label? = SpaceName("other").flatMap { space in otherType.map { Label(space: space, type: $0) } }
  }

  private struct Count {
    var writes: UInt64 = 0
    var retries: UInt64 = 0
  }

  private struct Counts {
    /// For each label, the counts by the number of the outcome code.
    var byLabel: [Label: [Count]] = [:]
    var typesBySpace: [SpaceName: Int] = [:]

    /// Where an outcome is counted.
    mutating func label(of outcome: Outcome, in space: SpaceName) -> Label {
      let own = Label(space: space, type: outcome.type)
      if byLabel[own] != nil { return own }
      let types = typesBySpace[space, default: 0]
      if outcome.code.isSuccess, byLabel.count < labelsMax, types < typesPerSpaceMax { return begin(own) }
      // Spaces are made by administrators, so each may have one label more for all its other types.
      let rest = Label.otherType.map { Label(space: space, type: $0) } ?? own
      if byLabel[rest] != nil { return rest }
      return byLabel.count < labelsMax ? begin(rest) : begin(Label.other ?? own)
    }

    private mutating func begin(_ label: Label) -> Label {
      guard byLabel[label] == nil else { return label }
      byLabel[label] = [Count](repeating: Count(), count: codes)
      typesBySpace[label.space, default: 0] += 1
      return label
    }
  }

  private let counts: Mutex<Counts> = Mutex(Counts())
  private static let codes = Int(OutcomeCode.allCases.map(\.rawValue).max() ?? 0) + 1

  /// Counts the outcomes of one request.
  ///
  /// - Parameter isRetry: the call was not the first attempt of its client.
  func add(_ outcomes: [Outcome], space: SpaceName, isRetry: Bool) {
    counts.withLock { counts in
      for outcome in outcomes {
        let label = counts.label(of: outcome, in: space)
        let index = Int(outcome.code.rawValue)
        // What a receipt told again was counted when it was judged.
        if !outcome.isReplay { counts.byLabel[label]?[index].writes &+= 1 }
        if isRetry { counts.byLabel[label]?[index].retries &+= 1 }
      }
    }
  }

  /// All counts that are not zero, sorted by space, type and outcome.
  var all: [WriteCount] {
    let counts = counts.withLock { $0.byLabel }
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
