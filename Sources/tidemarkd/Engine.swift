import TidemarkStore
import TidemarkStoreSQLite

/// The engines.
enum Engine {
  static func open(_ url: StoreURL) throws -> any EntityStore {
    switch url {
    case .sqlite(let folder): try SQLiteStore.open(folder: folder)
    }
  }
}
