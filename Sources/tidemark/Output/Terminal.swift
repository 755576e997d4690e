#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What is known of the terminal, and questions to the person in front of it.
enum Terminal {
  static var isInputTerminal: Bool { isatty(0) == 1 }
  static var isOutputTerminal: Bool { isatty(1) == 1 }
  static var isErrorTerminal: Bool { isatty(2) == 1 }

  /// True when a line of standard error can be written over: a terminal that is not dumb.
  static var canRedraw: Bool { isErrorTerminal && Environment["TERM"] != "dumb" && Environment["TERM"] != nil }

  /// The width of standard output; `nil` when it is no terminal.
  static var outputWidth: Int? {
    guard isOutputTerminal else { return nil }
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Asks a question that is answered by typing a word.
  ///
  /// - Returns: whether exactly this word was typed. Never asks when there is no terminal.
  static func confirm(_ question: String, word: String) -> Bool {
    StandardStream.output.flush()
    StandardStream.error.write("\(question) Type '\(word)' to go on: ")
    StandardStream.error.flush()
    return readLine() == word
  }
}

/// The environment of the process.
enum Environment {
  /// The value of a variable; `nil` when it is not set or empty.
  static subscript(name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }
}
