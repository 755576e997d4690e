import ArgumentParser
import Foundation
import TidemarkStore
import TidemarkStoreSQLite

/// Shows and changes the format of a store that no daemon is serving.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Show or change the format of a store while no daemon is serving it.",
    subcommands: [Status.self, Up.self, Down.self],
    defaultSubcommand: Status.self)

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the format of the store and what is pending.")
    @OptionGroup var settings: SettingOptions

    func run() throws { try MigrateCommand.run(settings) { try $0.status() } }
  }

  struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Bring the store to the latest format. A daemon does so when it starts.")
    @OptionGroup var settings: SettingOptions

    func run() throws { try MigrateCommand.run(settings) { try $0.up() } }
  }

  struct Down: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Bring the store back to an earlier format.")
    @OptionGroup var settings: SettingOptions
    @Option(help: "The format to go back to.")
    var to: Int

    func run() throws { try MigrateCommand.run(settings) { try $0.down(to: to) } }
  }

  private static func run(_ settings: SettingOptions, _ body: (SQLiteMigrator) throws -> SQLiteMigrator.Status) throws {
    let configuration = try settings.resolve()
    guard case .sqlite(let folder) = configuration.store else { return }
    do {
      let status = try body(SQLiteMigrator(folder: folder))
      print("format \(status.current) of \(status.latest)")
      for name in status.pending { print("pending: \(name)") }
    } catch let error as StoreError {
      FileHandle.standardError.write(Data("tidemarkd: \(error.message)\n".utf8))
      throw ExitCode(1)
    }
  }
}
