import Testing
import TidemarkCore
import TidemarkTesting

@Suite struct FieldsTests {
  @Test func canonicalEncodingRoundTrips() throws {
    for seed in 0..<500 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let fields = try RandomValues.fields(&random)
      let encoded = CanonicalFields(fields)
      #expect(try encoded.decoded() == fields, "seed \(seed)")
      #expect(CanonicalFields(try encoded.decoded()).bytes == encoded.bytes, "seed \(seed)")
    }
  }

  @Test func damagedEncodingNeverTraps() throws {
    for seed in 0..<300 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var bytes = CanonicalFields(try RandomValues.fields(&random)).bytes
      guard !bytes.isEmpty else { continue }
      for _ in 0..<3 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
      bytes.removeLast(Int.random(in: 0...min(3, bytes.count), using: &random))
      _ = try? CanonicalFields(unchecked: bytes).decoded()
    }
  }

  @Test func pathAndOneBelowItExcludeEachOther() throws {
    let a = try RandomValues.require(FieldPath("a"))
    let ab = try RandomValues.require(FieldPath("a.b"))
    let aa = try RandomValues.require(FieldPath("aa"))
    var fields = try Fields([Field(a, .int(1)), Field(aa, .int(2))])
    fields.set(ab, .int(3))
    #expect(fields.sorted.map(\.name) == [ab, aa])
    fields.set(a, .int(4))
    #expect(fields.sorted.map(\.name) == [a, aa])
    #expect(throws: Violation.self) { try Fields([Field(a, .null), Field(ab, .null)]) }
    #expect(throws: Violation.self) { try Fields([Field(a, .null), Field(a, .null)]) }
  }

  @Test func unsetRemovesEverythingBelow() throws {
    let a = try RandomValues.require(FieldPath("a"))
    let names = try ["a.b", "a.c.d", "a0", "b"].map { try RandomValues.require(FieldPath($0)) }
    var fields = try Fields(names.map { Field($0, .null) })
    fields.unset(a)
    #expect(fields.sorted.map(\.name.text) == ["a0", "b"])
  }

  @Test(arguments: ["", ".", "a.", ".a", "a..b", "1a", "a.1", "a b", "ä", String(repeating: "a", count: 64)])
  func badFieldNamesAreRefused(text: String) { #expect(FieldPath(text) == nil) }

  @Test func canonicallyEquivalentIdsStayApart() throws {
    let composed = try RandomValues.require(EntityID("\u{E9}"))
    let decomposed = try RandomValues.require(EntityID("e\u{301}"))
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
  }
}

@Suite struct PatchTests {
  @Test func patchingBytesIsPatchingFields() throws {
    for seed in 0..<3_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let fields = try RandomValues.fields(&random)
      guard let patch = try RandomValues.patch(&random) else { continue }
      let expected = Result { try patch.applied(to: fields) }.map { CanonicalFields($0) }
      switch (expected, try CanonicalFields(fields).patched(by: patch)) {
      case (.success(let slow), .success(let fast)): #expect(slow == fast, "seed \(seed)")
      case (.failure(let slow), .failure(let fast)): #expect(slow as? Violation == fast, "seed \(seed)")
      default: Issue.record("one is refused, seed \(seed)")
      }
    }
  }

  @Test func patchingDamagedBytesNeverTraps() throws {
    for seed in 0..<2_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var bytes = CanonicalFields(try RandomValues.fields(&random)).bytes
      guard !bytes.isEmpty, let patch = try RandomValues.patch(&random) else { continue }
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      bytes.removeLast(Int.random(in: 0...min(3, bytes.count), using: &random))
      _ = try? CanonicalFields(unchecked: bytes).patched(by: patch)
    }
  }

  private let n = FieldPath("n")

  @Test func incrementCountsAbsentAsZeroAndChecksKindAndRange() throws {
    let name = try RandomValues.require(n)
    let patch = try Patch([.init(name, .incrementInt(2))])
    #expect(try patch.applied(to: Fields())[name] == .int(2))
    #expect(try patch.applied(to: Fields([Field(name, .int(5))]))[name] == .int(7))
    #expect(try patch.applied(to: Fields([Field(name, .null)]))[name] == .int(2))
    #expect(throws: Violation.self) { try patch.applied(to: Fields([Field(name, .int(.max))])) }
    #expect(throws: Violation.self) { try patch.applied(to: Fields([Field(name, .string("5"))])) }
    #expect(throws: Violation.self) { try patch.applied(to: Fields([Field(name, .double(5))])) }
  }

  @Test func overlappingOperationsAreRefused() throws {
    let a = try RandomValues.require(FieldPath("a"))
    let ab = try RandomValues.require(FieldPath("a.b"))
    #expect(throws: Violation.self) { try Patch([.init(a, .unset), .init(ab, .set(.null))]) }
    #expect(throws: Violation.self) { try Patch([.init(a, .unset), .init(a, .set(.null))]) }
    #expect(throws: Violation.self) { try Patch([]) }
  }
}

@Suite struct JSONTextTests {
  @Test(arguments: [
    "{}", "[]", " [1, -0.5e+10, \"\\u00e9\\n\", true, false, null] ", "{\"a\":{\"b\":[{}]}}", "0", "\"\"", "-1",
  ])
  func documentsAreValid(text: String) { #expect(JSONText.isValid(text)) }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "+1", "nul", "\"", "\"\\x\"", "\"\n\"", "[1] 2", "{1:2}", "- 1",
    "\"\\u12g4\"",
  ])
  func otherTextsAreNot(text: String) { #expect(!JSONText.isValid(text)) }

  @Test func nestingIsLimited() {
    let deepest = Limits.jsonDepthMax
    #expect(JSONText.isValid(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)))
    #expect(!JSONText.isValid(String(repeating: "[", count: deepest + 1) + String(repeating: "]", count: deepest + 1)))
    #expect(!JSONText.isValid(String(repeating: "[", count: 100_000)))
  }
}
