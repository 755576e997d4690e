/// Words that have no place in a file that is kept.
enum WordRules {
  /// No paths of one machine.
  @Sendable static func machinePaths(_ path: String, _ text: String) -> [Finding] {
    matches(path, text, ["/work/", "/tmp/", "/tmp\"", "/root/", "/root\""], "a path of one machine") { line, start in
      // Part of a longer path, as in `frame/work/` or `$HOME/tmp/`.
      guard start > line.startIndex else { return true }
      let before = line[line.index(before: start)]
      return !(before.isLetter || before.isNumber || "_-.}/)".contains(before))
    }
  }

  /// Nothing left for later without a home, nothing about how the work was organised.
  @Sendable static func leftovers(_ path: String, _ text: String) -> [Finding] {
    let lower = text.lowercased()
    return matches(path, text, ["TODO", "FIXME", "XXX"], "work left undone belongs in no file", isWord)
      + matches(
        path, lower, ["issue #", "this session", "previous session", "claude", "chatgpt", "language model"],
        "says how the work was organised, not what it is", isWord)
  }

  @Sendable private static func isWord(_ line: Substring, _ start: String.Index) -> Bool {
    guard start > line.startIndex else { return true }
    return !line[line.index(before: start)].isLetter
  }

  private static func matches(
    _ path: String, _ text: String, _ words: [String], _ message: String,
    _ isMeant: (_ line: Substring, _ start: String.Index) -> Bool
  ) -> [Finding] {
    guard words.contains(where: { text.contains($0) }) else { return [] }
    return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
      words.filter { word in line.ranges(of: word).contains { isMeant(line, $0.lowerBound) } }
        .map { Finding(path: path, line: index + 1, message: "'\($0)': \(message)") }
    }
  }
}
