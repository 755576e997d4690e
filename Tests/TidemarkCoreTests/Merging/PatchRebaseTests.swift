import Testing
import TidemarkCore
import TidemarkTesting

@Suite struct PatchRebaseTests {
  private func name(_ text: String) throws -> FieldPath { try RandomValues.require(FieldPath(text)) }

  private func fields(_ entries: KeyValuePairs<String, Value>) throws -> Fields {
    try Fields(entries.map { Field(try name($0.key), $0.value) })
  }

  private func patch(_ entries: KeyValuePairs<String, Patch.Operation>) throws -> Patch {
    try Patch(entries.map { Patch.Entry(try name($0.key), $0.value) })
  }

  private func rebase(
    _ patch: Patch, _ base: Fields, _ current: Fields, kind: MergeKind = .register
  ) -> RebasedWrite {
    var budget = MergeBudget.unlimited
    return PatchRebase.rebase(patch, base: base, current: current, kinds: { _ in kind }, budget: &budget)
  }

  private func merged(_ write: RebasedWrite) -> Fields? {
    guard case .merged(let entity) = write else { return nil }
    return entity.fields
  }

  private func overlapping(_ write: RebasedWrite) -> [String] {
    guard case .overlapping(let names) = write else { return [] }
    return names.map(\.text)
  }

  @Test func patchOfOtherFieldsIsAppliedToTheCurrentState() throws {
    let base = try fields(["a": .int(1), "b": .int(1)])
    let current = try fields(["a": .int(1), "b": .int(9), "c": .int(9)])
    let write = rebase(try patch(["a": .set(.int(2)), "d": .set(.null)]), base, current)
    #expect(merged(write) == (try fields(["a": .int(2), "b": .int(9), "c": .int(9), "d": .null])))
    #expect(overlapping(rebase(try patch(["a": .set(.int(2)), "b": .unset]), base, current)) == ["b"])
  }

  @Test func settingWhatIsThereAlreadyClaimsNothing() throws {
    let base = try fields(["a": .int(1), "b": .int(1)])
    let current = try fields(["a.x": .int(2), "b": .int(1)])
    let write = try patch(["a": .set(.int(1)), "b": .set(.int(5))])
    #expect(merged(rebase(write, base, current)) == (try fields(["a.x": .int(2), "b": .int(5)])))
  }

  @Test func incrementsCommuteWithChangesOfTheSameNumber() throws {
    let base = try fields(["n": .int(5), "x": .double(1)])
    let write = try patch(["n": .incrementInt(2), "x": .incrementDouble(bits: Double(0.5).bitPattern)])
    let current = try fields(["n": .int(100), "x": .double(3)])
    for kind in MergeKind.allCases {
      #expect(merged(rebase(write, base, current, kind: kind)) == (try fields(["n": .int(102), "x": .double(3.5)])), "\(kind)")
    }
    #expect(overlapping(rebase(write, base, try fields(["x": .double(1)]))) == ["n"])
    #expect(overlapping(rebase(write, base, try fields(["n": .int(.max), "x": .string("1")]))) == ["n", "x"])
    // The number that the writer saw was too large; the one that is there now is not.
    let full = try fields(["n": .int(.max)])
    let one = try patch(["n": .incrementInt(1)])
    #expect(merged(rebase(one, full, try fields(["n": .int(0)]))) == (try fields(["n": .int(1)])))
    guard case .invalid(let violation) = rebase(one, full, full) else { return #expect(Bool(false), "not refused") }
    #expect(violation.rule == "increment_overflow")
  }

  @Test func removingAPathClaimsWhatSomebodyPutBelowIt() throws {
    let base = try fields(["a.b": .int(1), "z": .int(1)])
    let current = try fields(["a.b": .int(1), "a.c": .int(2), "z": .int(1)])
    #expect(overlapping(rebase(try patch(["a": .unset]), base, current)) == ["a", "a.b", "a.c"])
    #expect(overlapping(rebase(try patch(["a": .set(.null)]), base, current)) == ["a", "a.b", "a.c"])
    #expect(merged(rebase(try patch(["a": .unset]), base, base)) == (try fields(["z": .int(1)])))
    #expect(
      overlapping(rebase(try patch(["z.y": .set(.int(1))]), base, try fields(["a.b": .int(1), "z": .int(3)]))) == ["z", "z.y"])
  }

  @Test func replacementIsTheDifferenceToItsBase() throws {
    let base = try fields(["a": .int(1), "b": .int(1)])
    let current = try fields(["a": .int(1), "b": .int(1), "c": .int(3)])
    func replace(_ new: Fields, _ current: Fields) -> RebasedWrite {
      var budget = MergeBudget.unlimited
      return PatchRebase.rebase(replacement: new, base: base, current: current, kinds: { _ in .register }, budget: &budget)
    }
    #expect(merged(replace(try fields(["a": .int(2)]), current)) == (try fields(["a": .int(2), "c": .int(3)])))
    #expect(overlapping(replace(try fields(["a": .int(2)]), try fields(["a": .int(7), "b": .int(1)]))) == ["a"])
  }

  @Test func patchAgainstTheCurrentStateIsThePatch() throws {
    for seed in 0..<3_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let base = try RandomValues.fields(&random)
      guard let patch = try RandomValues.patch(&random) else { continue }
      let kind = MergeKind.allCases.randomElement(using: &random) ?? .register
      switch (Result { try patch.applied(to: base) }, rebase(patch, base, base, kind: kind)) {
      case (.success(let fields), .merged(let entity)): #expect(entity.fields == fields, "seed \(seed)")
      case (.failure(let expected), .invalid(let violation)): #expect(expected as? Violation == violation, "seed \(seed)")
      default: Issue.record("one is refused, seed \(seed)")
      }
    }
  }

  /// Whatever the current state is: fields that the patch does not claim stay as they are, and what it claims is there or is
  /// named.
  @Test func rebasedPatchLosesNeitherSide() throws {
    for seed in 0..<3_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let base = try RandomValues.fields(&random)
      var current = base
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        if let other = try RandomValues.patch(&random) { current = (try? other.applied(to: current)) ?? current }
      }
      guard let patch = try RandomValues.patch(&random), case .merged(let entity) = rebase(patch, base, current) else { continue }
      #expect(try Fields(entity.fields.sorted) == entity.fields, "seed \(seed)")
      for field in current.sorted where !patch.entries.contains(where: { $0.name.overlaps(field.name) }) {
        #expect(entity.fields[field.name] == field.value, "seed \(seed), \(field.name)")
      }
      for entry in patch.entries {
        guard case .set(let value) = entry.operation, base[entry.name] != value else { continue }
        #expect(entity.fields[entry.name] == value, "seed \(seed), \(entry.name)")
      }
    }
  }

  @Test func staleEditOfALastWriterFieldWinsOnlyIfItIsLater() throws {
    func stamp(_ time: Int64, _ operation: UInt64) -> EditStamp {
      EditStamp(editedAt: Timestamp(rawValue: time), operation: OperationID(rawValue: Bytes16(high: 0, low: operation)))
    }
    let (base, current) = (try fields(["a": .int(1)]), try fields(["a": .int(2)]))
    let write = try patch(["a": .set(.int(3))])
    var stamps = FieldStamps()
    stamps[try name("a")] = stamp(10, 1)
    func rebased(_ stamp: EditStamp?, from base: Fields) throws -> MergedEntity {
      var budget = MergeBudget.unlimited
      let result = PatchRebase.rebase(
        write, base: base, current: current, kinds: { _ in .lastWriter }, stamp: stamp, currentStamps: stamps, budget: &budget)
      guard case .merged(let entity) = result else { throw RandomValues.Missing() }
      return entity
    }
    let later = try rebased(stamp(11, 2), from: base)
    #expect(try later.fields == (fields(["a": .int(3)])) && later.stamps[try name("a")] == stamp(11, 2))
    let earlier = try rebased(stamp(9, 2), from: base)
    #expect(earlier.fields == current && earlier.stamps == stamps)
    #expect(try rebased(nil, from: base).fields == current)
    // Made against the current value with a clock that is behind: it is later all the same.
    let behind = try rebased(stamp(9, 2), from: current)
    #expect(try behind.fields == (fields(["a": .int(3)])) && behind.stamps[try name("a")] == stamp(11, 2))
  }
}
