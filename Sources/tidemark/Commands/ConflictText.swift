import TidemarkClient
import TidemarkCore

/// Tells a person why a write was refused: what, who and when, then the commands that repair it.
enum ConflictText {
  /// - Parameter arguments: the command as it was given, for the commands to repeat.
  static func text(_ outcome: Outcome, arguments: [String] = CommandLine.arguments) throws -> String {
    var lines = ["\(outcome.code.word.spaced): \(outcome.message)"]
    lines += outcome.violations.map { violation in
      "  " + (violation.field.map { "\($0): " } ?? "") + violation.message
    }
    if let conflict = outcome.conflict { lines += story(of: conflict) }
    if outcome.isReplay { lines.append("This is the answer given to this write before; it was not judged again.") }
    lines += advice(for: outcome, arguments)
    return lines.joined(separator: "\n")
  }

  private static func story(of conflict: Conflict) -> [String] {
    var lines: [String] = []
    if let current = conflict.current {
      let state = current.life == .alive ? "changed" : "deleted"
      lines.append(
        "  version \(current.version) was \(state) by \(current.updated.by) "
          + "at \(TimeText.format(current.updated.at))")
    }
    let overlapping = Set(conflict.overlapping)
    for change in conflict.changes {
      let who = "version \(change.version) by \(change.changed.by) at \(TimeText.format(change.changed.at))"
      let values = "\(show(change.before)) -> \(show(change.after))"
      lines.append("  \(change.name): \(values)  (\(who))" + (overlapping.contains(change.name) ? "  you change it too" : ""))
    }
    if conflict.isTruncated { lines.append("  (more changed than could be told)") }
    return lines
  }

  /// A value on one line; `(absent)` for none.
  static func show(_ value: Value?) -> String {
    guard let value else { return "(absent)" }
    if case .string(let text) = value { return Sanitized.cut(Sanitized.text("\"\(text)\""), to: 60) }
    return Sanitized.cut(value.json.value.cell, to: 60)
  }

  private static func advice(for outcome: Outcome, _ arguments: [String]) -> [String] {
    guard let id = outcome.id else { return [] }
    let get = command(["get", outcome.type.text, id.text], like: arguments)
    switch outcome.code {
    case .conflict, .epochChanged, .purged:
      var lines = ["To see it as it is:        \(get)" + (isDeleted(outcome) ? " --include-deleted" : "")]
      if isDeleted(outcome), let version = outcome.version {
        let restore = command(["restore", outcome.type.text, id.text, "--expected", "\(version)"], like: arguments)
        lines.append("To bring it back:          \(restore)")
      } else if let version = outcome.version {
        lines.append("To write on top of it:     \(repeated(arguments, expecting: version))")
      }
      return lines
    case .alreadyExists, .uniqueViolation: return ["To see it as it is:        \(get)"]
    case .notFound:
      guard let version = outcome.version else { return [] }
      let restore = command(["restore", outcome.type.text, id.text, "--expected", "\(version)"], like: arguments)
      return ["To bring it back:          \(restore)"]
    case .applied, .unchanged, .merged, .referenceViolation, .invalid, .forbidden, .vetoed, .receiptExpired, .aborted: return []
    }
  }

  private static func isDeleted(_ outcome: Outcome) -> Bool {
    outcome.conflict?.current.map { $0.life != .alive } ?? false
  }

  /// The options of this command that say which server and space are meant, and as whom.
  private static let serverOptions: Set<String> = ["--url", "--context", "--space", "--token-file"]

  /// Another command for the same server.
  private static func command(_ words: [String], like arguments: [String]) -> String {
    var kept: [String] = []
    var rest = arguments.dropFirst()
    while let word = rest.popFirst(), word != "--" {
      let name = String(word.prefix { $0 != "=" })
      guard serverOptions.contains(name) else { continue }
      kept.append(word)
      if name == word, let value = rest.popFirst() { kept.append(value) }
    }
    return ShellText.join(["tidemark"] + words + kept)
  }

  /// The same command, written against another version.
  private static func repeated(_ arguments: [String], expecting version: EntityVersion) -> String {
    var words = ["tidemark"]
    var rest = arguments.dropFirst()
    while let word = rest.popFirst() {
      let name = String(word.prefix { $0 != "=" })
      guard ["--expected", "--expected-current", "--operation"].contains(name) else {
        words.append(word)
        continue
      }
      if name == word, name != "--expected-current" { _ = rest.popFirst() }
    }
    let end = words.firstIndex(of: "--") ?? words.endIndex
    words.insert(contentsOf: ["--expected", "\(version)"], at: end)
    return ShellText.join(words)
  }
}

/// Words as a POSIX shell reads them.
enum ShellText {
  static func join(_ words: [String]) -> String { words.map(quote).joined(separator: " ") }

  static func quote(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.utf8.allSatisfy { isPlainByte($0) }
    return isPlain ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }

  private static func isPlainByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "-_./:=@%+,".utf8.contains(byte)
    }
  }
}

extension String {
  /// A stable word as people read it.
  var spaced: String { String(map { $0 == "_" ? " " : $0 }) }
}
