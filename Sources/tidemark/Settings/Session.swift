import ArgumentParser
import TidemarkClient
import TidemarkCore

/// What every command that calls a server takes.
struct CallOptions: ParsableArguments {
  @OptionGroup(title: "Server") var server: ServerOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  /// Calls the server, and turns what goes wrong into a text and a status.
  func run(_ body: (Session) async throws -> Void) async throws { try await CallOptions.run(server, output, body) }

  /// The same for a command whose output has one form only.
  static func run(
    _ server: ServerOptions, _ output: OutputOptions? = nil, _ body: (Session) async throws -> Void
  ) async throws {
    let output = try output ?? OutputOptions.parse([])
    let target = try server.resolve()
    var options = ClientOptions()
    options.deadline = .seconds(server.timeout)
    options.connectTimeout = .seconds(min(server.timeout, 5))
    options.name = "tidemark \(ToolVersion.text)"
    let client = TidemarkClient(target.address, credentials: target.credentials, options: options)
    defer { client.close() }
    do {
      try await body(Session(client: client, target: target, output: output))
    } catch let error as ClientError {
      throw CommandFailure(error, to: target.address, tokenSource: target.tokenSource)
    } catch is CorruptFields {
      throw CommandFailure(.failed, "The server sent an entity that cannot be read.", code: "protocol_error")
    }
  }

  /// Asks before something that cannot be taken back, or demands `--yes` where nobody can answer.
  func confirm(_ question: String, isConfirmed: Bool) throws(CommandFailure) {
    if isConfirmed { return }
    guard Terminal.isInputTerminal, Terminal.isErrorTerminal, !server.noInput else {
      throw .usage("\(question) Nobody can be asked here: say --yes.")
    }
    guard Terminal.confirm(question, word: "yes") else { throw CommandFailure(.failed, "Nothing was done.") }
  }
}

/// A server, ready to be called.
struct Session {
  let client: TidemarkClient
  let target: ServerOptions.Target
  let output: OutputOptions

  var space: SpaceClient { client.space(target.space) }

  /// Says something that is not data, safe for a terminal.
  func note(_ text: String) {
    StandardStream.error.write(Sanitized.text(text, keepsNewlines: true) + "\n")
    StandardStream.error.flush()
  }
}

/// Arguments that several commands read alike.
enum Arguments {
  static func type(_ text: String) throws(CommandFailure) -> TypeName {
    guard let type = TypeName(text) else {
      throw .usage("'\(text)' is no type: letters, digits and underscores, not a digit first, at most 63.")
    }
    return type
  }

  static func id(_ text: String) throws(CommandFailure) -> EntityID {
    guard let id = EntityID(text) else { throw .usage("The id has 1 to 128 bytes and no control characters.") }
    return id
  }

  static func space(_ text: String) throws(CommandFailure) -> SpaceName {
    guard let space = SpaceName(text) else {
      throw .usage("'\(text)' is no name of a space: lower-case letters, digits, dot, dash and underscore.")
    }
    return space
  }

  static func operation(_ text: String?) throws(CommandFailure) -> OperationID? {
    guard let text else { return nil }
    guard let value = UUIDText.parse(text) else { throw .usage("'\(text)' is no operation id, which is a UUID.") }
    return OperationID(rawValue: value)
  }
}
