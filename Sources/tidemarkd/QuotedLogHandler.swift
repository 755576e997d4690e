import Logging

/// Writes lines of text to standard error in which each value can be told from what stands beside it: ids and principals come from callers.
struct QuotedLogHandler: LogHandler {
  private var base: StreamLogHandler

  init(label: String, logLevel: Logger.Level) {
    base = StreamLogHandler.standardError(label: label)
    base.logLevel = logLevel
  }

  var logLevel: Logger.Level {
    get { base.logLevel }
    set { base.logLevel = newValue }
  }

  var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) {
    var event = event
    event.metadata = event.metadata?.mapValues { .string(LogText.quoted("\($0)")) }
    base.log(event: event)
  }
}

/// Values in lines of a log, so that none can look like another value, or like another line.
enum LogText {
  /// The text as it is, or in quotation marks when it has a space, `=`, `"` or `\`, or something that is not seen.
  static func quoted(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: needsQuotes) else { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where isUnseen(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// JSON with escapes for what is not seen: readers of lines take some of it for the end of one, and terminals for commands.
  ///
  /// - Parameter json: has such only within strings.
  static func escaped(json: String) -> String {
    guard json.unicodeScalars.contains(where: isUnseen) else { return json }
    var result = ""
    for scalar in json.unicodeScalars {
      guard isUnseen(scalar) else {
        result.unicodeScalars.append(scalar)
        continue
      }
      for unit in String(scalar).utf16 {
        let digits = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return result
  }

  private static func needsQuotes(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "=" || scalar == "\"" || scalar == "\\" || scalar.properties.isWhitespace || isUnseen(scalar)
  }

  /// Control characters, ends of lines, and what turns or hides text.
  private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
