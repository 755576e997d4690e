import TidemarkStore
import TidemarkStorePostgres
import TidemarkStoreSQLite

/// The engines.
enum Engine {
  static func open(_ url: StoreURL) throws -> any EntityStore {
    switch url {
    case .sqlite(let folder): try SQLiteStore.open(folder: folder)
    case .postgres(let url): try PostgresStore.open(url: url)
    }
  }
}
