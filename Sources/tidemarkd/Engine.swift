import Logging
import TidemarkServer
import TidemarkStore
import TidemarkStorePostgres
import TidemarkStoreSQLite

/// The engines.
enum Engine {
  static func open(_ configuration: Configuration, _ logger: Logger) throws -> any EntityStore {
    switch configuration.store {
    case .sqlite(let folder): return try SQLiteStore.open(folder: folder)
    case .postgres(let url):
      var options = postgresOptions(configuration)
      options.warn = { logger.warning("\($0)") }
      return try PostgresStore.open(url: url, options: options)
    }
  }

  /// What brings the store to another format.
  static func migrator(_ configuration: Configuration) -> any StoreMigrator {
    switch configuration.store {
    case .sqlite(let folder): SQLiteMigrator(folder: folder)
    case .postgres(let url): PostgresMigrator(url: url, options: postgresOptions(configuration))
    }
  }

  private static func postgresOptions(_ configuration: Configuration) -> PostgresStoreOptions {
    var options = configuration.postgres
    options.program = "tidemarkd/\(TidemarkService.version)"
    return options
  }
}
