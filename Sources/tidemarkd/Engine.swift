import Logging
import TidemarkStore
import TidemarkStorePostgres
import TidemarkStoreSQLite

/// The engines.
enum Engine {
  static func open(_ configuration: Configuration, _ logger: Logger) throws -> any EntityStore {
    switch configuration.store {
    case .sqlite(let folder): return try SQLiteStore.open(folder: folder)
    case .postgres(let url):
      var options = configuration.postgres
      options.warn = { logger.warning("\($0)") }
      return try PostgresStore.open(url: url, options: options)
    }
  }
}
