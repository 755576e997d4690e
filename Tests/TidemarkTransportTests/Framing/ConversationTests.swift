import NIOCore
import Testing
import TidemarkTesting
import TidemarkWire

@testable import TidemarkTransport

/// A client's machine talks to a server's machine through two pipes that deliver pieces of any size.
struct ConversationTests {
  /// Watches DATA and CREDIT on the way, and finds a byte sent without credit.
  struct CreditWatch {
    var connection: Int
    let streamInitial: Int
    var streams: [UInt32: Int] = [:]
    var violations = 0
    var rest = ByteBuffer()

    mutating func sent(_ bytes: ByteBuffer) {
      rest.writeImmutableBuffer(bytes)
      let frames = Frame.all(in: rest)
      for frame in frames where frame.type == .data {
        connection -= frame.payload.readableBytes
        streams[frame.stream, default: streamInitial] -= frame.payload.readableBytes
        if connection < 0 || (streams[frame.stream] ?? 0) < 0 { violations += 1 }
      }
      for frame in frames { rest.moveReaderIndex(forwardBy: FrameHeader.bytes + frame.payload.readableBytes) }
      rest.discardReadBytes()
    }

    mutating func credited(_ frames: [Frame]) {
      for frame in frames where frame.type == .credit {
        let increment = Int(frame.payload.getInteger(at: frame.payload.readerIndex, as: UInt32.self) ?? 0)
        if frame.stream == 0 { connection += increment } else { streams[frame.stream, default: streamInitial] += increment }
      }
    }
  }

  struct Conversation {
    var server: ServerHarness
    var client: ClientHarness
    var random: SeededGenerator
    var watch: CreditWatch
    private var toServer = ByteBuffer()
    private var toClient = ByteBuffer()
    private var upstream = ByteBuffer()
    private var sawPreface = false

    init(seed: UInt64, configuration: ClientConfiguration = ClientConfiguration(), limits: ServerLimits = ServerLimits()) {
      random = SeededGenerator(seed: seed)
      server = ServerHarness(limits: limits)
      client = ClientHarness(configuration: configuration)
      watch = CreditWatch(
        connection: configuration.hello.effectiveConnectionCreditBytes,
        streamInitial: configuration.hello.effectiveStreamCreditBytes)
    }

    /// Delivers one piece in some direction; `false` when nothing is under way.
    mutating func step() -> Bool {
      collect()
      guard toServer.readableBytes + toClient.readableBytes > 0 else { return false }
      let largest = [1, 20, 500, 70_000].randomElement(using: &random) ?? 1
      if toClient.readableBytes == 0 || (toServer.readableBytes > 0 && Bool.random(using: &random)) {
        if let piece = toServer.readSlice(length: min(toServer.readableBytes, .random(in: 1...largest, using: &random))) {
          server.feed(piece)
        }
      } else if let piece = toClient.readSlice(
        length: min(toClient.readableBytes, .random(in: 1...largest, using: &random)))
      {
        client.feed(piece)
      }
      return true
    }

    private mutating func collect() {
      upstream.writeImmutableBuffer(client.output)
      toServer.writeBuffer(&client.output)
      client.output.clear()
      if !sawPreface, upstream.readableBytes >= Preface.bytes {
        upstream.moveReaderIndex(forwardBy: Preface.bytes)
        sawPreface = true
      }
      let frames = Frame.all(in: upstream)
      for frame in frames { upstream.moveReaderIndex(forwardBy: FrameHeader.bytes + frame.payload.readableBytes) }
      // Credit counts from when it was sent: the server cannot have it before.
      watch.credited(frames)
      watch.sent(server.output)
      toClient.writeBuffer(&server.output)
      server.output.clear()
      _ = server.machine.outbound.hasWaiting
      server.machine.pumpStreams(into: &server.output)
      watch.sent(server.output)
      toClient.writeBuffer(&server.output)
      server.output.clear()
      server.work()
    }
  }

  @Test func creditsAreNeverExceededAndEveryStreamArrives() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("creditsAreNeverExceededAndEveryStreamArrives seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<30 {
      var configuration = ClientConfiguration()
      // With a few bytes of credit every frame carries a few bytes, and the talk takes minutes.
      configuration.hello.streamCreditBytes = UInt32.random(in: 20...3_000, using: &random)
      configuration.hello.connectionCreditBytes = UInt32.random(in: 200...6_000, using: &random)
      var talk = Conversation(seed: random.next(), configuration: configuration)
      let count = Int.random(in: 1...12, using: &random)
      let calls = (0..<count).map { _ in
        let size = Int.random(in: 0...10_000, using: &random)
        return talk.client.call(Method.list.rawValue, ByteBuffer(repeating: 1, count: size), isStream: true)
      }
      var rounds = 0
      while talk.client.resultCount < count, rounds < 2_000_000, talk.client.closed == nil {
        rounds += 1
        let moved = talk.step()
        if !moved || Int.random(in: 0..<4, using: &random) == 0 { talk.client.take() }
      }
      #expect(talk.watch.violations == 0, "seed \(seed)")
      #expect(talk.client.resultCount == count, "seed \(seed)")
      for call in calls {
        #expect(talk.client.messages[ObjectIdentifier(call)] == 2, "seed \(seed)")
        #expect(talk.client.reply(call)?.status == nil)
      }
    }
  }

  @Test func consumerThatTakesNothingHoldsOneCreditAtMost() {
    var configuration = ClientConfiguration()
    configuration.hello.streamCreditBytes = 1_000
    var talk = Conversation(seed: 1, configuration: configuration)
    for _ in 0..<5 { talk.client.call(Method.list.rawValue, ByteBuffer(repeating: 1, count: 900), isStream: true) }
    for _ in 0..<100_000 where talk.step() {}
    #expect(talk.client.bytesUntakenMax <= 5 * 1_000)
    #expect(talk.client.resultCount == 0)
    while talk.client.resultCount < 5 {
      if !talk.step() { talk.client.take() }
    }
    #expect(talk.client.messages.values.allSatisfy { $0 == 2 })
  }

  @Test(arguments: [false, true]) func unaryCallsOfEverySizeComeBack(_ compresses: Bool) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("unaryCallsOfEverySizeComeBack seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var configuration = ClientConfiguration()
    configuration.compressesRequests = compresses
    configuration.hello.frameBytesMax = 16_384
    var limits = ServerLimits()
    limits.compressesReplies = compresses
    var talk = Conversation(seed: seed, configuration: configuration, limits: limits)
    while talk.step() {}
    var calls: [(ClientCall, ByteBuffer)] = []
    for _ in 0..<40 {
      let size = [0, 10, 1_024, 16_384, 65_536, 300_000].randomElement(using: &random) ?? 0
      let letters: [UInt8] = (0..<size).map { _ in UInt8.random(in: 97...100, using: &random) }
      let message = ByteBuffer(bytes: letters)
      calls.append((talk.client.call(40, message), message))
    }
    while talk.step() {}
    for (call, message) in calls { #expect(talk.client.reply(call)?.message == message, "seed \(seed)") }
  }

  @Test func clientStreamsRespectTheServersCredit() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("clientStreamsRespectTheServersCredit seed \(seed)")
    var talk = Conversation(seed: seed)
    let call = talk.client.call(
      ServerHarness.clientStream, ByteBuffer(string: "first"), isStream: true, isHalfClosed: false)
    for number in 0..<40 {
      talk.client.machine.sendMessage(
        ByteBuffer(repeating: 2, count: 30_000), isLast: number == 39, on: call, into: &talk.client.output)
    }
    var rounds = 0
    while talk.client.resultCount == 0, rounds < 1_000_000 {
      rounds += 1
      if !talk.step() { talk.client.take() }
    }
    #expect(talk.client.reply(call)?.message == ByteBuffer(string: "first"), "seed \(seed)")
    #expect(talk.client.messages[ObjectIdentifier(call)] == 40)
    #expect(talk.server.closedAfterWriting == nil)
  }
}
