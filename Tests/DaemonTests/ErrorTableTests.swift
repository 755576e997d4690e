import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Every row of the table of errors in docs/PROTOCOL.md, against the running daemon, beside a client that behaves.
  @Suite struct ErrorTableTests {
    /// A call whose answer shows that the connection is still good.
    private static let probe: UInt32 = 99_999

    @Test func everyRowIsAnsweredAsDocumentedAndHarmsNobody() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      let processID = daemon.processID
      let bystander = try Bystander(port: daemon.port)
      let before = bystander.run(calls: 150)
      bystander.start()
      for row in ErrorRows.handshake + ErrorRows.frames + ErrorRows.streams + ErrorRows.floods + ErrorRows.calls {
        try check(row, daemon.port)
      }
      try checkRowsWithACallInFlight(daemon.port)
      expectUnharmed(daemon, bystander.stop(), before: before)
      #expect(daemon.processID == processID)
      #expect(daemon.terminate() == 0)
    }

    @Test func everyInvalidVectorIsAnsweredAsItSays() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      let bystander = try Bystander(port: daemon.port)
      let before = bystander.run(calls: 150)
      bystander.start()
      let vectors = try FrameVector.all(prefix: "invalid-")
      #expect(vectors.count >= 30)
      for vector in vectors {
        let connection = try RawConnection(port: daemon.port)
        connection.send(try vector.clientForDaemon())
        let answer = try #require(connection.receiveUntilClosed(), "\(vector.name) was not closed")
        let expected = Frame.all(in: vector.server).filter { $0.type == FrameType.goAway.rawValue }
        #expect(Frame.all(in: answer).filter { $0.type == FrameType.goAway.rawValue } == expected, "\(vector.name)")
        #expect(vector.end == "close silently" ? answer.isEmpty : !expected.isEmpty, "\(vector.name)")
      }
      expectUnharmed(daemon, bystander.stop(), before: before)
      #expect(daemon.terminate() == 0)
    }

    @Test func silenceEndsAsDocumented() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(
        folder: folder.path,
        arguments: ["--handshake-timeout-ms", "200", "--frame-timeout-ms", "300", "--idle-timeout-ms", "600"])
      let silent = try RawConnection(port: daemon.port)
      let half = try RawConnection(port: daemon.port)
      half.send([0x54, 0x44])
      let prefaced = try RawConnection(port: daemon.port)
      prefaced.send(Array(opening.prefix(8)))
      let slow = try RawConnection(port: daemon.port)
      slow.send(opening + Frame.call(40, stream: 1, [1, 2, 3]).bytes().dropLast())
      let idle = try RawConnection(port: daemon.port)
      idle.send(opening)
      #expect(silent.receiveUntilClosed() == [])
      #expect(half.receiveUntilClosed() == [])
      #expect(try end(of: prefaced) == .goAway(.timeout))
      #expect(try end(of: slow) == .goAway(.timeout))
      #expect(try end(of: idle) == .goAway(.none))
      #expect(daemon.terminate() == 0)
    }

    @Test func clientThatAnswersNoPingIsClosedAndOneThatDoesStays() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(
        folder: folder.path, arguments: ["--keepalive-interval-ms", "100", "--keepalive-timeout-ms", "1000"])
      let silent = try RawConnection(port: daemon.port)
      silent.send(opening)
      let awake = try FramedConnection(port: daemon.port)
      // Answers each by itself.
      for _ in 0..<3 { #expect(try awake.nextFrame().type == FrameType.ping.rawValue) }
      let frames = Frame.all(in: try #require(silent.receiveUntilClosed(), "it was not closed"))
      #expect(frames.map(\.type) == [FrameType.hello, .ping, .goAway].map(\.rawValue))
      #expect(frames.last.map(answer) == .goAway(.timeout))
      #expect(try awake.call(.getServerInfo, GetServerInfoRequest()).code == .ok)
      #expect(daemon.terminate() == 0)
    }

    // MARK: Checking

    private func check(_ row: ErrorRow, _ port: Int, _ sourceLocation: SourceLocation = #_sourceLocation) throws {
      let connection = try RawConnection(port: port)
      connection.send(row.bytes)
      switch row.answer {
      case .silence: #expect(connection.receiveUntilClosed() == [], "\(row.name)", sourceLocation: sourceLocation)
      case .goAway: #expect(try end(of: connection, row.name) == row.answer, "\(row.name)", sourceLocation: sourceLocation)
      case .reply, .cancel, .ignored:
        connection.send(Frame.call(41, stream: ErrorTableTests.probe).bytes())
        let frames = try framesUntilProbe(connection, row.name).filter { $0.stream == row.stream }
        let got = frames.last { $0.type != FrameType.credit.rawValue }.map(answer) ?? .ignored
        #expect(got == row.answer, "\(row.name): \(frames)", sourceLocation: sourceLocation)
      }
    }

    /// How a connection ended that must have been closed.
    private func end(of connection: RawConnection, _ name: String = "") throws -> ErrorRow.Answer {
      let bytes = try #require(connection.receiveUntilClosed(), "\(name): the connection was not closed")
      guard let last = Frame.all(in: bytes).last else { return .silence }
      return answer(last)
    }

    private func answer(_ frame: Frame) -> ErrorRow.Answer {
      switch FrameType(rawValue: frame.type) {
      case .goAway: .goAway(FramingErrorCode(aux: frame.aux))
      case .cancel: .cancel(FramingErrorCode(aux: frame.aux))
      case .reply: .reply(StatusCode(rawValue: frame.aux) ?? .unknown)
      default: .ignored
      }
    }

    /// Everything that came until the probe was answered well.
    private func framesUntilProbe(_ connection: RawConnection, _ name: String) throws -> [Frame] {
      var bytes: [UInt8] = []
      while true {
        let frames = Frame.all(in: bytes)
        if let probe = frames.last(where: { $0.stream == ErrorTableTests.probe }) {
          #expect(probe.aux == 0, "\(name)")
          return frames
        }
        let chunk = try #require(connection.receive(), "\(name): silence")
        try #require(!chunk.isEmpty, "\(name): closed after \(frames)")
        bytes += chunk
      }
    }

    /// The rows that need a call whose answer waits: a List to a client that gives one byte of credit.
    private func checkRowsWithACallInFlight(_ port: Int) throws {
      var hello = Hello()
      hello.streamCreditBytes = 1
      let greeting = opening.prefix(8) + Frame(.hello, hello.encode()).bytes()
      let request = try ListRequest(space: .default, type: try #require(TypeName("booking"))).encode(using: MessageArena())
      func list(_ stream: UInt32, _ flags: FrameFlags) -> Frame {
        .call(TidemarkWire.Method.list.rawValue, stream: stream, flags: flags, request)
      }
      func row(_ name: String, _ answer: ErrorRow.Answer, stream: UInt32 = 1, _ frames: [Frame]) -> ErrorRow {
        ErrorRow(name: name, bytes: greeting + frames.bytes, answer: answer, stream: stream)
      }
      let large = [UInt8](repeating: 0, count: 65_536)
      for row in [
        row("DATA after END", .cancel(.streamClosed), [list(1, .end), Frame(.data, stream: 1, [1])]),
        row("CALL continuing a complete message", .goAway(.protocolViolation), [list(1, .end), .call(0, stream: 1)]),
        row(
          "DATA that cannot be inflated", .cancel(.compression), [list(1, []), Frame(.data, flags: .compressed, stream: 1, [1])]),
        row(
          "DATA beyond credit", .goAway(.flowControl),
          [
            list(1, []), Frame(.data, flags: .more, stream: 1, Array(large.prefix(30_000))),
            Frame(.data, flags: .more, stream: 1, large),
          ]),
        row(
          "CREDIT adding up on a stream", .goAway(.flowControl), [list(1, .end), .credit(0x7FFF_FFFF, stream: 1)]),
        row(
          "COMPRESSED in a fragment", .goAway(.protocolViolation),
          [list(1, []), Frame(.data, flags: .more, stream: 1, [1]), Frame(.data, flags: .compressed, stream: 1, [1])]),
        row("no free slot", .cancel(.refused), stream: 257, (0..<129).map { list($0 * 2 + 1, .end) }),
      ] {
        if row.name == "no free slot" { try checkRefusal(row, port) } else { try check(row, port) }
      }
    }

    /// With every slot taken the probe is refused, too; once one is free it is answered.
    private func checkRefusal(_ row: ErrorRow, _ port: Int) throws {
      let connection = try RawConnection(port: port)
      connection.send(row.bytes + [Frame.cancel(1), .cancel(3)].bytes)
      var bytes: [UInt8] = []
      while !Frame.all(in: bytes).contains(where: { $0.stream == row.stream }) {
        let chunk = try #require(connection.receive())
        try #require(!chunk.isEmpty)
        bytes += chunk
      }
      let refusal = try #require(Frame.all(in: bytes).first { $0.stream == row.stream })
      #expect(answer(refusal) == row.answer)
      // A cancelled call keeps its slot until a reader's thread is done with it, so the first probes may be refused, too.
      for attempt in 0..<1_000 as Range<UInt32> {
        let stream = ErrorTableTests.probe + 2 * attempt
        connection.send(Frame.call(41, stream: stream).bytes())
        while !Frame.all(in: bytes).contains(where: { $0.stream == stream }) {
          let chunk = try #require(connection.receive(), "\(row.name): silence")
          try #require(!chunk.isEmpty, "\(row.name): closed")
          bytes += chunk
        }
        guard let last = Frame.all(in: bytes).last(where: { $0.stream == stream }), answer(last) == row.answer else {
          #expect(Frame.all(in: bytes).last { $0.stream == stream }?.aux == 0, "\(row.name)")
          return
        }
      }
      Issue.record("\(row.name): no slot was ever free again")
    }
  }
}
