import Testing
import TidemarkCore
import TidemarkTesting

/// Stale writes that ask to be merged.
@Suite struct MergingJudgeTests {
  private static func space() throws -> JudgedSpace {
    func field(_ name: String, _ type: ValueType, _ merge: MergeKind) throws -> FieldSchema {
      FieldSchema(name: try RandomValues.require(FieldPath(name)), type: type, merge: merge)
    }
    let type = TypeSchema(
      name: try RandomValues.require(TypeName("t")),
      fields: [
        try field("title", .string, .register), try field("note", .string, .register), try field("seen", .int, .counter),
        try field("tags", .stringList, .set), try field("status", .string, .lastWriter),
      ])
    let space = JudgedSpace(Schema(types: [type]))
    _ = try space.write(
      space.create(
        "t", "a",
        [
          ("title", .string("one")), ("note", .string("n")), ("seen", .int(1)),
          ("tags", .list([Scalar(.string("x"))].compactMap { $0 })),
          ("status", .string("open")),
        ]))
    return space
  }

  private func merging(_ item: WriteItem, editedAt: Int64? = nil) -> WriteItem {
    var item = item
    item.onConflict = .merge
    item.editedAt = editedAt.map { Timestamp(rawValue: $0) }
    return item
  }

  @Test func changesOfOtherFieldsAreMerged() throws {
    let space = try MergingJudgeTests.space()
    _ = try space.write(space.update("t", "a", 1, [("title", .string("two"))]))
    let outcome = try space.write(merging(space.update("t", "a", 1, [("note", .string("m"))])))
    #expect(outcome.code == .merged && outcome.version?.rawValue == 3)
    #expect(try space.value("t", "a", "title") == .string("two") && space.value("t", "a", "note") == .string("m"))
    #expect(space.log.last?.manner == .merged)
  }

  @Test func overlappingChangesAreAConflict() throws {
    let space = try MergingJudgeTests.space()
    _ = try space.write(space.update("t", "a", 1, [("title", .string("two"))]))
    #expect(try space.write(merging(space.update("t", "a", 1, [("title", .string("three"))]))).code == .conflict)
    #expect(try space.write(merging(space.update("t", "a", 1, [("title", .string("two"))]))).code == .unchanged)
    #expect(try space.write(merging(space.delete("t", "a", 1))).code == .conflict)
  }

  /// Texts of two lines, repeated, take the most steps to compare.
  @Test func theMergesOfOneBulkTakeNoMoreStepsThanTheyMay() throws {
    let text = TypeSchema(
      name: try RandomValues.require(TypeName("t")),
      fields: [FieldSchema(name: try RandomValues.require(FieldPath("text")), type: .string, merge: .text)])
    let space = JudgedSpace(Schema(types: [text]))
    let ids = ["small"] + (0..<100).map { "big\($0)" } + ["late"]
    let texts = (0..<3 as Range<UInt64>).map { seed in
      var random = SeededGenerator(seed: seed)
      return (0..<1_500).map { _ in Bool.random(using: &random) ? "a" : "b" }.joined(separator: "\n")
    }
    func value(_ id: String, _ side: Int, _ small: String) -> (String, Value) {
      ("text", .string(id.hasPrefix("big") ? texts[side] : small))
    }
    _ = try space.write(ids.map { try space.create("t", $0, [value($0, 0, "1\n2\n3")]) })
    _ = try space.write(ids.map { try space.update("t", $0, 1, [value($0, 1, "1\n2\ntheirs")]) })
    let outcomes = try space.write(ids.map { merging(try space.update("t", $0, 1, [value($0, 2, "mine\n2\n3")])) })
    // What comes after it is spent is a conflict like others, and who asked is told why.
    #expect(outcomes.map(\.code) == [.merged] + ids.dropFirst().map { _ in .conflict })
    let told = outcomes.prefix { !$0.message.contains("in another") }
    #expect(told.count > 50 && told.count < 101)
    #expect(outcomes.dropFirst(told.count).allSatisfy { $0.message.contains("in another") })
    #expect(try space.value("t", "late", "text") == .string("1\n2\ntheirs"))
    // In a bulk of its own it merges.
    #expect(try space.write(merging(space.update("t", "late", 1, [("text", .string("mine\n2\n3"))]))).code == .merged)
    #expect(try space.value("t", "late", "text") == .string("mine\n2\ntheirs"))
  }

  @Test func aMergeIsNotHeldAgainstWhatWasWrongBefore() throws {
    let space = try MergingJudgeTests.space()
    _ = try space.write(space.update("t", "a", 1, [("title", .string("two"))]))
    // A stricter schema came later: the note is too long now, and nobody touches it.
    var type = try RandomValues.require(space.schema?.schema.types.first)
    type.fields = type.fields.map { field in
      var field = field
      if field.name.text == "note" { field.lengthMax = 0 }
      return field
    }
    space.schema = CompiledSchema(Schema(types: [type]))
    #expect(try space.write(merging(space.update("t", "a", 1, [("seen", .int(4))]))).code == .merged)
  }

  @Test func countersAndSetsMergeByKind() throws {
    let space = try MergingJudgeTests.space()
    let tags: (String...) -> Value = { .list($0.compactMap { Scalar(.string($0)) }) }
    _ = try space.write(space.update("t", "a", 1, [("seen", .int(5)), ("tags", tags("x", "y"))]))
    let outcome = try space.write(merging(space.update("t", "a", 1, [("seen", .int(3)), ("tags", tags("z"))])))
    #expect(outcome.code == .merged)
    #expect(try space.value("t", "a", "seen") == .int(7))
    let merged = try space.value("t", "a", "tags")
    #expect(merged == tags("y", "z") || merged == tags("z", "y"))
  }

  @Test func theLaterEditWinsAndAClockThatRunsAheadDoesNot() throws {
    let space = try MergingJudgeTests.space()
    space.now = Timestamp(rawValue: 2_000_000)
    var first = try space.update("t", "a", 1, [("status", .string("closed"))])
    first.editedAt = Timestamp(rawValue: 1_500_000)
    _ = try space.write(first)
    let early = try space.write(merging(space.update("t", "a", 1, [("status", .string("early"))]), editedAt: 1_400_000))
    #expect(early.code == .unchanged)
    #expect(try space.value("t", "a", "status") == .string("closed"))
    // A clock set to 2099 counts as now, so whoever edits after now wins again.
    let ahead = try space.write(
      merging(space.update("t", "a", 1, [("status", .string("ahead"))]), editedAt: 4_000_000_000_000_000))
    #expect(ahead.code == .merged)
    #expect(space.log.last?.editedAt == space.now)
    space.now = Timestamp(rawValue: 3_000_000)
    let later = try space.write(merging(space.update("t", "a", 2, [("status", .string("later"))]), editedAt: 2_500_000))
    #expect(later.code == .merged)
    #expect(try space.value("t", "a", "status") == .string("later"))
  }

  @Test func anEntityThatWasMadeAnewIsNotMergedWith() throws {
    let space = JudgedSpace()
    _ = try space.write([
      space.create("t", "a", [("n", .int(1))]), space.delete("t", "a", 1), space.create("t", "a", [("n", .int(1))]),
      space.create("t", "b", [("n", .int(1))]), space.delete("t", "b", 1), space.restore("t", "b", 2),
    ])
    #expect(try space.write(merging(space.update("t", "a", 1, [("n", .int(2))]))).code == .conflict)
    #expect(try space.write(merging(space.update("t", "b", 1, [("n", .int(2))]))).code == .merged)
  }

  @Test func aMergeLooksThroughNoMoreThanItMay() throws {
    let space = JudgedSpace()
    let large = Value.bytes([UInt8](repeating: 7, count: 1_000_000))
    _ = try space.write(space.create("t", "a", [("large", large)]))
    for version: UInt64 in 1...40 { _ = try space.write(space.update("t", "a", version, [("n", .int(Int64(version)))])) }
    #expect(try space.write(merging(space.update("t", "a", 1, [("other", .int(1))]))).code == .conflict)
    #expect(space.changesRead <= 24)
    #expect(try space.write(merging(space.update("t", "a", 35, [("other", .int(1))]))).code == .merged)
  }

  @Test func aMergeLooksThroughNoMoreOfItsOwnBulkThanItMay() throws {
    let space = JudgedSpace()
    _ = try space.write(space.create("t", "a", [("n", .int(0))]))
    let items = try (1...300).map { try merging(space.update("t", "a", 1, [("field\($0)", .int(1))])) }
    let outcomes = try space.write(items)
    // As if each had come alone: the version they were made against is looked for among so many.
    let merged = outcomes.prefix { $0.code.isSuccess }.count
    #expect(merged == Limits.historyPerConflictMax)
    #expect(outcomes.dropFirst(merged).allSatisfy { $0.code == .conflict || $0.code == .aborted })
    // Each looked through all that it may, and that was too much for one bulk.
    #expect(outcomes.last?.code == .aborted)
    #expect(try space.entity("t", "a")?.version.rawValue == UInt64(merged) + 1)
  }

  @Test func aMergeSeesTheItemsBeforeIt() throws {
    let space = try MergingJudgeTests.space()
    let outcomes = try space.write([
      space.update("t", "a", 1, [("title", .string("two"))]), space.update("t", "a", 2, [("seen", .int(4))]),
      merging(space.update("t", "a", 1, [("note", .string("m"))])), merging(space.update("t", "a", 1, [("seen", .int(2))])),
    ])
    #expect(outcomes.map(\.code) == [.applied, .applied, .merged, .merged])
    #expect(try space.value("t", "a", "seen") == .int(5))
  }

  @Test func freeFormFieldsMergeWhenTheyAreOthers() throws {
    let space = JudgedSpace()
    _ = try space.write([space.create("t", "a", [("x", .int(1)), ("y", .int(1))]), space.update("t", "a", 1, [("x", .int(2))])])
    #expect(try space.write(merging(space.update("t", "a", 1, [("y", .int(2))]))).code == .merged)
    #expect(try space.write(merging(space.update("t", "a", 1, [("x", .int(3))]))).code == .conflict)
  }
}
