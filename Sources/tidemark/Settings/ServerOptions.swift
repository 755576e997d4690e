import ArgumentParser
import TidemarkClient
import TidemarkCore

/// Which server and space a command speaks to, and as whom.
struct ServerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The server and the space; several servers of one store: host:port,host:port.", valueName: "tidemark://host:port/space"))
  var url: String?

  @Option(help: "The context to use in place of the current one.", completion: .contexts)
  var context: String?

  @Option(help: "The space, in place of the one of the address.", completion: .spaces)
  var space: String?

  @Option(help: ArgumentHelp("A file with the token; '-' reads it from standard input.", valueName: "file"), completion: .file())
  var tokenFile: String?

  @Option(help: ArgumentHelp("How long to wait for each call.", valueName: "seconds"))
  var timeout: Double = 15

  @Flag(help: "Never ask anything.")
  var noInput = false

  func validate() throws {
    guard timeout > 0, timeout <= 86_400 else { throw ValidationError("--timeout is more than 0 and at most 86400 seconds.") }
  }

  /// Where to connect and as whom.
  struct Target {
    var address: ServerAddress
    var credentials: Credentials
    /// Where the address and the token come from, for `doctor`.
    var addressSource: String
    var tokenSource: String?

    var space: SpaceName { address.space ?? .default }
  }

  /// Puts flags, environment and context together: a flag wins over the environment, the environment over the context.
  ///
  /// A token of a context is sent to the server of that context only.
  func resolve() throws(CommandFailure) -> Target {
    let chosen = try chosenContext()
    var (address, source) = try chosenAddress(chosen)
    if let space {
      guard let name = SpaceName(space) else {
        throw .usage("'\(space)' is no name of a space: lower-case letters, digits, dot, dash and underscore.")
      }
      address.space = name
    }
    var target = Target(address: address, credentials: .none, addressSource: source)
    let own = chosen.flatMap { $0.address.isSameServer(as: address) ? $0 : nil }
    if let (token, tokenSource) = try findToken(own) {
      target.credentials = .bearer(token)
      target.tokenSource = tokenSource
    }
    return target
  }

  private func chosenContext() throws(CommandFailure) -> ContextStore.Context? {
    guard let name = context else {
      guard ContextStore.defaultPath != nil else { return nil }
      return try ContextStore.load().currentContext
    }
    guard let found = try ContextStore.load()[name] else {
      throw .usage("There is no context '\(name)'.", advice: ["To see what there is: tidemark context list"])
    }
    return found
  }

  private func chosenAddress(_ chosen: ContextStore.Context?) throws(CommandFailure) -> (ServerAddress, String) {
    do {
      if let url { return (try ServerAddress(parsing: url), "--url") }
      if context == nil, let url = Environment["TIDEMARK_URL"] { return (try ServerAddress(parsing: url), "TIDEMARK_URL") }
    } catch {
      throw .usage(error.description)
    }
    guard let chosen else {
      throw .usage(
        "No server is given.",
        advice: [
          "Give --url tidemark://host:port/space, set TIDEMARK_URL, or remember one:",
          "  tidemark context add NAME tidemark://host:port/space",
        ])
    }
    return (chosen.address, "the context '\(chosen.name)'")
  }

  private func findToken(_ context: ContextStore.Context?) throws(CommandFailure) -> (String, String)? {
    if let tokenFile {
      return (try ServerOptions.readToken(tokenFile), tokenFile == "-" ? "standard input" : "the file '\(tokenFile)'")
    }
    if let token = Environment["TIDEMARK_TOKEN"] { return (try ServerOptions.check(token, "TIDEMARK_TOKEN"), "TIDEMARK_TOKEN") }
    if let file = Environment["TIDEMARK_TOKEN_FILE"] {
      return (try ServerOptions.readToken(file), "the file '\(file)' in TIDEMARK_TOKEN_FILE")
    }
    guard let context else { return nil }
    let source = "the context '\(context.name)'"
    if let file = context.tokenFile { return (try ServerOptions.readToken(file), source) }
    return try context.token.map { token throws(CommandFailure) in (try ServerOptions.check(token, source), source) }
  }

  /// Reads a token from a file, or from standard input.
  static func readToken(_ path: String) throws(CommandFailure) -> String {
    if path == "-" { return try check(readLine() ?? "", "standard input") }
    do {
      return try check(try TextFile.read(path).text, "'\(path)'")
    } catch let error as TextFile.Failure {
      throw CommandFailure(.denied, "The token cannot be read: \(error.what).")
    } catch let error as CommandFailure {
      throw error
    } catch {
      throw CommandFailure(.denied, "The token cannot be read.")
    }
  }

  /// Takes white space off, and refuses what cannot be a token. The message never shows it.
  static func check(_ text: String, _ source: String) throws(CommandFailure) -> String {
    var token = text[...]
    while let last = token.last, last.isWhitespace { token.removeLast() }
    while let first = token.first, first.isWhitespace { token.removeFirst() }
    guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw CommandFailure(.denied, "What \(source) holds is no token.")
    }
    return String(token)
  }
}
