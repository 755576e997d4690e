import Foundation
import Logging

/// Writes one JSON object a line to standard error.
struct JSONLogHandler: LogHandler {
  let label: String
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var object: [String: String] = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
    object["time"] = Date().ISO8601Format(.iso8601(timeZone: .gmt, includingFractionalSeconds: true))
    object["level"] = event.level.rawValue
    object["message"] = event.message.description
    guard let line = JSONLogHandler.line(object) else { return }
    FileHandle.standardError.write(line)
  }

  /// One line with an object; `nil` when it is none.
  static func line(_ object: [String: String]) -> Data? {
    guard let json = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]) else {
      return nil
    }
    return Data((LogText.escaped(json: String(decoding: json, as: UTF8.self)) + "\n").utf8)
  }
}
