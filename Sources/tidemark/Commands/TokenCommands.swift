import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Manages bearer tokens.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Manage tokens. Needs the role admin on all spaces.",
    subcommands: [TokenList.self, TokenCreate.self, TokenRevoke.self])
}

struct TokenList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List all tokens, without their secrets.")

  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(TokenDescription.recordNames) { return }
    try await options.run { session in
      let tokens = try await session.client.listTokens()
      var writer = RecordWriter(session.output, columns: TokenDescription.recordNames)
      for token in tokens { writer.write(token.json) }
      writer.finish()
    }
  }
}

struct TokenCreate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a token. Its secret is printed on standard output, once.",
    usage: "tidemark token create <principal> --grant <space=role> ... [options]",
    discussion: "To keep it where only you can read it: (umask 077; tidemark token create desk --grant hotel=writer > desk.token)"
  )

  @Argument(help: "Who calls with the token.") var principal: String
  @Option(
    name: .customLong("grant"),
    help: ArgumentHelp("reader, writer or admin in a space, or in all with '*'.", valueName: "space=role"))
  var grants: [String] = []
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(["secret"] + TokenDescription.recordNames) { return }
    let principal = try makePrincipal()
    try await options.run { session in
      let made = try await session.client.createToken(for: principal)
      // The token is made and must be shown, whatever becomes of this question.
      let spaces = try? await session.client.listSpaces()
      switch session.output.format {
      case .table, .labels:
        // Nothing but the secret, so that it can go straight into a file.
        StandardStream.output.write(made.secret + "\n")
        StandardStream.output.flush()
        session.note("The token \(made.token.id) of \(Sanitized.text(principal.name.text)) cannot be shown again.")
      case .json, .lines:
        guard case .object(let members) = made.token.json else { return }
        RecordWriter.writeOne(.object([.init("secret", .string(made.secret))] + members), session.output)
      }
      guard let spaces else { return }
      for name in principal.roles.keys.sorted() where !spaces.contains(where: { $0.name == name }) {
        session.note("Warning: there is no space '\(name)' yet. To make it: tidemark space create \(name)")
      }
    }
  }

  private func makePrincipal() throws(CommandFailure) -> Principal {
    guard let name = PrincipalName(principal) else {
      throw .usage("The principal has 1 to 128 bytes and no control characters.")
    }
    guard !grants.isEmpty else {
      throw .usage("Say what the token may do, for example --grant hotel=writer or --grant '*=reader'.")
    }
    let words: [String: Role] = ["reader": .reader, "writer": .writer, "admin": .admin]
    var result = Principal(name: name)
    for grant in grants {
      let parts = grant.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, let role = words[String(parts[1])] else {
        throw .usage("'\(grant)' is no grant. Write space=reader, space=writer or space=admin, or '*' for all spaces.")
      }
      if parts[0] == "*" {
        result.roleEverywhere = role
      } else {
        result.roles[try Arguments.space(String(parts[0]))] = role
      }
    }
    return result
  }
}

struct TokenRevoke: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Take a token back. Calls with it fail from the next one on.")

  @Argument(help: "The public id, as 'tidemark token list' shows it.") var id: String
  @Flag(help: "Do not ask.") var yes = false
  @OptionGroup var options: CallOptions

  func run() async throws {
    try options.confirm("The token \(id) will stop working for good.", isConfirmed: yes)
    try await options.run { session in
      try await session.client.revokeToken(id)
      let record = JSON.object([.init("id", .string(id)), .init("is_revoked", .bool(true))])
      guard session.output.format == .table else { return RecordWriter.writeOne(record, session.output) }
      session.note("The token \(id) is revoked.")
    }
  }
}
