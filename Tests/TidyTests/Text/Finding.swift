/// A place where a file breaks a rule.
struct Finding: Hashable, CustomStringConvertible {
  var path: String
  /// From 1; 0 when the whole file is meant.
  var line: Int
  var message: String

  var description: String { line > 0 ? "\(path):\(line): \(message)" : "\(path): \(message)" }
}

/// Looks at one file: its path from the repository's root, and its text.
typealias Rule = @Sendable (_ path: String, _ text: String) -> [Finding]
