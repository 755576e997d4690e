import ArgumentParser
import TidemarkStore
import TidemarkStoreSQLite

/// Shows and changes the format of a store that no daemon is serving.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Show or change the format of a store while no daemon is serving it.",
    discussion: """
      Without a subcommand it shows the format. Each takes --store URL and --config FILE, and TIDEMARKD_STORE and TIDEMARKD_CONFIG
      from the environment.
      """,
    subcommands: [Status.self, Up.self, Down.self],
    defaultSubcommand: Status.self)

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the format of the store and what is pending.")
    @OptionGroup var settings: StoreOptions

    func run() throws { try MigrateCommand.run(settings) { try $0.status() } }
  }

  struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Bring the store to the latest format. A daemon does so when it starts.")
    @OptionGroup var settings: StoreOptions

    func run() throws { try MigrateCommand.run(settings, makesStore: true) { try $0.up() } }
  }

  struct Down: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Bring the store back to an earlier format.")
    @OptionGroup var settings: StoreOptions
    @Option(help: "The format to go back to.")
    var to: Int

    func run() throws { try MigrateCommand.run(settings) { try $0.down(to: to) } }
  }

  /// - Parameter makesStore: whether a store that is not there yet is no mistake.
  private static func run(
    _ settings: StoreOptions, makesStore: Bool = false, _ body: (SQLiteMigrator) throws -> SQLiteMigrator.Status
  ) throws {
    let configuration = try settings.resolve()
    let folder: String =
      switch configuration.store {
      case .sqlite(let folder): folder
      case .postgres:
        throw StartFailure(
          "A PostgreSQL store has one format so far.",
          advice: "tidemarkd makes its tables when it starts; there is nothing to migrate.")
      }
    do {
      let migrator = SQLiteMigrator(folder: folder)
      guard try makesStore || migrator.status().current > 0 else {
        throw StartFailure("There is no store in '\(folder)'.", advice: "Name its folder: --store sqlite:FOLDER")
      }
      let status = try body(migrator)
      print("format \(status.current) of \(status.latest)")
      for name in status.pending { print("pending: \(name)") }
    } catch let error as StoreError {
      throw StartFailure(error, configuration.store)
    }
  }
}
