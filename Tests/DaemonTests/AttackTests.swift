import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Clients that mean harm: the daemon lives, stays small, and serves the others nearly as fast as before.
  @Suite struct AttackTests {
    @Test(arguments: Attack.all) func theDaemonLivesAndServesOthers(_ attack: Attack) throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(
        folder: folder.path, arguments: attack.arguments)
      let bystander = try Bystander(port: daemon.port)
      if attack.needsData { try AttackTests.fill(daemon.port) }
      let before = bystander.run(calls: 150)
      bystander.start()
      var random = SeededGenerator(seed: makeSeed(attack.name))
      let begin = ContinuousClock.now
      try attack.run(daemon.port, &random)
      expectUnharmed(daemon, bystander.stop(), before: before)
      #expect(!daemon.log.contains("Fatal error"))
      print("attack \(attack.name): \(ContinuousClock.now - begin), peak \(daemon.residentPeakMiB) MiB")
    }

    /// 2,000 entities of 1 KiB.
    static func fill(_ port: Int) throws {
      let client = try FramedConnection(port: port)
      var maker = try WriteMaker(seed: 2, type: "item")
      let text = Value.string(String(repeating: "x", count: 1_000))
      for start in stride(from: 0, to: 2_000, by: 100) {
        let streams = try (start..<start + 100).map {
          try client.start(maker.create("small\($0)", [("text", text)]), in: .default)
        }
        for stream in streams { #expect(try client.outcome(of: client.reply(to: stream)).code == .applied) }
      }
    }
  }
}

/// One way to attack.
struct Attack: Sendable, CustomTestStringConvertible {
  var name: String
  var needsData = false
  /// Settings of the daemon.
  var arguments: [String] = []
  var run: @Sendable (Int, inout SeededGenerator) throws -> Void
  var testDescription: String { name }

  private static let echo = TidemarkWire.Method.echo.rawValue
  private static let create = TidemarkWire.Method.create.rawValue
  static let get = TidemarkWire.Method.get.rawValue
  static let list = TidemarkWire.Method.list.rawValue

  static let all = messages + floods + patience

  // MARK: Messages

  private static let messages: [Attack] = [
    Attack(name: "length lies") { port, _ in
      // Announced and never sent: nothing may be reserved for it.
      let held = try (0..<400).map { _ in
        let connection = try RawConnection(port: port)
        connection.send(opening + Frame.call(echo, stream: 1).bytes(length: 65_536))
        return connection
      }
      for length: UInt32 in [65_537, 0x7FFF_FFFF, 0x8000_0000, .max] {
        let connection = try RawConnection(port: port)
        connection.send(opening + Frame.call(echo, stream: 1).bytes(length: length))
        let answer = try #require(connection.receiveUntilClosed())
        #expect(Frame.all(in: answer).last?.aux == FramingErrorCode.frameTooLarge.rawValue)
      }
      #expect(held.count == 400)
    },
    // Field 4 of a create and field 3 of a Get of many are repeated messages; 0 bytes each.
    message("empty sub-messages", create, AttackBytes.repeated([0x22, 0x00]), [.invalidArgument]),
    message("empty keys", TidemarkWire.Method.batchGet.rawValue, AttackBytes.repeated([0x12, 0x00]), [.invalidArgument]),
    message("scalars again and again", echo, entity(AttackBytes.repeated([0x18, 0x01])), [.ok, .invalidArgument]),
    message("packed scalars", echo, entity(AttackBytes.repeated([0x01])), [.invalidArgument]),
    message("unknown fields", create, AttackBytes.repeated([0xF8, 0x07, 0x01]), [.invalidArgument]),
    message("nesting", echo, AttackBytes.nested(depth: 20_000), [.invalidArgument]),
    message("nesting to the limit of a message", create, AttackBytes.nested(depth: 800_000), [.invalidArgument]),
    message("inflating to 4 MiB", echo, AttackBytes.bomb(bytes: 4 * 1024 * 1024 - 1), [.invalidArgument], isCompressed: true),
    message("inflating to 64 MiB", echo, AttackBytes.bomb(bytes: 64 * 1024 * 1024), [.invalidArgument], isCompressed: true),
    Attack(name: "metadata") { port, random in
      let blocks: [[UInt8]] = [
        ErrorRows.meta((0..<5_000).map { "k\($0)" }), [UInt8](repeating: 0x2A, count: 60_000), [0x12, 3, 0x61, 0x00, 0x62],
        [0x12, 2, 0xC0, 0x80], ErrorRows.meta(["a\0b"]), [0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        [UInt8](repeating: 0xFF, count: 8_192),
        AttackBytes.nested(depth: 2_000), AttackBytes.garbage(&random),
      ]
      for block in Array(repeating: blocks, count: 40).flatMap({ $0 }) {
        let connection = try RawConnection(port: port)
        let calls = (0..<3).map { Frame.call(echo, stream: $0 * 2 + 1, meta: block) }
        connection.send(opening + calls.bytes + Frame.call(41, stream: 9).bytes())
        #expect(try connection.frames(until: 9).last?.aux == 0)
      }
    },
  ]

  /// Sends one message many times, some of them at once, and expects a status for each.
  private static func message(
    _ name: String, _ method: UInt16, _ message: [UInt8], _ statuses: Set<StatusCode>, isCompressed: Bool = false
  ) -> Attack {
    Attack(name: name) { port, _ in
      let connections = try (0..<4).map { _ in try RawConnection(port: port) }
      for connection in connections { connection.send(opening) }
      for round in 0..<2 {
        let stream = UInt32(round) * 2 + 1
        var frames = Frame.fragments(method, stream: stream, message)
        if isCompressed { frames[0].flags.insert(.compressed) }
        for connection in connections { connection.send(frames.bytes) }
        for connection in connections {
          let reply = try #require(try connection.frames(until: stream).last)
          #expect(reply.type == FrameType.reply.rawValue)
          let status = try #require(StatusCode(rawValue: reply.aux))
          #expect(statuses.contains(status), "\(status)")
        }
      }
    }
  }

  /// The bytes as the entity of an echo request.
  private static func entity(_ bytes: [UInt8]) -> [UInt8] { [0x0A] + AttackBytes.varint(UInt64(bytes.count)) + bytes }

  // MARK: Floods

  private static let floods: [Attack] = [
    Attack(name: "rapid cancel", needsData: true) { port, _ in
      // 100,000 calls, each cancelled at once.
      let list = try listRequest()
      var sent = 0
      while sent < 100_000 {
        let connection = try RawConnection(port: port)
        connection.send(opening)
        for batch in 0..<20 {
          let streams = (0..<100).map { UInt32(batch * 100 + $0) * 2 + 1 }
          let frames = streams.flatMap { [Frame.call(Attack.list, stream: $0, list), Frame.cancel($0)] }
          guard connection.send(frames.bytes) else { break }
          sent += streams.count
        }
      }
    },
    flood("pings", Frame(.ping, [UInt8](repeating: 1, count: 8))),
    flood("pongs", Frame(.ping, flags: .pong, [UInt8](repeating: 1, count: 8))),
    flood("credit", .credit(1)),
    flood("empty data", Frame(.data, stream: 1), first: .call(9_999, stream: 1)),
    flood("empty fragments", .call(0, stream: 1, flags: .more), first: .call(40, stream: 1, flags: .more)),
    flood("frames of later versions", Frame(raw: 0x99, [1, 2, 3])),
    Attack(name: "garbage") { port, random in
      for number in 0..<2_000 {
        let connection = try RawConnection(port: port)
        switch number % 4 {
        case 0: connection.send(AttackBytes.garbage(&random))
        case 1: connection.send(Array(opening.prefix(8)) + AttackBytes.garbage(&random))
        case 2: connection.send(opening + AttackBytes.garbage(&random))
        default: connection.send(opening + AttackBytes.wildFrames(&random))
        }
        if number % 3 == 0 { connection.halfClose() }
      }
    },
  ]

  private static func flood(_ name: String, _ frame: Frame, first: Frame? = nil) -> Attack {
    Attack(name: name) { port, _ in
      let bytes = Array(repeating: frame, count: 1_000).bytes
      for _ in 0..<40 {
        let connection = try RawConnection(port: port)
        connection.send(opening + (first?.bytes() ?? []))
        for _ in 0..<10 { guard connection.send(bytes) else { break } }
        let answer = try #require(connection.receiveUntilClosed())
        // A reset may take the GOAWAY away, but nothing else is ever the end.
        let last = Frame.all(in: answer).last { $0.type == FrameType.goAway.rawValue }
        #expect(last.map { $0.aux == FramingErrorCode.calm.rawValue } ?? true)
      }
    }
  }

  static func listRequest() throws -> [UInt8] {
    try ListRequest(space: .default, type: try #require(TypeName("item"))).encode(using: MessageArena())
  }

  // MARK: Patience

  private static let patience: [Attack] = [
    Attack(name: "slowloris", arguments: ["--handshake-timeout-ms", "500"]) { port, _ in
      // 200 connections that send their handshake one byte a round; a round lasts 20 ms of waiting for the first to be closed.
      let connections = try (0..<200).map { _ in try RawConnection(port: port) }
      for byte in opening.dropLast() {
        for connection in connections { _ = connection.sendWithoutWaiting([byte]) }
        _ = connections[0].receive(timeoutMilliseconds: 20)
      }
      for connection in connections { #expect(connection.receiveUntilClosed() != nil) }
    },
    Attack(
      name: "lists that nobody reads", needsData: true,
      arguments: ["--write-stall-timeout-ms", "1000", "--handshake-timeout-ms", "2000"]
    ) { port, _ in
      let list = try listRequest()
      // All the credit there is, and still nothing is read.
      expectGivenUp(try hold(port, connections: 20) { _, _ in (Attack.list, list) })
    },
    Attack(name: "lists without credit", needsData: true) { port, _ in
      let list = try listRequest()
      var hello = Hello()
      (hello.streamCreditBytes, hello.connectionCreditBytes) = (1, 1)
      let start = opening.prefix(8) + Frame(.hello, hello.encode()).bytes()
      for _ in 0..<40 {
        let connection = try RawConnection(port: port)
        connection.send(start + (0..<128).map { Frame.call(Attack.list, stream: $0 * 2 + 1, list) }.bytes)
        // The 128 slots are taken; the next call is refused while they are held.
        connection.send(Frame.call(41, stream: 1_001).bytes())
        #expect(try connection.frames(until: 1_001).last?.type == FrameType.cancel.rawValue)
      }
    },
    Attack(name: "calls that never end", needsData: true) { port, _ in
      let list = try listRequest()
      var connections: [RawConnection] = []
      for _ in 0..<100 {
        let connection = try RawConnection(port: port)
        let calls = (0..<60).flatMap { number -> [Frame] in
          let stream = UInt32(number) * 2 + 1
          let method = [Attack.list, Attack.create, Attack.get, 9_999][number % 4]
          return [.call(method, stream: stream, flags: number % 3 == 0 ? .more : [], list)]
        }
        connection.send(opening + calls.bytes)
        connections.append(connection)
      }
      // Each is answered or waits; none is closed, and the daemon answers further calls on them.
      for connection in connections {
        connection.send(Frame.call(41, stream: 1_001).bytes())
        #expect(try connection.frames(until: 1_001).last?.aux == 0)
      }
    },
    Attack(name: "messages that never end") { port, _ in
      let half = [UInt8](repeating: 0, count: 4 * 1024 * 1024)
      for _ in 0..<20 {
        let connection = try RawConnection(port: port)
        connection.send(opening)
        for stream: UInt32 in [1, 3] { connection.send(Frame.fragments(echo, stream: stream, half, isComplete: false).bytes) }
      }
    },
  ]
}

extension RawConnection {
  /// The frames up to the end of the call on a stream. The others are among them.
  func frames(until stream: UInt32) throws -> [Frame] {
    var frames: [Frame] = []
    var bytes: ArraySlice<UInt8> = []
    let ends: [FrameType] = [.reply, .cancel, .goAway]
    while true {
      while let frame = Frame(takingFrom: &bytes) {
        frames.append(frame)
        if frame.stream == stream, ends.contains(where: { $0.rawValue == frame.type }), !frame.flags.contains(.more) {
          return frames
        }
      }
      let chunk = try #require(receive(), "nothing comes")
      try #require(!chunk.isEmpty, "closed after \(frames.suffix(3).map { ($0.type, $0.aux, $0.stream) })")
      bytes = ArraySlice(Array(bytes) + chunk)
    }
  }

  /// Reads nothing until the server gave up, then what the system still holds. False when more comes than a system holds.
  func isGivenUp(after milliseconds: Int32) -> Bool {
    // The end of the connection may stand behind bytes that were not read.
    _ = waitForHangUp(timeoutMilliseconds: milliseconds)
    var bytes = 0
    while bytes < 32 * 1024 * 1024, let chunk = receive() {
      if chunk.isEmpty { return true }
      bytes += chunk.count
    }
    return false
  }
}
