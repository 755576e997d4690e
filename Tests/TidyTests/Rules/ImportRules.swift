/// Arrows between modules point downward only (docs/ARCHITECTURE.md, the module map).
enum ImportRules {
  /// What a module may import besides the standard library. A module that is not listed may import what Package.swift gives it.
  private static let allowed: [String: Set<String>] = [
    "TidemarkCore": [],
    "TidemarkWire": ["TidemarkCore", "CTidemarkWire", "CTidemarkProtobufC", "CTidemarkZlib", "Synchronization"],
    "TidemarkStore": ["TidemarkCore", "Crypto", "Glibc", "Musl", "Synchronization"],
    "TidemarkSQLite": ["CTidemarkSQLite", "Glibc", "Musl", "Synchronization"],
    "TidemarkStoreSQLite": ["TidemarkCore", "TidemarkStore", "TidemarkSQLite", "Glibc", "Musl", "Synchronization"],
    "TidemarkPostgres": ["CTidemarkPostgres", "Glibc", "Musl"],
    "TidemarkStorePostgres": ["TidemarkCore", "TidemarkStore", "TidemarkPostgres", "Glibc", "Musl", "Synchronization"],
  ]

  /// What a module may not import, with the reason.
  private static let forbidden: [(modules: Set<String>, imports: Set<String>, why: String)] = [
    (
      ["TidemarkTransport", "TidemarkServer"], ["Foundation", "FoundationEssentials"],
      "Foundation costs memory and start time in the daemon's path"
    ),
    (
      ["TidemarkTransport", "TidemarkClient"], ["TidemarkStore", "TidemarkServer"],
      "clients and codecs know nothing of how entities are stored"
    ),
  ]

  private static let engines: Set<String> = ["TidemarkStoreSQLite", "TidemarkStorePostgres"]

  /// A module imports only what its place allows, and only tidemarkd and the simulator name engines.
  @Sendable static func imports(_ path: String, _ text: String) -> [Finding] {
    guard let module = module(of: path) else { return [] }
    return CodeText(text).lines.enumerated().flatMap { index, line in
      guard let name = importedModule(line) else { return [Finding]() }
      var reasons = forbidden.filter { $0.modules.contains(module) && $0.imports.contains(name) }.map(\.why)
      if let names = allowed[module], !names.contains(name) {
        reasons.append("it is not among what ImportRules allows \(module)")
      }
      if engines.contains(name), !["tidemarkd", "TidemarkSimulator", name].contains(module) {
        reasons.append("only tidemarkd and the simulator name engines")
      }
      return reasons.map { Finding(path: path, line: index + 1, message: "imports \(name): \($0)") }
    }
  }

  /// The module a source file belongs to: the folder below `Sources`.
  private static func module(of path: String) -> String? {
    let parts = path.split(separator: "/")
    guard let sources = parts.firstIndex(of: "Sources"), sources + 2 < parts.count else { return nil }
    return String(parts[sources + 1])
  }

  /// The module that a line imports, without what follows a dot; `nil` when it imports none.
  private static func importedModule(_ line: String) -> String? {
    var words = line.split(separator: " ")
    while let first = words.first, first.hasPrefix("@") || accessLevels.contains(first) { words.removeFirst() }
    guard words.count >= 2, words[0] == "import" else { return nil }
    let kinds: Set<Substring> = ["class", "enum", "func", "let", "protocol", "struct", "typealias", "var"]
    let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
    return name.split(separator: ".").first.map(String.init)
  }

  private static let accessLevels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]

  // MARK: Package.swift

  /// The layer of each target, from 0. A target depends on lower layers only.
  private static let layers: [String: Int] = [
    "CTidemarkProtobufC": 0, "CTidemarkSQLite": 0, "CTidemarkPostgres": 0, "CTidemarkZlib": 0, "CTidemarkEpoll": 0,
    "CTidemarkWire": 1,
    "TidemarkCore": 2,
    "TidemarkWire": 3,
    "TidemarkTransport": 4, "TidemarkStore": 4, "TidemarkSQLite": 4, "TidemarkPostgres": 4,
    "TidemarkStoreSQLite": 5, "TidemarkStorePostgres": 5, "TidemarkServer": 5, "TidemarkClient": 5,
    "TidemarkSync": 6,
    "TidemarkTestTraits": 0, "TidemarkTesting": 7, "TidemarkDaemonTesting": 8, "TidemarkSimulator": 8,
    "tidemarkd": 8, "tidemark": 8, "tidemark-sim": 9, "tidemark-bench": 8,
    "writer-bench": 8, "nio_echo": 8,
  ]

  /// The package's targets depend on lower layers only. Test targets, named `…Tests`, and fuzzers, named `fuzz-…`, may use everything.
  @Sendable static func packageArrows(_ path: String, _ text: String) -> [Finding] {
    targets(text).flatMap { name, dependencies, line -> [Finding] in
      if name.hasSuffix("Tests") || name.hasPrefix("fuzz-") { return [] }
      guard let layer = layers[name] else {
        return [Finding(path: path, line: line, message: "target \(name) has no layer in ImportRules.layers")]
      }
      return dependencies.filter { layers[$0].map { $0 >= layer } ?? false }.map {
        Finding(path: path, line: line, message: "\(name) depends on \($0), which is not below it")
      }
    }
  }

  /// The targets with the names of what they depend on. Products of other packages are among these when they are spelt as plain strings.
  private static func targets(_ text: String) -> [(name: String, dependencies: [String], line: Int)] {
    let start = text.firstRange(of: "\n  targets: [")?.upperBound ?? text.startIndex
    let firstLine = text[..<start].count { $0 == "\n" } + 1
    var found: [(name: String, dependencies: [String], line: Int)] = []
    var isInDependencies = false
    for (index, line) in text[start...].split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      var rest = line[...]
      if let range = rest.firstRange(of: "name: \""), !isInDependencies {
        let name = String(rest[range.upperBound...].prefix { $0 != "\"" })
        found.append((name, [], firstLine + index))
        rest = rest[range.upperBound...].drop { $0 != "\"" }.dropFirst()
      }
      if let range = rest.firstRange(of: "dependencies: [") {
        isInDependencies = true
        rest = rest[range.upperBound...]
      }
      guard isInDependencies, !found.isEmpty else { continue }
      let end = rest.firstIndex(of: "]")
      let pieces = rest[..<(end ?? rest.endIndex)].split(separator: "\"", omittingEmptySubsequences: false)
      for (position, piece) in pieces.enumerated() where position % 2 == 1 {
        found[found.count - 1].dependencies.append(String(piece))
      }
      if end != nil { isInDependencies = false }
    }
    return found
  }
}
