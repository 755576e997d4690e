/// What could end the process when a peer sends something unforeseen, and what the compiler was told not to check.
enum TrapRules {
  /// Files that may use `precondition`, each with the reason why no peer can reach it.
  static let preconditionFiles: [String: String] = [
    "Sources/TidemarkCore/Values/ByteCoding.swift":
      "the size and the bytes of an encoding are computed from the same value; writing past the end must be impossible",
    "Sources/TidemarkStore/Writer/WorkQueue.swift": "threads are made at start, before anybody is listened to",
    "Sources/TidemarkStorePostgres/PostgresReader.swift":
      "which reads nest is written in this repository, not asked for by a peer",
    "Sources/TidemarkStorePostgres/PostgresSnapshot.swift":
      "a snapshot that outlives its transaction is a mistake in this repository",
    "Sources/TidemarkStorePostgres/PostgresTransaction.swift":
      "a transaction that outlives its write is a mistake in this repository",
    "Sources/TidemarkStorePostgres/PostgresWriter.swift":
      "which writes nest is written in this repository, not asked for by a peer",
    "Sources/TidemarkStoreSQLite/SQLiteReader.swift": "which reads nest is written in this repository, not asked for by a peer",
    "Sources/TidemarkStoreSQLite/SQLiteSnapshot.swift":
      "a snapshot that outlives its transaction is a mistake in this repository",
    "Sources/TidemarkStoreSQLite/SQLiteWriter.swift": "which writes nest is written in this repository, not asked for by a peer",
    "Sources/TidemarkWire/Codec/WireMessage.swift": "the caller makes the buffer from the size that the message itself told",
  ]

  /// Files that may use `unsafelyUnwrapped`, each with the reason.
  static let unwrappingFiles: [String: String] = [
    "Sources/TidemarkWire/Codec/MessageArena+Building.swift": "the address of a buffer that a guard above found not to be empty"
  ]

  private static let forbidden: [(text: String, why: String)] = [
    ("try!", "try! ends the process"),
    ("as!", "as! ends the process"),
    ("fatalError(", "fatalError ends the process"),
    ("preconditionFailure(", "preconditionFailure ends the process"),
    ("assertionFailure(", "assertionFailure ends a debug build and is silent in a release build"),
    ("unowned(unsafe)", "unowned(unsafe) is not checked"),
    ("unsafeBitCast(", "unsafeBitCast is not checked"),
  ]

  /// Code has no unwrapping that traps, and nothing else that ends the process.
  @Sendable static func traps(_ path: String, _ text: String) -> [Finding] {
    CodeText(text).lines.enumerated().flatMap { index, line in
      var found = forbidden.filter { contains(line, $0.text) }.map(\.why)
      if contains(line, "precondition("), preconditionFiles[path] == nil {
        found.append("precondition in a file that is not in TrapRules.preconditionFiles")
      }
      if contains(line, "unsafelyUnwrapped"), unwrappingFiles[path] == nil {
        found.append("unsafelyUnwrapped in a file that is not in TrapRules.unwrappingFiles")
      }
      if hasForceUnwrap(line) { found.append("a force unwrap ends the process") }
      return found.map { Finding(path: path, line: index + 1, message: $0) }
    }
  }

  /// Whether the text stands in the line as a word of its own.
  private static func contains(_ line: String, _ text: String) -> Bool {
    guard let range = line.firstRange(of: text) else { return false }
    guard range.lowerBound > line.startIndex else { return true }
    return !isWord(line[line.index(before: range.lowerBound)])
  }

  private static func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }

  /// Whether there is a `!` directly after an expression or a type, which is no part of `!=`.
  private static func hasForceUnwrap(_ line: String) -> Bool {
    guard line.contains("!") else { return false }
    let characters = Array(line)
    return characters.indices.dropFirst().contains { index in
      guard characters[index] == "!" else { return false }
      let before = characters[index - 1]
      guard isWord(before) || before == ")" || before == "]" || before == "\"" else { return false }
      if index + 1 < characters.count, characters[index + 1] == "=" { return false }
      let word = String(characters[..<index].reversed().prefix { isWord($0) }.reversed())
      return word != "try" && word != "as"
    }
  }

  /// Words that name what protects a value which the compiler was told not to check.
  private static let protections = [
    "lock", "mutex", "loop", "thread", "queue", "constant", "immutable", "made once", "before the value is shared",
  ]

  /// `@unchecked Sendable` and `nonisolated(unsafe)` have a comment directly above that names the lock, the loop or the thread.
  @Sendable static func uncheckedSharing(_ path: String, _ text: String) -> [Finding] {
    let code = CodeText(text).lines
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return code.indices.compactMap { index in
      guard code[index].contains("@unchecked Sendable") || code[index].contains("nonisolated(unsafe)") else { return nil }
      let comment = lines[..<index].reversed().map { $0.drop { $0 == " " } }
        .drop { $0.hasPrefix("@") }.prefix { $0.hasPrefix("//") }.joined(separator: " ").lowercased()
      if protections.contains(where: { comment.contains($0) }) { return nil }
      return Finding(path: path, line: index + 1, message: "no comment above names the lock, loop or thread that protects this")
    }
  }

  /// Tests wait for events, never for time.
  @Sendable static func sleeping(_ path: String, _ text: String) -> [Finding] {
    let isSwift = path.hasSuffix(".swift")
    let lines = isSwift ? CodeText(text).lines : text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    return lines.enumerated().compactMap { index, line in
      let sleeps =
        ["Task.sleep", "Thread.sleep", "time.sleep", "asyncio.sleep"].contains { line.contains($0) }
        || ["sleep(", "usleep(", "nanosleep("].contains { line.contains($0) && contains(line, $0) && !line.contains("." + $0) }
      return sleeps
        ? Finding(path: path, line: index + 1, message: "a test that sleeps is slow or flaky; wait for the event") : nil
    }
  }
}
