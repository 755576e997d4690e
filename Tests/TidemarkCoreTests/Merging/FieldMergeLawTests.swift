import Testing
import TidemarkCore
import TidemarkTesting

/// What holds for every merge of one field, on random states. A failure prints the kind and the seed of its case.
@Suite struct FieldMergeLawTests {
  private static let seeds: Range<UInt64> = 0..<1_500

  /// One random merge and what came of it.
  private struct Case {
    var base, mine, theirs: Value?
    var mineStamp, theirsStamp: EditStamp?
    let kind: MergeKind

    init(_ kind: MergeKind, seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      self.kind = kind
      base = MergeCases.value(kind, &random)
      mine = MergeCases.value(kind, &random)
      theirs = MergeCases.value(kind, &random)
      mineStamp = MergeCases.stamp(&random)
      theirsStamp = MergeCases.stamp(&random)
    }

    var result: FieldMergeResult {
      FieldMerge.merge(kind, base: base, mine: mine, theirs: theirs, mineStamp: mineStamp, theirsStamp: theirsStamp)
    }

    var swapped: FieldMergeResult {
      FieldMerge.merge(kind, base: base, mine: theirs, theirs: mine, mineStamp: theirsStamp, theirsStamp: mineStamp)
    }
  }

  @Test(arguments: MergeKind.allCases) func swappingTheSidesChangesNothing(kind: MergeKind) {
    for seed in Self.seeds {
      let item = Case(kind, seed: seed)
      #expect(item.result == item.swapped, "\(kind), seed \(seed)")
      #expect(item.result == item.result, "\(kind), seed \(seed)")
      let without = FieldMerge.mergeWithoutBase(
        kind, mine: item.mine, theirs: item.theirs, mineStamp: item.mineStamp, theirsStamp: item.theirsStamp)
      let withoutSwapped = FieldMerge.mergeWithoutBase(
        kind, mine: item.theirs, theirs: item.mine, mineStamp: item.theirsStamp, theirsStamp: item.mineStamp)
      #expect(without == withoutSwapped, "\(kind), seed \(seed)")
    }
  }

  @Test(arguments: MergeKind.allCases) func sideThatChangedNothingGivesTheOther(kind: MergeKind) {
    for seed in Self.seeds {
      let item = Case(kind, seed: seed)
      let (base, side) = (item.base, item.mine)
      #expect(FieldMerge.merge(kind, base: base, mine: side, theirs: base) == .value(side), "\(kind), seed \(seed)")
      #expect(FieldMerge.merge(kind, base: base, mine: base, theirs: side) == .value(side), "\(kind), seed \(seed)")
      #expect(FieldMerge.merge(kind, base: base, mine: base, theirs: base) == .value(base), "\(kind), seed \(seed)")
    }
  }

  @Test(arguments: MergeKind.allCases.filter { $0 != .counter }) func equalChangesAreOne(kind: MergeKind) {
    for seed in Self.seeds {
      let item = Case(kind, seed: seed)
      #expect(FieldMerge.merge(kind, base: item.base, mine: item.mine, theirs: item.mine) == .value(item.mine), "seed \(seed)")
    }
  }

  /// The next round of a sync, on either side, finds nothing left to do: devices do not resolve each other's resolutions for
  /// ever.
  @Test(arguments: MergeKind.allCases) func mergingTheResultAgainChangesNothing(kind: MergeKind) {
    var merged = 0
    for seed in Self.seeds {
      let item = Case(kind, seed: seed)
      guard case .value(let value) = item.result else { continue }
      merged += 1
      for side in [item.mine, item.theirs] {
        #expect(FieldMerge.merge(kind, base: side, mine: value, theirs: side) == .value(value), "\(kind), seed \(seed)")
        #expect(FieldMerge.merge(kind, base: side, mine: side, theirs: value) == .value(value), "\(kind), seed \(seed)")
      }
      #expect(FieldMerge.merge(kind, base: value, mine: value, theirs: value) == .value(value), "\(kind), seed \(seed)")
    }
    #expect(merged > 50, "\(kind): only \(merged) cases merged")
  }

  /// Where the result already holds both changes, merging a side into it once more adds nothing. Not so a counter, which would
  /// count twice.
  @Test(arguments: [MergeKind.register, .set, .max, .min, .lastWriter]) func mergingOneSideTwiceIsMergingItOnce(kind: MergeKind) {
    for seed in Self.seeds {
      let item = Case(kind, seed: seed)
      guard case .value(let value) = item.result, item.base != item.mine, item.base != item.theirs, value != item.base else {
        continue
      }
      let stamps = [item.mineStamp, item.theirsStamp].compactMap { $0 }
      let again = FieldMerge.merge(
        kind, base: item.base, mine: value, theirs: item.theirs, mineStamp: stamps.max(), theirsStamp: item.theirsStamp)
      #expect(again == .value(value) || set(again) == set(.value(value)), "\(kind), seed \(seed)")
    }
  }

  private func set(_ result: FieldMergeResult) -> Set<Scalar>? {
    guard case .value(.list(let scalars)) = result else { return nil }
    return Set(scalars)
  }

  private static let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]

  @Test(arguments: [MergeKind.counter, .set, .max, .min, .lastWriter]) func threeEditsInAnyOrderConverge(kind: MergeKind) {
    for seed in Self.seeds {
      var random = SeededGenerator(seed: seed)
      let base = MergeCases.base(kind, &random)
      let edits = MergeCases.edits(kind, base: base, &random)
      // The second and the third may carry one time; then their operation ids decide.
      let stamps = (0..<3).map { index in
        let time = Int64.random(in: 0...2, using: &random)
        return EditStamp(
          editedAt: Timestamp(rawValue: time), operation: OperationID(rawValue: Bytes16(high: 7, low: UInt64(index))))
      }
      let results = Set(
        Self.orders.map { order -> FieldMergeResult in
          var (value, stamp) = (edits[order[0]], stamps[order[0]])
          for index in order.dropFirst() {
            let merged = FieldMerge.merge(
              kind, base: base, mine: edits[index], theirs: value, mineStamp: stamps[index], theirsStamp: stamp)
            guard case .value(let new?) = merged else { return .overlap }
            // The stamp follows the value, as `EntityMerge` has it.
            stamp = edits[index] == base ? stamp : value == base ? stamps[index] : max(stamp, stamps[index])
            value = new
          }
          return .value(value)
        })
      #expect(results.count == 1, "\(kind), seed \(seed): \(results)")
      #expect(!results.contains(.overlap), "\(kind), seed \(seed)")
    }
  }
}
