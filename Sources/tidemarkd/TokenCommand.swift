import ArgumentParser
import Logging
import TidemarkCore
import TidemarkServer
import TidemarkStore

/// Makes a token in a store that no daemon is serving, for the first one or when all are lost.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Make a token for every space while no daemon is serving the store.",
    discussion: "Prints the token on standard output, once. A running daemon makes tokens with 'tidemark token create'.")

  @OptionGroup var settings: StoreOptions
  @Option(help: "Who calls with the token: 1 to 128 bytes.")
  var principal: String
  @Option(help: "reader, writer or admin, in every space.")
  var role: String

  func run() async throws {
    let configuration = try settings.resolve()
    let roles: [String: Role] = ["reader": .reader, "writer": .writer, "admin": .admin]
    guard let role = roles[role] else { throw ValidationError("--role is reader, writer or admin.") }
    guard let principal = PrincipalName(principal) else {
      throw ValidationError("--principal is 1 to 128 bytes without control characters.")
    }
    do {
      let logger = Logger(label: "tidemarkd") { StreamLogHandler.standardError(label: $0) }
      let service = try TidemarkService(
        store: Engine.open(configuration, logger), options: .init(), clock: .system, random: BufferedRandom(), logger: logger,
        onFatal: { _ in })
      let token = try service.createToken(principal: principal, roleEverywhere: role)
      service.close()
      print(token)
    } catch let error as StoreError {
      throw StartFailure(error, configuration.store)
    }
  }
}
