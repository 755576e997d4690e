/// What the command line asks for. `tidemark-bench --help` lists it.
struct Options: Sendable {
  enum Mode: String, CaseIterable, Sendable { case raw, echo, get, update, fill }

  var mode = Mode.echo
  var port = 0
  /// Sent as `Bearer` with every call; empty in development.
  var token = ""
  var connections = 16
  var threads = 1
  /// Counted time, in seconds; not used when `calls` is set.
  var seconds = 2.0
  /// Time before counting begins, in seconds.
  var warmUpSeconds = 0.3
  /// Exactly so many calls, from the first one on, in place of a time; 0 for none.
  var calls = 0
  var entities = 20_000
  /// Bytes of the long text field of created entities; 0 for the usual 320 bytes of fields in all.
  var textBytes = 0

  static let usage = """
    usage: tidemark-bench raw|echo|get|update|fill --port N [--token T] [--connections N] [--threads N]
             [--seconds S] [--warm-up S] [--calls N] [--entities N] [--text-bytes N]
    One call in flight on each connection. Prints one JSON object.
    """

  init(_ arguments: [String]) throws(BenchError) {
    guard let first = arguments.first, let mode = Mode(rawValue: first) else { throw BenchError(Options.usage) }
    self.mode = mode
    var rest = arguments.dropFirst()
    while let flag = rest.popFirst() {
      guard let value = rest.popFirst() else { throw BenchError("\(flag) needs a value") }
      switch flag {
      case "--port": port = try Options.int(flag, value, 1...65_535)
      case "--token": token = value
      case "--connections": connections = try Options.int(flag, value, 1...10_000)
      case "--threads": threads = try Options.int(flag, value, 1...64)
      case "--calls": calls = try Options.int(flag, value, 1...1_000_000_000)
      case "--entities": entities = try Options.int(flag, value, 1...10_000_000)
      case "--text-bytes": textBytes = try Options.int(flag, value, 0...900_000)
      case "--seconds": seconds = try Options.time(flag, value)
      case "--warm-up": warmUpSeconds = try Options.time(flag, value)
      default: throw BenchError("unknown flag \(flag)\n\(Options.usage)")
      }
    }
    guard port > 0 else { throw BenchError("--port is missing") }
    threads = min(threads, connections)
  }

  private static func int(_ flag: String, _ text: String, _ range: ClosedRange<Int>) throws(BenchError) -> Int {
    guard let number = Int(text), range.contains(number) else { throw BenchError("\(flag): '\(text)' is not in \(range)") }
    return number
  }

  private static func time(_ flag: String, _ text: String) throws(BenchError) -> Double {
    guard let number = Double(text), (0...3_600).contains(number) else {
      throw BenchError("\(flag): '\(text)' is no time of 0 to 3600 seconds")
    }
    return number
  }
}

/// Why a run could not be made, or cannot be trusted.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
