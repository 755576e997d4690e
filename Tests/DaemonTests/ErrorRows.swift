import TidemarkDaemonTesting
import TidemarkWire

/// One thing that a client does wrong, and the answer that docs/PROTOCOL.md promises.
struct ErrorRow: Sendable {
  enum Answer: Sendable, Equatable {
    /// Closed without a word.
    case silence
    case goAway(FramingErrorCode)
    /// A REPLY with this status for `ErrorRow.stream`; the connection stays.
    case reply(StatusCode)
    /// A CANCEL with this code for `ErrorRow.stream`; the connection stays.
    case cancel(FramingErrorCode)
    /// Nothing; the connection stays.
    case ignored
  }

  var name: String
  var bytes: [UInt8]
  var answer: Answer
  var stream: UInt32 = 1

  /// The row of an open connection.
  static func open(_ name: String, _ answer: Answer, stream: UInt32 = 1, _ frames: Frame...) -> ErrorRow {
    ErrorRow(name: name, bytes: opening + frames.bytes, answer: answer, stream: stream)
  }

  static func hello(_ name: String, _ answer: Answer, _ change: (inout Hello) -> Void) -> ErrorRow {
    var hello = Hello()
    change(&hello)
    return ErrorRow(name: name, bytes: opening.prefix(8) + Frame(.hello, hello.encode()).bytes(), answer: answer)
  }
}

/// The rows that need no call in flight.
enum ErrorRows {
  private static let echo = Method.echo.rawValue
  /// A message that every method takes.
  private static let end: FrameFlags = .end

  static let handshake: [ErrorRow] = [
    ErrorRow(name: "HTTP", bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8), answer: .silence),
    ErrorRow(name: "HTTP/2", bytes: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8), answer: .silence),
    ErrorRow(name: "TLS", bytes: [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3], answer: .silence),
    ErrorRow(name: "zeros", bytes: [UInt8](repeating: 0, count: 100), answer: .silence),
    ErrorRow(name: "major 0", bytes: [0x54, 0x44, 0x4D, 0x4B, 0, 0, 0, 0], answer: .goAway(.version)),
    ErrorRow(name: "major 2", bytes: [0x54, 0x44, 0x4D, 0x4B, 2, 0, 0, 0], answer: .goAway(.version)),
    .hello("minor range", .goAway(.version)) { ($0.minorMin, $0.minorMax) = (1, 3) },
    ErrorRow(name: "preface flags", bytes: [0x54, 0x44, 0x4D, 0x4B, 1, 0, 0, 1], answer: .goAway(.protocolViolation)),
    ErrorRow(
      name: "no HELLO", bytes: opening.prefix(8) + Frame.call(echo, stream: 1).bytes(), answer: .goAway(.protocolViolation)),
    .open("HELLO twice", .goAway(.protocolViolation), Frame(.hello)),
    ErrorRow(
      name: "HELLO unreadable", bytes: opening.prefix(8) + Frame(.hello, [0xFF]).bytes(), answer: .goAway(.protocolViolation)),
    ErrorRow(
      name: "HELLO with flags", bytes: opening.prefix(8) + Frame(.hello, flags: .end).bytes(), answer: .goAway(.protocolViolation)
    ),
    ErrorRow(
      name: "HELLO with aux", bytes: opening.prefix(8) + Frame(.hello, aux: 1).bytes(), answer: .goAway(.protocolViolation)),
    .hello("small frame limit", .goAway(.protocolViolation)) { $0.frameBytesMax = 16_383 },
    .hello("large frame limit", .goAway(.protocolViolation)) { $0.frameBytesMax = 4_194_305 },
  ]

  static let frames: [ErrorRow] =
    ([0] + Array(UInt8(9)...0x7F)).map { .open("type \($0)", .goAway(.protocolViolation), Frame(raw: $0)) }
    + [0x80, 0xC0, 0xFF].map { .open("type \($0)", .ignored, Frame(raw: $0, flags: FrameFlags(rawValue: 0xFF), aux: 9, [1])) }
    + [
      .open("REPLY", .goAway(.protocolViolation), Frame(.reply, stream: 1)),
      .open("unknown flag of CALL", .goAway(.protocolViolation), .call(echo, stream: 1, flags: FrameFlags(rawValue: 0x11))),
      .open("END with MORE", .goAway(.protocolViolation), .call(echo, stream: 1, flags: [.end, .more])),
      .open("META in DATA", .goAway(.protocolViolation), .call(echo, stream: 1), Frame(.data, flags: .meta, stream: 1)),
      .open("aux in DATA", .goAway(.protocolViolation), .call(echo, stream: 1), Frame(.data, aux: 1, stream: 1)),
      .open("aux in CREDIT", .goAway(.protocolViolation), Frame(.credit, aux: 1, bigEndian(1))),
      .open("flags in CREDIT", .goAway(.protocolViolation), Frame(.credit, flags: .end, bigEndian(1))),
      .open("aux in PING", .goAway(.protocolViolation), Frame(.ping, aux: 1, [UInt8](repeating: 0, count: 8))),
      .open("flags in PING", .goAway(.protocolViolation), Frame(.ping, flags: .meta, [UInt8](repeating: 0, count: 8))),
      .open("stream in PING", .goAway(.protocolViolation), Frame(.ping, stream: 1, [UInt8](repeating: 0, count: 8))),
      .open("flags in CANCEL", .goAway(.protocolViolation), Frame(.cancel, flags: .end, aux: 7, stream: 1)),
      .open("flags in GOAWAY", .goAway(.protocolViolation), Frame(.goAway, flags: .end)),
      .open("stream in GOAWAY", .goAway(.protocolViolation), Frame(.goAway, stream: 1)),
      .open("CANCEL with payload", .goAway(.protocolViolation), Frame(.cancel, aux: 7, stream: 1, [0])),
      .open("PING of 7 bytes", .goAway(.protocolViolation), Frame(.ping, [UInt8](repeating: 0, count: 7))),
      .open("PING of 9 bytes", .goAway(.protocolViolation), Frame(.ping, [UInt8](repeating: 0, count: 9))),
      .open("CREDIT of 3 bytes", .goAway(.protocolViolation), Frame(.credit, [0, 0, 1])),
      .open("CREDIT of 5 bytes", .goAway(.protocolViolation), Frame(.credit, [0, 0, 0, 0, 1])),
      .open("PONG nobody asked for", .ignored, Frame(.ping, flags: .pong, [UInt8](repeating: 0, count: 8))),
    ]

  static let streams: [ErrorRow] = [
    .open("CALL on stream 0", .goAway(.protocolViolation), .call(echo, stream: 0)),
    .open("CALL on stream 2", .goAway(.protocolViolation), .call(echo, stream: 2)),
    .open("CALL on stream 2^31 + 1", .goAway(.protocolViolation), .call(echo, stream: 0x8000_0001)),
    .open("CALL below others", .goAway(.protocolViolation), .call(echo, stream: 5), .call(echo, stream: 3)),
    .open("CALL twice", .goAway(.protocolViolation), .call(echo, stream: 5), .call(echo, stream: 5)),
    .open("CALL that continues nothing", .goAway(.protocolViolation), .call(0, stream: 1)),
    .open("DATA for an unused stream", .goAway(.protocolViolation), Frame(.data, stream: 1)),
    .open("DATA on stream 0", .goAway(.protocolViolation), Frame(.data)),
    .open("CREDIT for an unused stream", .goAway(.protocolViolation), .credit(1, stream: 1)),
    .open("CREDIT for stream 2", .goAway(.protocolViolation), .call(echo, stream: 3), .credit(1, stream: 2)),
    .open("CANCEL on stream 0", .goAway(.protocolViolation), .cancel(0)),
    .open(
      "DATA in the CALL's message", .goAway(.protocolViolation), .call(echo, stream: 1, flags: .more), Frame(.data, stream: 1)),
    ErrorRow(
      name: "64 KiB and 1", bytes: opening + Frame.call(echo, stream: 1).bytes(length: 65_537), answer: .goAway(.frameTooLarge)),
    ErrorRow(
      name: "4 GiB", bytes: opening + Frame.call(echo, stream: 1).bytes(length: .max), answer: .goAway(.frameTooLarge)),
    ErrorRow(
      name: "4 GiB of a later version", bytes: opening + Frame(raw: 0x80).bytes(length: .max), answer: .goAway(.frameTooLarge)),
    .open("CREDIT 0", .goAway(.flowControl), .credit(0)),
    .open("CREDIT 2^31", .goAway(.flowControl), .credit(0x8000_0000)),
    .open("CREDIT adding up", .goAway(.flowControl), .credit(0x7FFF_FFFF)),
    .open("DATA for a closed stream", .ignored, stream: 7, .call(9_999, stream: 1), Frame(.data, stream: 1, [1, 2])),
    .open("CREDIT for a closed stream", .ignored, stream: 7, .call(9_999, stream: 1), .credit(5, stream: 1)),
    .open("CALL continuing a closed stream", .ignored, stream: 7, .call(9_999, stream: 1), .call(0, stream: 1)),
    .open("CANCEL twice, closed and unused", .ignored, stream: 7, .call(9_999, stream: 1), .cancel(1), .cancel(1), .cancel(77)),
  ]

  static let floods: [ErrorRow] = [
    flood("pings", 12, Frame(.ping, [UInt8](repeating: 0, count: 8))),
    flood("cancels", 3_000, .cancel(1)),
    flood("CREDIT frames", 1_500, .credit(1)),
    flood("frames of later versions", 5_000, Frame(raw: 0xFE)),
    flood("pongs", 5_000, Frame(.ping, flags: .pong, [UInt8](repeating: 0, count: 8))),
    ErrorRow(
      name: "empty DATA",
      bytes: opening + Frame.call(9_999, stream: 1).bytes()
        + Array(repeating: Frame(.data, stream: 1), count: 5_000).bytes, answer: .goAway(.calm)),
    ErrorRow(
      name: "empty fragments",
      bytes: opening + Frame.call(echo, stream: 1, flags: .more).bytes()
        + Array(repeating: Frame.call(0, stream: 1, flags: .more), count: 5_000).bytes, answer: .goAway(.calm)),
    ErrorRow(
      name: "malformed calls",
      bytes: opening + (0..<400).map { Frame.call(echo, stream: $0 * 2 + 1, [0xFF]) }.bytes, answer: .goAway(.calm)),
    ErrorRow(
      name: "malformed metadata",
      bytes: opening + (0..<400).map { Frame.call(echo, stream: $0 * 2 + 1, meta: [0xFF]) }.bytes, answer: .goAway(.calm)),
  ]

  private static func flood(_ name: String, _ count: Int, _ frame: Frame) -> ErrorRow {
    ErrorRow(name: name, bytes: opening + Array(repeating: frame, count: count).bytes, answer: .goAway(.calm))
  }

  static let calls: [ErrorRow] = [
    .open("metadata without a length", .reply(.invalidArgument), Frame(.call, flags: [.end, .meta], aux: echo, stream: 1)),
    .open("metadata cut off", .reply(.invalidArgument), Frame(.call, flags: [.end, .meta], aux: echo, stream: 1, [0, 9, 1])),
    .open("metadata unreadable", .reply(.invalidArgument), .call(echo, stream: 1, meta: [0xFF])),
    .open("metadata without UTF-8", .reply(.invalidArgument), .call(echo, stream: 1, meta: [0x12, 2, 0xC0, 0x80])),
    .open("metadata with a bad key", .reply(.invalidArgument), .call(echo, stream: 1, meta: meta(["A B"]))),
    .open("metadata with NUL in a key", .reply(.invalidArgument), .call(echo, stream: 1, meta: meta(["a\0b"]))),
    .open("metadata of 65 entries", .reply(.invalidArgument), .call(echo, stream: 1, meta: meta((0..<65).map { "k\($0)" }))),
    .open(
      "metadata of 10,000 entries", .reply(.resourceExhausted), .call(echo, stream: 1, meta: meta((0..<5_000).map { "k\($0)" }))),
    .open("metadata of 60 KB", .reply(.resourceExhausted), .call(echo, stream: 1, meta: [UInt8](repeating: 0, count: 60_000))),
    ErrorRow(
      name: "message above the limit",
      bytes: opening + Frame.fragments(echo, stream: 1, [UInt8](repeating: 0, count: 4 * 1024 * 1024 + 1)).bytes,
      answer: .reply(.resourceExhausted)),
    .open(
      "message that cannot be inflated", .reply(.invalidArgument), .call(echo, stream: 1, flags: [.end, .compressed], [1, 2, 3])),
    .open("message that is no request", .reply(.invalidArgument), .call(echo, stream: 1, [0xFF, 0xFF])),
    .open("empty request", .reply(.invalidArgument), .call(Method.create.rawValue, stream: 1)),
    .open("unknown method", .reply(.unimplemented), .call(9_999, stream: 1)),
    .open("unknown path", .reply(.unimplemented), .call(0, stream: 1, meta: [0x22, 2] + Array("/x".utf8))),
    ErrorRow(
      name: "unfinished messages above 8 MiB",
      bytes: opening
        + (0..<3).flatMap {
          Frame.fragments(echo, stream: $0 * 2 + 1, [UInt8](repeating: 0, count: 3 * 1024 * 1024), isComplete: false)
        }.bytes, answer: .cancel(.refused), stream: 5),
  ]

  /// Metadata of entries with these keys and no values.
  static func meta(_ keys: [String]) -> [UInt8] {
    keys.flatMap { [0x2A, UInt8($0.utf8.count + 2), 0x0A, UInt8($0.utf8.count)] + Array($0.utf8) }
  }
}
