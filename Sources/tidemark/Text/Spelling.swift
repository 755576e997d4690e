import ArgumentParser

/// Finds the command somebody meant.
enum Spelling {
  /// What is wrong with the words that name a command; `nil` when they name one, or when something else must judge.
  static func check(_ arguments: [String], root: any ParsableCommand.Type) -> CommandFailure? {
    var command = root
    var path = [name(of: root)]
    var words = arguments[...]
    var isHelp = false
    if words.first == "help" {
      isHelp = true
      words = words.dropFirst()
    }
    while let word = words.popFirst(), !word.hasPrefix("-"), command.configuration.defaultSubcommand == nil || isHelp {
      let commands = command.configuration.subcommands
      guard !commands.isEmpty else { return nil }
      guard let next = commands.first(where: { name(of: $0) == word }) else {
        return unknown(word, of: commands, path, isHelp: isHelp)
      }
      command = next
      path.append(word)
    }
    return nil
  }

  private static func unknown(
    _ word: String, of commands: [any ParsableCommand.Type], _ path: [String], isHelp: Bool
  ) -> CommandFailure {
    let known = commands.filter { $0.configuration.shouldDisplay }.map(name)
    let near = nearest(word, known)
    let here = path.joined(separator: " ")
    var advice = [near.isEmpty ? "It has: \(known.joined(separator: ", "))" : "Did you mean \(choice(near))?"]
    if !near.isEmpty || isHelp { advice.append("To see all commands: \(here) --help") }
    return .usage("'\(here)' has no command '\(word)'.", advice: advice)
  }

  private static func choice(_ words: [String]) -> String { words.map { "'\($0)'" }.joined(separator: " or ") }

  /// The words that differ least, when they differ little enough to be meant.
  static func nearest(_ word: String, _ known: [String]) -> [String] {
    let limit = word.count <= 3 ? 2 : max(2, word.count / 3)
    let ranked = known.map { (name: $0, distance: distance(Array(word.prefix(100)), Array($0.prefix(100)))) }
    guard let best = ranked.map(\.distance).min(), best <= limit, best < word.count else {
      return known.filter { !word.isEmpty && $0.hasPrefix(word) }
    }
    return ranked.filter { $0.distance == best }.map(\.name)
  }

  /// How many letters must be added, taken away, changed or swapped with a neighbour.
  static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      before = previous
      previous = row
    }
    return previous[b.count]
  }

  private static func name(of command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? "\(command)".lowercased()
  }
}
