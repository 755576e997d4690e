import Testing
import TidemarkCore
import TidemarkTesting

@Suite struct EntityMergeTests {
  /// Every name has a kind of its own, so that all kinds meet.
  private func kind(_ name: FieldPath) -> MergeKind {
    let index = RandomValues.names.firstIndex(of: name.text) ?? 0
    return MergeKind.allCases[index % MergeKind.allCases.count]
  }

  /// Changes some fields of a state.
  private func edited(_ fields: Fields, _ random: inout SeededGenerator) throws -> Fields {
    var result = fields
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      let name = try RandomValues.name(&random)
      if let value = MergeCases.value(kind(name), &random) { result.set(name, value) } else { result.unset(name) }
    }
    return result
  }

  private func stamps(_ fields: Fields, _ random: inout SeededGenerator) -> FieldStamps {
    var stamps = FieldStamps()
    for field in fields.sorted { stamps[field.name] = MergeCases.stamp(&random) }
    return stamps
  }

  private func fields(_ entries: [(String, Value)]) throws -> Fields {
    try Fields(entries.map { Field(try RandomValues.require(FieldPath($0.0)), $0.1) })
  }

  @Test func mergesAreEntitiesAndTheSameOnBothSides() throws {
    var complete = 0
    for seed in 0..<3_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let common = try RandomValues.fields(&random)
      let (mine, theirs) = (try edited(common, &random), try edited(common, &random))
      let base = Int.random(in: 0..<8, using: &random) == 0 ? nil : common
      let (mineStamps, theirsStamps) = (stamps(mine, &random), stamps(theirs, &random))
      let merged = EntityMerge.merge(
        base: base, mine: mine, theirs: theirs, kinds: kind, mineStamps: mineStamps, theirsStamps: theirsStamps)
      let swapped = EntityMerge.merge(
        base: base, mine: theirs, theirs: mine, kinds: kind, mineStamps: theirsStamps, theirsStamps: mineStamps)
      #expect(merged.overlapping == swapped.overlapping && merged.combined == swapped.combined, "seed \(seed)")
      #expect(try Fields(merged.fields.sorted) == merged.fields, "seed \(seed)")
      for name in merged.overlapping { #expect(merged.fields[name] == theirs[name], "seed \(seed), \(name)") }
      guard merged.isComplete else { continue }
      complete += 1
      #expect(merged.fields == swapped.fields && merged.stamps == swapped.stamps, "seed \(seed)")
      // The next round, on either side, finds nothing left to do.
      for side in [mine, theirs] {
        let again = EntityMerge.merge(base: side, mine: merged.fields, theirs: side, kinds: kind)
        #expect(again.fields == merged.fields && again.isComplete, "seed \(seed)")
      }
    }
    #expect(complete > 500)
  }

  @Test func unchangedSideGivesTheOther() throws {
    for seed in 0..<1_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let base = try RandomValues.fields(&random)
      let side = try edited(base, &random)
      #expect(EntityMerge.merge(base: base, mine: side, theirs: base, kinds: kind).fields == side, "seed \(seed)")
      #expect(EntityMerge.merge(base: base, mine: base, theirs: side, kinds: kind).fields == side, "seed \(seed)")
      #expect(EntityMerge.merge(base: nil, mine: side, theirs: side, kinds: kind).fields == side, "seed \(seed)")
    }
  }

  @Test func pathAndOneBelowItOverlapAndBothAreNamed() throws {
    let base = try fields([("a.b", .int(1)), ("a.c", .int(1)), ("z", .int(1))])
    let mine = try fields([("a", .int(5)), ("z", .int(2))])
    let theirs = try fields([("a.b", .int(2)), ("a.c", .int(1)), ("z", .int(1))])
    let merged = EntityMerge.merge(base: base, mine: mine, theirs: theirs) { _ in .register }
    #expect(merged.overlapping.map(\.text) == ["a", "a.b", "a.c"])
    #expect(merged.fields == (try fields([("a.b", .int(2)), ("a.c", .int(1)), ("z", .int(2))])))
    let both = EntityMerge.merge(base: base, mine: mine, theirs: mine) { _ in .register }
    #expect(both.isComplete && both.fields == mine)
    let made = EntityMerge.merge(base: Fields(), mine: mine, theirs: theirs) { _ in .register }
    #expect(made.overlapping.map(\.text) == ["a", "a.b", "a.c", "z"])
  }

  @Test func disjointChangesMerge() throws {
    let base = try fields([("a", .int(1)), ("b", .int(1)), ("c", .int(1))])
    let mine = try fields([("a", .int(2)), ("b", .int(1)), ("c", .int(1)), ("d", .int(4))])
    let theirs = try fields([("a", .int(1)), ("c", .int(3))])
    let merged = EntityMerge.merge(base: base, mine: mine, theirs: theirs) { _ in .register }
    #expect(merged.isComplete && merged.combined.isEmpty)
    #expect(merged.fields == (try fields([("a", .int(2)), ("c", .int(3)), ("d", .int(4))])))
  }

  @Test func mergeThatIsNoEntityOverlaps() throws {
    let mine = try fields((0..<300).map { ("m\($0)", .int(1)) })
    let theirs = try fields((0..<300).map { ("t\($0)", .int(1)) })
    let many = EntityMerge.merge(base: Fields(), mine: mine, theirs: theirs) { _ in .register }
    #expect(many.overlapping.count == 600 && many.fields == theirs)
    let long = Value.string(String(repeating: "x", count: Limits.entityBytesMax * 2 / 3))
    let (one, other) = (try fields([("a", long)]), try fields([("b", long)]))
    let large = EntityMerge.merge(base: Fields(), mine: one, theirs: other) { _ in .register }
    #expect(large.overlapping.map(\.text) == ["a", "b"] && large.fields == other)
  }

  @Test func stampFollowsItsValue() throws {
    func stamp(_ time: Int64) -> EditStamp {
      EditStamp(editedAt: Timestamp(rawValue: time), operation: OperationID(rawValue: Bytes16(high: 0, low: 1)))
    }
    let name = try RandomValues.require(FieldPath("a"))
    let (base, mine) = (try fields([("a", .int(1))]), try fields([("a", .int(2))]))
    var (mineStamps, theirsStamps) = (FieldStamps(), FieldStamps())
    (mineStamps[name], theirsStamps[name]) = (stamp(3), stamp(9))
    let merged = EntityMerge.merge(
      base: base, mine: mine, theirs: base, kinds: { _ in .lastWriter }, mineStamps: mineStamps, theirsStamps: theirsStamps)
    #expect(merged.fields == mine && merged.stamps == mineStamps)
    let removed = EntityMerge.merge(
      base: base, mine: mine, theirs: Fields(), kinds: { _ in .lastWriter }, mineStamps: mineStamps, theirsStamps: theirsStamps)
    #expect(removed.fields == Fields() && removed.stamps == theirsStamps)
  }
}
