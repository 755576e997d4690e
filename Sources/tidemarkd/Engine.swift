import Foundation
import Logging
import NIOCore
import TidemarkCore
import TidemarkStore
import TidemarkStoreSQLite

/// The only place that names engines.
enum Engine {
  static func open(_ url: StoreURL) throws -> any EntityStore {
    switch url {
    case .sqlite(let folder): try SQLiteStore.open(folder: folder)
    }
  }
}

extension StoreClock {
  /// The machine's clocks.
  static let system = StoreClock(
    now: { Timestamp(rawValue: Int64((Date().timeIntervalSince1970 * 1_000_000).rounded(.down))) },
    uptimeNanoseconds: { NIODeadline.now().uptimeNanoseconds })
}

/// Starts the log as the configuration wants it.
enum Logs {
  static func start(_ configuration: Configuration) -> Logger {
    let level = configuration.logLevel
    switch configuration.logFormat {
    case .text:
      LoggingSystem.bootstrap { label in
        var handler = StreamLogHandler.standardError(label: label)
        handler.logLevel = level
        return handler
      }
    case .json:
      LoggingSystem.bootstrap { label in JSONLogHandler(label: label, logLevel: level) }
    }
    return Logger(label: "tidemarkd")
  }
}
