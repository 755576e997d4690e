/// Merges two changes of one text by lines, after the published algorithm of diff3 (Khanna, Kunal, Pierce: "A Formal
/// Investigation of Diff3", 2007).
///
/// Lines end at line feeds; a text without any is one line. Lines that both sides kept are fixed points. Between two of them,
/// what one side left as it was is taken from the other, and what both changed in the same way is taken once. Anything else
/// overlaps; so changes of neighbouring lines do, because no unchanged line stands between them.
///
/// ```
/// base   a b c d e        mine  a B c d e        theirs  a b c e f        merged  a B c e f
/// ```
enum TextMerge {
  /// The merged text; `nil` when changes overlap, or a limit of `MergeLimits` or the budget is passed.
  static func merge(base: String, mine: String, theirs: String, budget: inout MergeBudget) -> String? {
    guard !budget.isSpent else { return nil }
    var table = LineTable()
    guard let base = table.read(base), let mine = table.read(mine), let theirs = table.read(theirs),
      budget.spend(base.count + mine.count + theirs.count),
      let inMine = LineMatch.partners(of: base, in: mine, budget: &budget),
      let inTheirs = LineMatch.partners(of: base, in: theirs, budget: &budget),
      let merged = merge(base: base, mine: mine, theirs: theirs, inMine: inMine, inTheirs: inTheirs)
    else { return nil }
    return table.text(of: merged)
  }

  private static func merge(base: [Int], mine: [Int], theirs: [Int], inMine: [Int?], inTheirs: [Int?]) -> [Int]? {
    var result: [Int] = []
    result.reserveCapacity(Swift.max(mine.count, theirs.count))
    var (baseStart, mineStart, theirsStart) = (0, 0, 0)
    for (index, line) in base.enumerated() {
      guard let mineEnd = inMine[index], let theirsEnd = inTheirs[index] else { continue }
      guard let part = choose(base[baseStart..<index], mine[mineStart..<mineEnd], theirs[theirsStart..<theirsEnd]) else {
        return nil
      }
      result += part
      result.append(line)
      (baseStart, mineStart, theirsStart) = (index + 1, mineEnd + 1, theirsEnd + 1)
    }
    guard let rest = choose(base[baseStart...], mine[mineStart...], theirs[theirsStart...]) else { return nil }
    return result + rest
  }

  /// What stands between two fixed points; `nil` when both sides changed it, differently.
  private static func choose(_ base: ArraySlice<Int>, _ mine: ArraySlice<Int>, _ theirs: ArraySlice<Int>) -> ArraySlice<Int>? {
    if mine == base { return theirs }
    return theirs == base || theirs == mine ? mine : nil
  }
}

/// Gives every different line one number, so that lines are compared as numbers.
private struct LineTable {
  private struct Line: Hashable {
    var bytes: ArraySlice<UInt8>
    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
  }

  private var numbers: [Line: Int] = [:]
  private var lines: [ArraySlice<UInt8>] = []

  /// The numbers of a text's lines; `nil` when there are too many.
  mutating func read(_ text: String) -> [Int]? {
    // By bytes: a carriage return and a line feed are one Character in Swift.
    let bytes = [UInt8](text.utf8)
    let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: MergeLimits.textLinesMax, omittingEmptySubsequences: false)
    guard parts.count <= MergeLimits.textLinesMax else { return nil }
    return parts.map { number(of: Line(bytes: $0)) }
  }

  private mutating func number(of line: Line) -> Int {
    if let known = numbers[line] { return known }
    numbers[line] = lines.count
    lines.append(line.bytes)
    return lines.count - 1
  }

  func text(of numbers: [Int]) -> String {
    let parts = numbers.map { lines[$0] }
    return String(decoding: Array(parts.joined(separator: [UInt8(ascii: "\n")])), as: UTF8.self)
  }
}
