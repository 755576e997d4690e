import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Prints names for shell completion, one a line. Says nothing when the server cannot be asked: a completion must not disturb.
struct Names: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "names", abstract: "Print the names there are, for shell completion.", shouldDisplay: false)

  enum Kind: String, ExpressibleByArgument { case spaces, types, contexts }

  @Argument var kind: Kind

  func run() async throws {
    let names = (try? await find()) ?? []
    for name in names { StandardStream.output.write(Sanitized.text(name) + "\n") }
    StandardStream.output.flush()
  }

  private func find() async throws -> [String] {
    if kind == .contexts { return try ContextStore.load().contexts.map(\.name) }
    var server = try ServerOptions.parse([])
    server.timeout = 2
    var found: [String] = []
    try await CallOptions.run(server) { session in
      switch kind {
      case .spaces: found = try await session.client.listSpaces().map(\.name.text)
      // A space without a schema does not know its types.
      case .types: found = try await session.space.getSchema()?.schema.types.map(\.name.text) ?? []
      case .contexts: break
      }
    }
    return found
  }
}

extension CompletionKind {
  /// Spaces of the current server.
  static var spaces: CompletionKind { .shellCommand("tidemark names spaces 2>/dev/null") }
  /// Types of the current space's schema.
  static var types: CompletionKind { .shellCommand("tidemark names types 2>/dev/null") }
  static var contexts: CompletionKind { .shellCommand("tidemark names contexts 2>/dev/null") }
}
