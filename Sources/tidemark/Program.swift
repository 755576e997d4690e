import ArgumentParser
import TidemarkClient

/// Runs the command and turns whatever comes of it into text and an exit status.
@main
enum Program {
  static func main() async {
    let status = await run(Array(CommandLine.arguments.dropFirst()))
    StandardStream.output.flush()
    exit(status)
  }

  private static func run(_ arguments: [String]) async -> ExitStatus {
    do {
      if ["--version", "version"].contains(arguments.first), arguments.count == 1 {
        StandardStream.output.write("tidemark \(ToolVersion.text)\n")
        return .done
      }
      if let mistyped = Spelling.check(arguments, root: Tidemark.self) { throw mistyped }
      var command = try Tidemark.parseAsRoot(arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      return .done
    } catch let failure as CommandFailure {
      report(failure, arguments)
      return failure.status
    } catch {
      return report(usage: error, arguments)
    }
  }

  private static func report(_ failure: CommandFailure, _ arguments: [String]) {
    guard !failure.message.isEmpty else { return }
    StandardStream.output.flush()
    let text = isJSONWanted(arguments) ? failure.json.compact : Sanitized.text(failure.text, keepsNewlines: true)
    StandardStream.error.write(text + "\n")
    StandardStream.error.flush()
  }

  /// Help and version go to standard output; a wrong usage to standard error.
  private static func report(usage error: any Error, _ arguments: [String]) -> ExitStatus {
    let text = Tidemark.fullMessage(for: error)
    if Tidemark.exitCode(for: error).isSuccess {
      // Where a word could be a command or a file, as after 'tidemark bulk', the shell offers files, too.
      StandardStream.output.write(
        text.replacing("\ncomplete -o filenames -F", with: "\ncomplete -o default -o filenames -F") + "\n")
      return .done
    }
    if isJSONWanted(arguments) {
      report(.usage(Tidemark.message(for: error)), arguments)
    } else {
      StandardStream.error.write(text + "\n")
      StandardStream.error.flush()
    }
    return .usage
  }

  /// Errors obey `--json`, also when the arguments could not be parsed.
  private static func isJSONWanted(_ arguments: [String]) -> Bool {
    arguments.prefix { $0 != "--" }.contains { $0 == "--json" || $0 == "--ndjson" }
  }
}

/// The command line of Tidemark.
struct Tidemark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tidemark",
    abstract: "Reads and writes versioned entities on a Tidemark server.",
    usage: "tidemark <subcommand>",
    discussion: """
      The server and the space are given by --url tidemark://host:port/space, by TIDEMARK_URL, or by the current context. \
      A token is given by --token-file, TIDEMARK_TOKEN_FILE, TIDEMARK_TOKEN or the context, never by a flag.

      Data goes to standard output, everything else to standard error. Output is a table unless --json (one document) or \
      --ndjson (one object a line) is given; errors obey --json too. No colours are used.

      \(ExitStatus.help)

      Start with: tidemark cheat. 'tidemark --version' prints the version.
      """,
    subcommands: [
      Get.self, Create.self, PatchCommand.self, Delete.self, Restore.self, List.self, Import.self, Export.self, Adopt.self,
      BulkCommand.self, LogCommand.self,
      SpaceCommand.self, SchemaCommand.self, TokenCommand.self, Verify.self, Ping.self, ContextCommand.self, Doctor.self,
      Outcomes.self, Cheat.self, Names.self,
    ])
}

enum ToolVersion {
  static let text = "0.1.0"
}
