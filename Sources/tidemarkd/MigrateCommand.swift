import ArgumentParser
import TidemarkStore

/// Shows and changes the format of a store.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Show or change the format of a store.",
    discussion: """
      Without a subcommand it shows the format. Each takes --store URL and --config FILE, and TIDEMARKD_STORE and TIDEMARKD_CONFIG
      from the environment.

      A store in a folder is changed while no daemon is serving it. In PostgreSQL older daemons go on serving while 'up' adds to the
      tables; those that a step shuts out say so and end. Before 'down', end the daemons that know only later formats.
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
      abstract:
        "Bring the store to the latest format. A daemon does so when it starts, but for steps that shut out daemons that are older."
    )
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
    _ settings: StoreOptions, makesStore: Bool = false, _ body: (any StoreMigrator) throws -> StoreFormat
  ) throws {
    let configuration = try settings.resolve()
    let store = configuration.store
    do {
      let migrator = Engine.migrator(configuration)
      guard try makesStore || migrator.status().current > 0 else { throw noStore(store) }
      let format = try body(migrator)
      print("format \(format.current) of \(format.latest)")
      if format.lowest < format.current { print("may be served by programs that know format \(format.lowest)") }
      for name in format.pending { print("pending: \(name)") }
    } catch let error as StoreError {
      throw StartFailure(error, store)
    }
  }

  private static func noStore(_ store: StoreURL) -> StartFailure {
    switch store {
    case .sqlite(let folder):
      StartFailure("There is no store in '\(folder)'.", advice: "Name its folder: --store sqlite:FOLDER")
    case .postgres:
      StartFailure("There is no store in that database.", advice: "Name its database: --store postgres://USER@HOST/DATABASE")
    }
  }
}
