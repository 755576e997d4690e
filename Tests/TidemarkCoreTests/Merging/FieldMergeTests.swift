import Testing
import TidemarkCore

@Suite struct FieldMergeTests {
  private func counter(_ base: Value?, _ mine: Value?, _ theirs: Value?) -> FieldMergeResult {
    FieldMerge.merge(.counter, base: base, mine: mine, theirs: theirs)
  }

  @Test func registerOverlapsWhenBothChangedItDifferently() {
    #expect(FieldMerge.merge(.register, base: .int(1), mine: .int(2), theirs: .int(3)) == .overlap)
    #expect(FieldMerge.merge(.register, base: .int(1), mine: nil, theirs: .int(3)) == .overlap)
    #expect(FieldMerge.merge(.register, base: .int(1), mine: nil, theirs: nil) == .value(nil))
  }

  @Test func twoPeopleWhoAddOneHaveAddedTwo() {
    #expect(counter(.int(5), .int(6), .int(6)) == .value(.int(7)))
    #expect(counter(nil, .int(1), .int(1)) == .value(.int(2)))
    #expect(counter(.null, .double(0.5), .double(0.25)) == .value(.double(0.75)))
  }

  @Test func counterOutsideItsRangeOverlaps() {
    #expect(counter(.int(0), .int(.max), .int(1)) == .overlap)
    #expect(counter(.int(.min), .int(.max), .int(.min + 1)) == .overlap)
    #expect(counter(.int(.max), .int(.min), .int(.max - 1)) == .overlap)
    // Both differences leave 64 bits on the way; the sum does not.
    #expect(counter(.int(.max), .int(0), .int(.max - 1)) == .value(.int(-1)))
    #expect(counter(.double(0), .double(.greatestFiniteMagnitude), .double(.greatestFiniteMagnitude)) == .overlap)
    #expect(counter(.double(0), .double(.nan), .double(1)) == .overlap)
    #expect(counter(.double(0), .double(-.infinity), .double(.infinity)) == .overlap)
    #expect(counter(.int(0), .int(1), .double(1)) == .overlap)
    #expect(counter(.int(5), nil, .int(6)) == .overlap)
    #expect(counter(.string("5"), .int(1), .int(2)) == .overlap)
  }

  @Test func setKeepsTheOrderOfTheBaseAndSortsWhatWasAdded() {
    func list(_ values: Int64...) -> Value { .list(values.map { .int($0) }) }
    #expect(
      FieldMerge.merge(.set, base: list(3, 1, 2), mine: list(3, 2, 9, 7), theirs: list(3, 1, 8)) == .value(list(3, 7, 8, 9)))
    #expect(FieldMerge.merge(.set, base: nil, mine: list(2), theirs: list(1)) == .value(list(1, 2)))
    #expect(FieldMerge.merge(.set, base: list(1), mine: list(), theirs: list(1, 2)) == .value(list(2)))
    #expect(FieldMerge.merge(.set, base: list(1), mine: nil, theirs: list(1, 2)) == .overlap)
  }

  @Test func setThatGrowsTooLargeOverlaps() {
    let half = Int64(Limits.listElementsMax / 2)
    let mine = Value.list((0...half).map { .int($0) })
    let theirs = Value.list((1...half).map { .int(-$0) })
    #expect(FieldMerge.merge(.set, base: .list([]), mine: mine, theirs: theirs) == .overlap)
  }

  @Test func extremesFollowTheTotalOrder() {
    func greater(_ a: Value, _ b: Value) -> FieldMergeResult { FieldMerge.merge(.max, base: nil, mine: a, theirs: b) }
    #expect(greater(.double(-0.0), .double(0.0)) == .value(.double(0.0)))
    #expect(greater(.double(.nan), .double(.infinity)) == .value(.double(.nan)))
    #expect(greater(.double(-.infinity), .double(bits: ~0)) == .value(.double(-.infinity)))
    #expect(greater(.string("é"), .string("z")) == .value(.string("é")))
    #expect(greater(.int(.min), .int(.max)) == .value(.int(.max)))
    #expect(greater(.int(1), .double(2)) == .overlap)
    #expect(FieldMerge.merge(.min, base: .int(5), mine: .int(3), theirs: .int(9)) == .value(.int(3)))
  }

  @Test func laterEditWinsAlsoWhenItRemoves() {
    let early = EditStamp(editedAt: Timestamp(rawValue: 1), operation: OperationID(rawValue: Bytes16(high: 0, low: 9)))
    let tie = EditStamp(editedAt: Timestamp(rawValue: 1), operation: OperationID(rawValue: Bytes16(high: 1, low: 0)))
    func merge(_ mine: EditStamp?, _ theirs: EditStamp?) -> FieldMergeResult {
      FieldMerge.merge(.lastWriter, base: .int(0), mine: nil, theirs: .int(2), mineStamp: mine, theirsStamp: theirs)
    }
    #expect(merge(tie, early) == .value(nil))
    #expect(merge(early, tie) == .value(.int(2)))
    #expect(merge(early, nil) == .value(nil))
    #expect(merge(nil, nil) == .overlap)
    #expect(merge(early, early) == .overlap)
  }

  @Test func withoutBaseOnlyKindsThatIgnoreItMerge() {
    #expect(FieldMerge.mergeWithoutBase(.max, mine: .int(1), theirs: .int(2)) == .value(.int(2)))
    #expect(FieldMerge.mergeWithoutBase(.register, mine: nil, theirs: .int(2)) == .overlap)
    #expect(FieldMerge.mergeWithoutBase(.counter, mine: .int(1), theirs: .int(2)) == .overlap)
    #expect(FieldMerge.mergeWithoutBase(.set, mine: .list([]), theirs: .list([.null])) == .overlap)
  }
}
