/// What the command line asks for. `tidemark-bench --help` lists it.
struct Options: Sendable {
  enum Mode: String, CaseIterable, Sendable { case raw, echo, get, update, bulk, fill, pull, watch }

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

  /// The spaces that the entities lie in, in turns.
  var spaces = 1
  /// Whether the space has a schema.
  var isTyped = false
  /// The calls in flight on each connection; more than 1 only of bulks.
  var pipeline = 1
  /// The items of a bulk.
  var items = 100
  /// How many in a hundred items are made against the version before the latest.
  var stalePercent = 5

  /// How many changes a pull is behind, all of them at once; 0 to pull everything page after page.
  var behind = 0
  /// The rate of the writer beside watches.
  var writesPerSecond = 1_000
  /// The process of the server, whose memory is told; 0 for none.
  var serverProcess = 0

  static let usage = """
    usage: tidemark-bench raw|echo|get|update|bulk|fill|pull|watch --port N [--token T] [--connections N] [--threads N]
             [--seconds S] [--warm-up S] [--calls N] [--entities N] [--text-bytes N]
             [--spaces N] [--kind plain|typed] [--pipeline N] [--items N] [--stale-percent N]
             [--behind N] [--writes-per-second N] [--server-process PID]
    One call in flight on each connection; of bulks, as many as --pipeline says. Prints one JSON object.
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
      case "--spaces": spaces = try Options.int(flag, value, 1...99)
      case "--kind": isTyped = try Options.isTyped(flag, value)
      case "--pipeline": pipeline = try Options.int(flag, value, 1...100)
      case "--items": items = try Options.int(flag, value, 1...1_000)
      case "--behind": behind = try Options.int(flag, value, 1...1_000)
      case "--writes-per-second": writesPerSecond = try Options.int(flag, value, 1...1_000_000)
      case "--server-process": serverProcess = try Options.int(flag, value, 1...Int(Int32.max))
      case "--stale-percent": stalePercent = try Options.int(flag, value, 0...100)
      case "--seconds": seconds = try Options.time(flag, value)
      case "--warm-up": warmUpSeconds = try Options.time(flag, value)
      default: throw BenchError("unknown flag \(flag)\n\(Options.usage)")
      }
    }
    guard port > 0 else { throw BenchError("--port is missing") }
    guard mode == .bulk || pipeline == 1 else { throw BenchError("--pipeline is for bulks") }
    guard mode != .bulk || threads == 1 else { throw BenchError("bulks are made by one thread") }
    guard mode != .update || spaces == 1 else { throw BenchError("updates go to one space") }
    guard spaces == 1 || !isTyped else { throw BenchError("there is one typed space") }
    threads = min(threads, connections)
  }

  private static func int(_ flag: String, _ text: String, _ range: ClosedRange<Int>) throws(BenchError) -> Int {
    guard let number = Int(text), range.contains(number) else { throw BenchError("\(flag): '\(text)' is not in \(range)") }
    return number
  }

  private static func isTyped(_ flag: String, _ text: String) throws(BenchError) -> Bool {
    switch text {
    case "plain": return false
    case "typed": return true
    default: throw BenchError("\(flag): '\(text)' is not plain or typed")
    }
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
