import ArgumentParser
import Foundation
import TidemarkServer

/// Runs the daemon and turns whatever comes of it into text and an exit status.
@main
enum Program {
  static func main() async {
    do {
      var command = try Tidemarkd.parseAsRoot(SettingOptions.spelledOut(Array(CommandLine.arguments.dropFirst())))
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch let failure as StartFailure {
      failure.tell()
      exit(1)
    } catch {
      exit(tell(usage: error))
    }
  }

  /// Help and version go to standard output; a wrong usage to standard error, with the status that `--help` promises.
  private static func tell(usage error: any Error) -> Int32 {
    let text = Tidemarkd.fullMessage(for: error)
    let isWanted = Tidemarkd.exitCode(for: error).isSuccess
    (isWanted ? FileHandle.standardOutput : FileHandle.standardError).write(Data((text + "\n").utf8))
    return isWanted ? 0 : 2
  }
}

/// The daemon: serves entities, and manages its store while it is not serving.
struct Tidemarkd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tidemarkd",
    abstract: "Serves versioned entities to clients that sync.",
    discussion: """
      Without a subcommand it serves. Every setting is a flag, an environment variable TIDEMARKD_NAME and a key of the file given by
      --config (YAML); a flag wins over the environment, the environment over the file, the file over the default.

      \(Setting.list)

      Exit status: 0 after a clean stop; 1 when it cannot start or its store failed; 2 for wrong usage and settings that are wrong.
      """,
    version: "tidemarkd \(TidemarkService.version)",
    subcommands: [Serve.self, TokenCommand.self, MigrateCommand.self],
    defaultSubcommand: Serve.self)
}
