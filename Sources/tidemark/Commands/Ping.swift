import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Measures how long a call takes.
struct Ping: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how long a call takes, through codec, access check and dispatcher.")

  @Option(help: "How many calls, one after the other.") var count = 4
  @OptionGroup var options: CallOptions

  func validate() throws {
    guard (1...1_000_000).contains(count) else { throw ValidationError("--count is 1 to 1000000.") }
  }

  func run() async throws {
    if options.output.listsFields(["call", "ms"]) { return }
    try await options.run { session in
      var writer = RecordWriter(session.output, columns: ["call", "ms"])
      var times: [Duration] = []
      let message = try Ping.makeMessage()
      _ = try await session.client.handshake()
      for call in 1...count {
        let start = ContinuousClock.now
        _ = try await session.client.echo(message)
        let time = ContinuousClock.now - start
        times.append(time)
        writer.write(.object([.init("call", .int(call)), .init("ms", .number(TimeSpan.milliseconds(time)))]))
      }
      writer.finish()
      times.sort()
      let marks = [("least", 0.0), ("half under", 0.5), ("99 % under", 0.99), ("most", 1.0)].map { name, share in
        "\(name) \(TimeSpan.milliseconds(times[Int((Double(times.count - 1) * share).rounded())])) ms"
      }
      session.note("\(count) calls: " + marks.joined(separator: ", "))
    }
  }

  private static func makeMessage() throws -> Echo {
    var echo = Echo()
    echo.type = "ping"
    echo.id = "1"
    guard let name = FieldPath("text") else { return echo }
    echo.fields = try Fields([Field(name, .string(String(repeating: "x", count: 256)))])
    return echo
  }
}
