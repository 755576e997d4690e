import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

/// Several clients that write the same few entities as fast as they can, and a note of everything that was sent and answered.
struct Load {
  struct Sent {
    var item: WriteItem
  }

  struct Settled {
    var item: WriteItem
    var outcome: Outcome
  }

  var maker: WriteMaker
  /// Writes whose outcome is known.
  private(set) var settled: [Settled] = []
  /// How many of them were checked by sending them again.
  private var checked = 0
  /// Writes that were sent and not answered.
  private(set) var unknown: [Sent] = []
  /// Writes that a server which said goodbye had accepted, and did not answer.
  private(set) var unansweredAccepted = 0
  /// The last version and life of each entity that an answer told.
  private var seen: [EntityID: UInt64] = [:]
  private let ids: [EntityID]

  init(seed: UInt64) throws {
    maker = try WriteMaker(seed: seed)
    ids = try (0..<30).map { try makeID("entity-\($0)") }
  }

  var applied: [Settled] { settled.filter { $0.outcome.code == .applied } }

  /// What a write sets.
  static func written(_ item: WriteItem) -> [(FieldPath, Value)] {
    switch item.action {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _): fields.sorted.map { ($0.name, $0.value) }
    case .update(let patch, _):
      patch.entries.compactMap { entry in
        guard case .set(let value) = entry.operation else { return nil }
        return (entry.name, value)
      }
    case .delete, .restore: []
    }
  }

  // MARK: Running

  /// Writes on four connections, six calls in flight each, until a number of answers; then reads what comes after `stop`.
  mutating func run(_ port: Int, until answers: Int, stop: () -> Void) throws {
    let connections = try (0..<4).map { _ in try FramedConnection(port: port) }
    var inFlight = [[(stream: UInt32, item: WriteItem)]](repeating: [], count: connections.count)
    var answered = 0
    while answered < answers {
      for (index, connection) in connections.enumerated() {
        while inFlight[index].count < 6 {
          let item = try makeItem()
          inFlight[index].append((try connection.start(item, in: .default), item))
        }
      }
      for (index, connection) in connections.enumerated() {
        let (stream, item) = inFlight[index].removeFirst()
        settle(item, try connection.outcome(of: connection.reply(to: stream)))
        answered += 1
      }
    }
    stop()
    for (index, connection) in connections.enumerated() {
      let replies = connection.repliesUntilClosed()
      let last = connection.goAways.last?.lastStream
      for (stream, item) in inFlight[index] {
        if let reply = replies[stream], let outcome = try? connection.outcome(of: reply) {
          settle(item, outcome)
        } else {
          if let last, stream <= last { unansweredAccepted += 1 }
          unknown.append(Sent(item: item))
        }
      }
    }
  }

  private mutating func settle(_ item: WriteItem, _ outcome: Outcome) {
    settled.append(Settled(item: item, outcome: outcome))
    if let id = item.id, let version = outcome.version { seen[id] = max(seen[id] ?? 0, version.rawValue) }
  }

  private mutating func makeItem() throws -> WriteItem {
    let id = try #require(ids.randomElement(using: &maker.random))
    let number = Value.int(Int64.random(in: 0...Int64.max, using: &maker.random))
    let text = Value.string(String(repeating: "x", count: Int.random(in: 0...300, using: &maker.random)))
    let fields: [(String, Value)] = [("number", number), ("text", text)]
    guard let version = seen[id] else { return try maker.create(id.text, fields) }
    let expected = Expected(version: EntityVersion(rawValue: version))
    switch Int.random(in: 0..<10, using: &maker.random) {
    case 0: return maker.make(id, .delete(expected))
    case 1: return maker.make(id, .restore(expected))
    case 2: return try maker.create(id.text, fields)
    case 3: return maker.make(id, .replace(try makeFields(fields), expected))
    default: return try maker.update(id.text, fields, expected: version)
    }
  }

  // MARK: After a crash

  /// Sends every write of unknown outcome again with its operation id, twice: the second answer replays the first.
  mutating func resolveUnknown(_ port: Int) throws {
    let connection = try FramedConnection(port: port)
    for sent in unknown {
      let outcome = try connection.write(sent.item, in: .default)
      let again = try connection.write(sent.item, in: .default)
      #expect(again.isReplay)
      expectSame(again, outcome)
      settle(sent.item, outcome)
    }
    unknown = []
  }

  /// Sends every write that was answered since the last time again: it gets the same outcome, as a replay.
  mutating func checkAcknowledged(_ port: Int) throws {
    let connection = try FramedConnection(port: port)
    for write in settled.dropFirst(checked) {
      let again = try connection.write(write.item, in: .default)
      #expect(again.isReplay)
      expectSame(again, write.outcome)
    }
    checked = settled.count
    for id in ids {
      guard let version = seen[id] else { continue }
      let entity = try connection.entity(EntityKey(type: maker.type, id: id), in: .default)
      #expect(entity.version.rawValue >= version)
    }
    // Every revision belongs to exactly one applied write: nothing was applied twice, and nothing is there that nobody sent.
    let revisions = applied.compactMap { $0.outcome.revision?.rawValue }.sorted()
    let current = try connection.space(.default).revision.rawValue
    #expect(revisions == Array(stride(from: 1, through: current, by: 1)))
  }

  /// The story of a refused write is told from the state as it is now, so its version and revision may be later ones.
  private func expectSame(_ again: Outcome, _ first: Outcome) {
    #expect(again.code == first.code)
    #expect(again.operation == first.operation)
    guard first.code == .conflict else {
      #expect(again.revision == first.revision, "\(first.code)")
      #expect(again.version == first.version, "\(first.code)")
      return
    }
    #expect(again.version ?? .first >= first.version ?? .first)
    #expect(again.revision ?? .zero >= first.revision ?? .zero)
  }
}
