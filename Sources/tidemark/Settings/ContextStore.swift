import TidemarkClient

/// The named servers a person works with, kept in `$XDG_CONFIG_HOME/tidemark/contexts.json`, readable by the owner only.
struct ContextStore {
  /// One server and space, and how to sign in there.
  struct Context: Equatable {
    var name: String
    var address: ServerAddress
    /// A file that holds the token.
    var tokenFile: String?
    /// The token itself.
    var token: String?
  }

  private(set) var contexts: [Context] = []
  /// The name of the context in use.
  private(set) var current: String?
  let path: String
  /// Whether others than the owner may read the file.
  private(set) var isOpenToOthers = false

  /// The usual place: `nil` when neither XDG_CONFIG_HOME nor HOME is set.
  static var defaultPath: String? {
    if let folder = Environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") { return folder + "/tidemark/contexts.json" }
    return Environment["HOME"].map { $0 + "/.config/tidemark/contexts.json" }
  }

  /// Reads the contexts. A missing file holds none.
  static func load() throws(CommandFailure) -> ContextStore {
    guard let path = defaultPath else {
      throw CommandFailure(.failed, "There is no place for contexts: neither XDG_CONFIG_HOME nor HOME is set.")
    }
    return try ContextStore(path: path)
  }

  init(path: String) throws(CommandFailure) {
    self.path = path
    let text: String
    do {
      (text, isOpenToOthers) = try TextFile.read(path)
    } catch {
      if error.isMissing { return }
      throw CommandFailure(.failed, "\(error.what).")
    }
    try parse(text)
  }

  var currentContext: Context? { current.flatMap { self[$0] } }
  subscript(name: String) -> Context? { contexts.first { $0.name == name } }

  /// Adds a context, or replaces the one of this name. The first one is in use at once.
  mutating func add(_ context: Context) {
    contexts.removeAll { $0.name == context.name }
    contexts.append(context)
    contexts.sort { $0.name < $1.name }
    if current == nil { current = context.name }
  }

  /// - Returns: `false` when there is no such context.
  mutating func use(_ name: String) -> Bool {
    guard self[name] != nil else { return false }
    current = name
    return true
  }

  /// - Returns: `false` when there is no such context.
  mutating func remove(_ name: String) -> Bool {
    guard self[name] != nil else { return false }
    contexts.removeAll { $0.name == name }
    if current == name { current = nil }
    return true
  }

  func save() throws(CommandFailure) {
    let members = contexts.map { context in
      var parts: [JSON.Member] = [.init("url", .string(context.address.description))]
      if let file = context.tokenFile { parts.append(.init("token_file", .string(file))) }
      if let token = context.token { parts.append(.init("token", .string(token))) }
      return JSON.Member(context.name, .object(parts))
    }
    let document = JSON.object([.init("current", .text(current)), .init("contexts", .object(members))])
    do {
      try TextFile.replace(path, with: document.pretty + "\n")
    } catch {
      throw CommandFailure(.failed, "The contexts are not saved: \(error.what).")
    }
  }

  private mutating func parse(_ text: String) throws(CommandFailure) {
    let advice = ["Mend the file, or remove it and add the contexts again."]
    let document: JSON
    do {
      document = try JSONParser.parse(text)
    } catch {
      throw CommandFailure(.failed, "'\(path)' is no JSON: \(error).", advice: advice)
    }
    current = document["current"]?.string
    guard case .object(let members)? = document["contexts"] else {
      throw CommandFailure(.failed, "'\(path)' holds no contexts.", advice: advice)
    }
    for member in members {
      do {
        let address = try ServerAddress(parsing: member.value["url"]?.string ?? "")
        contexts.append(
          Context(
            name: member.name, address: address, tokenFile: member.value["token_file"]?.string,
            token: member.value["token"]?.string))
      } catch {
        throw CommandFailure(.failed, "The context '\(member.name)' in '\(path)' is wrong: \(error)", advice: advice)
      }
    }
  }
}
