import Logging

/// Starts the log as the configuration wants it.
enum Logs {
  static func start(_ configuration: Configuration) -> Logger {
    let level = configuration.logLevel
    switch configuration.logFormat {
    case .text:
      LoggingSystem.bootstrap { label in QuotedLogHandler(label: label, logLevel: level) }
    case .json:
      LoggingSystem.bootstrap { label in JSONLogHandler(label: label, logLevel: level) }
    }
    return Logger(label: "tidemarkd")
  }
}
