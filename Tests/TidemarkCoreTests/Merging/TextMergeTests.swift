import Testing

import TidemarkTesting

@testable import TidemarkCore
import TidemarkTesting

@Suite struct TextMergeTests {
  private func merge(_ base: String, _ mine: String, _ theirs: String) -> FieldMergeResult {
    FieldMerge.merge(.text, base: .string(base), mine: .string(mine), theirs: .string(theirs))
  }

  @Test func linesWithOneBetweenThemMergeAndNeighboursOverlap() {
    #expect(merge("a\nb\nc", "A\nb\nc", "a\nb\nC") == .value(.string("A\nb\nC")))
    #expect(merge("a\nb\nc", "A\nb\nc", "a\nB\nc") == .overlap)
    #expect(merge("a\nb", "A\nb", "a\nb\nc") == .value(.string("A\nb\nc")))
    #expect(merge("a\r\nb\r\nc", "A\r\nb\r\nc", "a\r\nb\r\nc\r\n") == .value(.string("A\r\nb\r\nc\r\n")))
    #expect(merge("", "x", "y") == .overlap)
    #expect(merge("a\nb\nc", "b\nc", "a\nb") == .value(.string("b")))
    #expect(FieldMerge.merge(.text, base: nil, mine: .string("x"), theirs: .string("y")) == .overlap)
  }

  /// Every line of the base is edited, removed, or gets one added behind it by at most one side, and never next to another edit.
  @Test func disjointEditsAreAllKept() {
    for seed in 0..<800 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let count = Int.random(in: 1...60, using: &random)
      var (mine, theirs, both, base): ([String], [String], [String], [String]) = ([], [], [], [])
      for index in 0..<count {
        let line = "line \(index)"
        base.append(line)
        let edited: [String] =
          index % 2 == 0
          ? [line] : [[], ["edit \(index)"], [line, "new \(index)"]].randomElement(using: &random) ?? []
        let isMine = Bool.random(using: &random)
        mine += isMine ? edited : [line]
        theirs += isMine ? [line] : edited
        both += edited
      }
      let result = merge(base.joined(separator: "\n"), mine.joined(separator: "\n"), theirs.joined(separator: "\n"))
      #expect(result == .value(.string(both.joined(separator: "\n"))), "seed \(seed)")
    }
  }

  @Test func keptLinesAreALongestCommonSubsequence() throws {
    for seed in 0..<1_500 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let old = (0..<Int.random(in: 0...14, using: &random)).map { _ in Int.random(in: 0...3, using: &random) }
      let new = (0..<Int.random(in: 0...14, using: &random)).map { _ in Int.random(in: 0...3, using: &random) }
      var budget = MergeBudget.unlimited
      let partners = try #require(LineMatch.partners(of: old, in: new, budget: &budget))
      let kept = zip(old, partners).compactMap { line, partner in partner.map { (line, $0) } }
      #expect(kept.allSatisfy { $0 == new[$1] }, "seed \(seed)")
      #expect(zip(kept, kept.dropFirst()).allSatisfy { $0.1 < $1.1 }, "seed \(seed)")
      #expect(kept.count == longestCommon(old, new), "seed \(seed)")
    }
  }

  /// The length of a longest common subsequence, by the table of all prefixes.
  private func longestCommon(_ old: [Int], _ new: [Int]) -> Int {
    var row = [Int](repeating: 0, count: new.count + 1)
    for line in old {
      var next = [0]
      for (index, other) in new.enumerated() { next.append(line == other ? row[index] + 1 : max(row[index + 1], next[index])) }
      row = next
    }
    return row[new.count]
  }

  @Test func largeTextsMergeWithinTheBoundAndOverlapBeyondIt() {
    let lines = (0..<MergeLimits.textLinesMax).map { "\($0)" }
    var (mine, theirs) = (lines, lines)
    mine[10] = "mine"
    theirs[9_000] = "theirs"
    var both = mine
    both[9_000] = "theirs"
    let base = lines.joined(separator: "\n")
    #expect(
      merge(base, mine.joined(separator: "\n"), theirs.joined(separator: "\n")) == .value(.string(both.joined(separator: "\n"))))
    mine.append("one more")
    #expect(merge(base, mine.joined(separator: "\n"), theirs.joined(separator: "\n")) == .overlap)
    let other = (0..<1_000).map { "other \($0)" }.joined(separator: "\n")
    #expect(merge(base, other, theirs.joined(separator: "\n")) == .overlap)
    let oneLine = String(repeating: "x", count: Limits.entityBytesMax)
    #expect(merge("a\nb\n" + oneLine, "A\nb\n" + oneLine, "a\nb\n" + oneLine + "y") == .value(.string("A\nb\n" + oneLine + "y")))
  }

  /// Texts of two lines repeated have the most ways to match.
  @Test func repetitiveTextsStayWithinTheBound() {
    for seed in 0..<5 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let sides = (0..<3).map { _ in
        (0..<2_000).map { _ in Bool.random(using: &random) ? "a" : "b" }.joined(separator: "\n")
      }
      #expect(merge(sides[0], sides[1], sides[2]) == merge(sides[0], sides[2], sides[1]), "seed \(seed)")
    }
  }
}
