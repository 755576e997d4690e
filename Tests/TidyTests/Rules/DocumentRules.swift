/// Documents that stay true and find each other.
enum DocumentRules {
  static let decisionHeadings = ["## Objective", "## Choice", "## Alternatives", "## How it is tested"]
  private static let decisionLinesMax = 80

  /// A decision is one page with the four headings, in their order.
  @Sendable static func decision(_ path: String, _ text: String) -> [Finding] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var found: [Finding] = []
    if lines.count > decisionLinesMax { found.append(Finding(path: path, line: 0, message: "is longer than one page")) }
    let headings = lines.filter { $0.hasPrefix("## ") }.map(String.init)
    if headings != decisionHeadings {
      found.append(Finding(path: path, line: 0, message: "its headings are \(headings), not \(decisionHeadings)"))
    }
    return found
  }

  /// Links to files of this repository lead somewhere.
  static func links(_ path: String, _ text: String, exists: (String) -> Bool) -> [Finding] {
    let folder = path.split(separator: "/").dropLast().joined(separator: "/")
    return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
      line.split(separator: "](", omittingEmptySubsequences: false).dropFirst().compactMap { rest -> Finding? in
        let target = String(rest.prefix { $0 != ")" && $0 != "#" && $0 != " " })
        guard !target.isEmpty, !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
        let place = folder.isEmpty ? target : "\(folder)/\(target)"
        return exists(place) ? nil : Finding(path: path, line: index + 1, message: "leads to \(target), which is not there")
      }
    }
  }

  /// The first page names the two commands everybody needs.
  @Sendable static func firstPage(_ path: String, _ text: String) -> [Finding] {
    ["make run", "make test"].filter { !text.contains($0) }.map {
      Finding(path: path, line: 0, message: "does not mention `\($0)`")
    }
  }

  /// A bug's row says what, how it was found, and the command that reproduces it.
  @Sendable static func bugs(_ path: String, _ text: String) -> [Finding] {
    let rows = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().filter { $0.element.hasPrefix("|") }
    return rows.compactMap { index, line in
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
      let isComplete = cells.count == 3 && cells.allSatisfy { $0.contains { $0 != " " } }
      return isComplete ? nil : Finding(path: path, line: index + 1, message: "a row needs: what, how found, reproduced by")
    }
  }

  // MARK: Doc comments

  /// Members whose meaning is the protocol's that asks for them.
  private static let documentedElsewhere: Set<String> = [
    "Code", "Kind", "allCases", "count", "debugDescription", "description", "encode", "errorDescription", "hash", "isEmpty",
    "makeAsyncIterator", "next",
    "rawValue",
  ]
  private static let keywords: Set<Substring> = [
    "actor", "class", "enum", "func", "macro", "protocol", "struct", "subscript", "typealias", "var",
  ]
  private static let modifiers: Set<Substring> = [
    "borrowing", "consuming", "dynamic", "final", "indirect", "mutating", "nonisolated", "override", "static", "unowned", "weak",
  ]

  /// Public types, functions and computed properties have a doc comment.
  ///
  /// Stored properties, initialisers and cases may speak for themselves; operators and the members of well-known protocols do.
  @Sendable static func docComments(_ path: String, _ text: String) -> [Finding] {
    let code = CodeText(text).lines
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.drop { $0 == " " } }
    return code.indices.compactMap { index in
      var words = code[index].split(separator: " ")[...]
      while let first = words.first, first.hasPrefix("@") { words.removeFirst() }
      guard words.popFirst() == "public" else { return nil }
      while let first = words.first,
        modifiers.contains(first) || (first == "class" && keywords.contains(words.dropFirst().first ?? ""))
      {
        words.removeFirst()
      }
      guard let keyword = words.first, let name = declaredName(words), !documentedElsewhere.contains(name) else { return nil }
      if keyword == "var", !code[index].contains("{") { return nil }
      let above = lines[..<index].reversed().first { !$0.hasPrefix("@") }
      if let above, above.hasPrefix("///") || above.hasSuffix("*/") { return nil }
      return Finding(path: path, line: index + 1, message: "public \(keyword) \(name) has no doc comment")
    }
  }

  /// The name behind a keyword; `nil` for what needs no comment.
  private static func declaredName(_ words: ArraySlice<Substring>) -> String? {
    guard let keyword = words.first else { return nil }
    if keyword.hasPrefix("subscript") { return "subscript" }
    guard keywords.contains(keyword), let next = words.dropFirst().first else { return nil }
    let name = next.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
    return name.isEmpty ? nil : String(name)
  }
}
