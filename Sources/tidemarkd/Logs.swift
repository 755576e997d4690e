import Logging

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
