import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Clients that ask for large answers and read none of them.
  @Suite struct LargeAnswerTests {
    /// Large answers wait in memory for clients that read none of them: 128 calls on each connection.
    @Test(arguments: Attack.large) func largeAnswersThatNobodyReadsStaySmall(_ attack: Attack) throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(
        folder: folder.path, arguments: ["--write-stall-timeout-ms", "1000", "--handshake-timeout-ms", "2000"])
      try LargeAnswerTests.addLarge(daemon.port)
      var random = SeededGenerator(seed: 0)
      try attack.run(daemon.port, &random)
      print("attack \(attack.name): peak \(daemon.residentPeakMiB) MiB")
      #expect(daemon.residentPeakMiB <= 256)
      #expect(daemon.isRunning)
    }

    @Test func othersAreServedWhileNobodyReadsLargeAnswers() throws {
      let folder = try TemporaryFolder()
      // Nobody is closed for not reading during the test.
      let daemon = try DaemonProcess(folder: folder.path, arguments: [])
      try LargeAnswerTests.addLarge(daemon.port)
      try AttackTests.fill(daemon.port)
      let client = try FramedConnection(port: daemon.port)
      let held = try Attack.holdLargeAnswers(daemon.port, connections: 100)
      var maker = try WriteMaker(seed: 4, type: "item")
      for number in 0..<20 {
        #expect(try client.entity(maker.key("small\(number)"), in: .default).version == .first)
        let few = ListRequest(space: .default, type: maker.type, afterID: try makeID("small1"), limit: 3)
        let list = try client.call(.list, few)
        #expect(list.code == .ok && list.data.count == 1)
        let stale = try maker.delete("small\(number)", expected: 9)
        #expect(try client.write(stale, in: .default).conflict?.current != nil)
      }
      #expect(held.count == 100)
      print("attack while others are served: peak \(daemon.residentPeakMiB) MiB")
      #expect(daemon.residentPeakMiB <= 256)
    }

    /// One entity of nearly 1 MiB.
    private static func addLarge(_ port: Int) throws {
      let client = try FramedConnection(port: port)
      var maker = try WriteMaker(seed: 3, type: "item")
      let large = Value.bytes([UInt8](repeating: 7, count: 1_000_000))
      #expect(try client.write(maker.create("large", [("data", large)]), in: .default).code == .applied)
    }
  }
}

extension Attack {
  /// Tiny calls about an entity of 1 MB, with large answers that nobody reads.
  static let large: [Attack] = [
    Attack(name: "gets and lists of 1 MB that nobody reads") { port, _ in
      expectGivenUp(try holdLargeAnswers(port, connections: 4))
    },
    Attack(name: "lists of 1 MB that nobody reads") { port, _ in
      let list = try listRequest()
      expectGivenUp(try hold(port, connections: 20) { _, _ in (Attack.list, list) })
    },
    Attack(name: "stale deletes of 1 MB that nobody reads") { port, random in
      var maker = try WriteMaker(seed: random.next(), type: "item")
      let arena = MessageArena()
      let connections = try hold(port, connections: 20) { _, _ in
        let request = WriteRequest(space: .default, item: try maker.delete("large", expected: 77))
        return (TidemarkWire.Method.delete.rawValue, try request.encode(using: arena))
      }
      expectGivenUp(connections)
    },
    Attack(name: "asking whether 1 MB is there, and reading no answer") { port, random in
      var maker = try WriteMaker(seed: random.next(), type: "item")
      let arena = MessageArena()
      let connections = try hold(port, connections: 20) { _, _ in
        let request = WriteRequest(space: .default, item: maker.make(try makeID("large"), .getOrCreate(Fields())))
        return (TidemarkWire.Method.getOrCreate.rawValue, try request.encode(using: arena))
      }
      expectGivenUp(connections)
    },
    Attack(name: "many gets of 1 MB at once that nobody reads") { port, _ in
      let key = EntityKey(type: try #require(TypeName("item")), id: try makeID("large"))
      let request = BatchGetRequest(space: .default, keys: Array(repeating: key, count: 100))
      let bytes = try request.encode(using: MessageArena())
      expectGivenUp(try hold(port, connections: 8) { _, _ in (TidemarkWire.Method.batchGet.rawValue, bytes) })
    },
  ]

  /// Connections with 128 gets or lists of 1 MB each and all the credit there is.
  static func holdLargeAnswers(_ port: Int, connections: Int) throws -> [RawConnection] {
    let (get, list) = (try getRequest("large"), try listRequest())
    return try hold(port, connections: connections) { number, _ in
      number % 2 == 0 ? (Attack.get, get) : (Attack.list, list)
    }
  }

  static func hold(
    _ port: Int, connections: Int, _ call: (Int, UInt32) throws -> (method: UInt16, message: [UInt8])
  ) throws -> [RawConnection] {
    try (0..<connections).map { number in
      let connection = try RawConnection(port: port)
      let calls = try (UInt32(0)..<128).map { index in
        let (method, message) = try call(number, index)
        return Frame.call(method, stream: index * 2 + 1, message)
      }
      connection.send(opening + calls.bytes)
      let credits = (0..<128).map { Frame.credit(0x7000_0000, stream: $0 * 2 + 1) }
      connection.send(credits.bytes + Frame.credit(0x7000_0000).bytes())
      return connection
    }
  }

  /// Expects that clients that read nothing are closed.
  static func expectGivenUp(_ connections: [RawConnection]) {
    for (index, connection) in connections.enumerated() { #expect(connection.isGivenUp(after: index == 0 ? 4_000 : 50)) }
  }

  private static func getRequest(_ id: String) throws -> [UInt8] {
    let key = EntityKey(type: try #require(TypeName("item")), id: try makeID(id))
    return try GetRequest(space: .default, key: key).encode(using: MessageArena())
  }
}
