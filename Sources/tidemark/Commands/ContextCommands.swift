import ArgumentParser
import TidemarkClient

/// Remembers servers by name.
struct ContextCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "context", abstract: "Remember servers by name.",
    discussion: "Kept in $XDG_CONFIG_HOME/tidemark/contexts.json, readable by you only.",
    subcommands: [ContextAdd.self, ContextUse.self, ContextList.self, ContextRemove.self])
}

struct ContextAdd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Remember a server and a space. The first one is in use at once.",
    usage: "tidemark context add <name> tidemark://host:port/space [--token-file <file> | --token-stdin] [--use]")

  @Argument var name: String
  @Argument var url: String
  @Option(help: "The file that holds the token; read at each use.") var tokenFile: String?
  @Flag(help: "Read the token from standard input and keep it with the context.") var tokenStdin = false
  @Flag(help: "Use it from now on.") var use = false

  func validate() throws {
    if name.isEmpty || name.contains(where: { $0.isWhitespace || $0 == "/" }) {
      throw ValidationError("The name of a context is one word.")
    }
    if tokenFile != nil && tokenStdin { throw ValidationError("--token-file and --token-stdin exclude each other.") }
  }

  func run() async throws {
    let address: ServerAddress
    do {
      address = try ServerAddress(parsing: url)
    } catch {
      throw CommandFailure.usage(error.description)
    }
    var store = try ContextStore.load()
    var context = ContextStore.Context(name: name, address: address, tokenFile: tokenFile)
    if let tokenFile, !tokenFile.hasPrefix("/") {
      guard let folder = Environment["PWD"] else {
        throw CommandFailure.usage("Name the token file from the root, with a slash first.")
      }
      context.tokenFile = folder + "/" + tokenFile
    }
    if tokenStdin { context.token = try ServerOptions.readToken("-") }
    let former = store[name]
    store.add(context)
    if use { _ = store.use(name) }
    try store.save()
    let inUse = store.current == name ? "It is in use." : "To use it: tidemark context use \(name)"
    var text = "The context '\(name)' is \(address). \(inUse)\n"
    if let former { text += "It replaced the one of this name, which was \(former.address).\n" }
    if let path = context.tokenFile {
      do {
        _ = try ServerOptions.readToken(path)
      } catch {
        text += "Warning: \(error.message) It is read at each use, so put the token there before.\n"
      }
    }
    StandardStream.error.write(Sanitized.text(text, keepsNewlines: true))
    StandardStream.error.flush()
  }
}

struct ContextUse: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "use", abstract: "Use a context from now on.")

  @Argument(completion: .contexts) var name: String

  func run() async throws {
    var store = try ContextStore.load()
    guard store.use(name) else { throw CommandFailure.usage("There is no context '\(name)'.") }
    try store.save()
  }
}

struct ContextList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List the contexts. Tokens are never shown.")

  private static let names = ["name", "is_current", "url", "token"]

  @OptionGroup var output: OutputOptions

  func run() async throws {
    if output.listsFields(ContextList.names) { return }
    let store = try ContextStore.load()
    var writer = RecordWriter(output, columns: ContextList.names)
    for context in store.contexts {
      let token = context.tokenFile.map { "in \($0)" } ?? (context.token == nil ? "none" : "kept")
      writer.write(
        .object([
          .init("name", .string(context.name)), .init("is_current", .bool(store.current == context.name)),
          .init("url", .string(context.address.description)), .init("token", .string(token)),
        ]))
    }
    writer.finish()
  }
}

struct ContextRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "remove", abstract: "Forget a context and its token.")

  @Argument var name: String

  func run() async throws {
    var store = try ContextStore.load()
    guard store.remove(name) else { throw CommandFailure.usage("There is no context '\(name)'.") }
    try store.save()
  }
}
