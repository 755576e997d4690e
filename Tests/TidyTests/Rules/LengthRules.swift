/// Limits on size that keep files and functions readable.
enum LengthRules {
  static let fileLinesMax = 400
  static let functionLinesMax = 70

  /// A file has at most `fileLinesMax` lines.
  @Sendable static func fileLength(_ path: String, _ text: String) -> [Finding] {
    let count = text.split(separator: "\n", omittingEmptySubsequences: false).count - (text.hasSuffix("\n") ? 1 : 0)
    guard count > fileLinesMax else { return [] }
    return [Finding(path: path, line: 0, message: "has \(count) lines; at most \(fileLinesMax). Split it by concern")]
  }

  /// A function's body ends at most `functionLinesMax` lines after its first line.
  @Sendable static func functionLength(_ path: String, _ text: String) -> [Finding] {
    let lines = CodeText(text).lines
    return lines.indices.compactMap { first in
      guard startsFunction(lines[first]), let last = endOfBody(lines, from: first) else { return nil }
      let count = last - first + 1
      guard count > functionLinesMax else { return nil }
      return Finding(path: path, line: first + 1, message: "a function of \(count) lines; at most \(functionLinesMax)")
    }
  }

  private static func startsFunction(_ line: String) -> Bool {
    line.contains("func ") || line.contains("init(") || line.contains("init<") || line.contains("deinit ")
  }

  /// The line on which the body's braces close; `nil` for a requirement or a call, which has no body.
  private static func endOfBody(_ lines: [String], from first: Int) -> Int? {
    var parentheses = 0
    var braces = 0
    for index in first..<lines.count {
      for character in lines[index] {
        switch character {
        case "(": parentheses += 1
        case ")": parentheses -= 1
        case "{" where parentheses == 0 || braces > 0: braces += 1
        case "}" where braces > 0:
          braces -= 1
          if braces == 0 { return index }
        case "}" where parentheses == 0: return nil
        default: break
        }
        if parentheses < 0, braces == 0 { return nil }
      }
      let isBlank = lines[index].allSatisfy { $0 == " " }
      if isBlank, braces == 0, parentheses == 0 { return nil }
    }
    return nil
  }
}
