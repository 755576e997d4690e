import ArgumentParser
import TidemarkServer

/// The daemon: serves entities, and manages its store while it is not serving.
@main
struct Tidemarkd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tidemarkd",
    abstract: "Serves versioned entities to clients that sync.",
    discussion: """
      Without a subcommand it serves. Every setting is a flag, an environment variable TIDEMARKD_NAME and a key of the file given by
      --config (YAML); a flag wins over the environment, the environment over the file, the file over the default.

      Exit status: 0 after a clean stop; 1 when it cannot start or its store failed; 2 for settings that are wrong.
      """,
    version: "tidemarkd \(TidemarkService.version)",
    subcommands: [Serve.self, TokenCommand.self, MigrateCommand.self],
    defaultSubcommand: Serve.self)
}
