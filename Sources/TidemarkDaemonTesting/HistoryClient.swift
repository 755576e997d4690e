public import TidemarkCore
internal import TidemarkTesting
internal import TidemarkWire

/// A client on a thread of its own that writes the same few entities as others, through any node of a cluster, and notes all of it.
///
/// Without an answer it sends the same write again through the next node, until one says what became of it.
public final class HistoryClient {
  /// Says that a write found no answer however often it was sent.
  public struct Unanswered: Error {
    public var operation: OperationID
  }

  /// An entity of a space.
  private struct Place: Hashable {
    var space: SpaceName
    var key: EntityKey
  }

  /// A write and where it goes.
  private struct Write {
    var item: WriteItem
    var place: Place
  }

  private static let attemptsMax = 500
  /// So often a write is sent at once; after that only while the store can be reached.
  private static let attemptsAtOnce = 10

  private let cluster: Cluster
  private let recorder: HistoryRecorder
  private let spaces: [SpaceName]
  private let entitiesPerSpace: Int
  private var home: Int
  private var maker: WriteMaker
  private var connections: [Int: (port: Int, connection: FramedConnection)] = [:]
  /// The last version of each entity that an answer told.
  private var known: [Place: UInt64] = [:]

  /// - Parameter home: the node that is called first.
  public init(
    _ cluster: Cluster, _ recorder: HistoryRecorder, home: Int, spaces: [SpaceName], entitiesPerSpace: Int = 5, seed: UInt64
  ) throws {
    (self.cluster, self.recorder, self.home, self.spaces) = (cluster, recorder, home, spaces)
    self.entitiesPerSpace = entitiesPerSpace
    maker = try WriteMaker(seed: seed)
  }

  /// Makes a number of writes, one after the other, with reads between them.
  public func run(writes: Int) throws {
    for _ in 0..<writes {
      let write = try makeWrite()
      if chance(10) { try sendTwice(write) } else { try send(write) }
      if chance(20) { try look(write.place.space) }
      if chance(2) { home = (home + 1) % cluster.count }
    }
  }

  private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &maker.random) < percent }

  // MARK: Writes

  private func makeWrite() throws -> Write {
    let id = try makeID()
    let place = Place(space: spaces[Int.random(in: 0..<spaces.count, using: &maker.random)], key: try maker.key(id))
    return Write(item: try makeItem(id, known[place]), place: place)
  }

  private func makeID() throws -> String { "e\(Int.random(in: 0..<entitiesPerSpace, using: &maker.random))" }

  private func makeItem(_ id: String, _ version: UInt64?) throws -> WriteItem {
    let fields: [(String, Value)] = [("n", .int(Int64.random(in: 0...Int64.max, using: &maker.random)))]
    guard let version else { return try maker.create(id, fields) }
    switch Int.random(in: 0..<20, using: &maker.random) {
    case 0: return try maker.delete(id, expected: version)
    case 1: return maker.make(try maker.key(id).id, .restore(Expected(version: EntityVersion(rawValue: version))))
    case 2: return try maker.create(id, fields)
    default: return try maker.update(id, fields, expected: version)
    }
  }

  /// Sends a write until it is answered, to the next node each time it is not.
  private func send(_ write: Write) throws {
    for attempt in 0..<HistoryClient.attemptsMax where try finish(begin(write, attempt), write) { return }
    throw Unanswered(operation: write.item.operation)
  }

  /// Sends a write to two nodes before either has answered.
  private func sendTwice(_ write: Write) throws {
    let begun = [begin(write, 0), begin(write, 1)]
    let isDone = try begun.map { try finish($0, write) }
    guard isDone.contains(false) else { return }
    try send(write)
  }

  private struct Begun {
    var attempt: Int
    var node: Int
    var stream: UInt32?
  }

  private func begin(_ write: Write, _ attempt: Int) -> Begun {
    let (node, port) = cluster.port(
      preferring: (home + attempt) % cluster.count, waitsForStore: attempt > HistoryClient.attemptsAtOnce)
    let connection = connect(node, port)
    let attempt = recorder.invoke { time in
      RecordedHistory.Attempt(
        node: node, space: write.place.space, operation: write.item.operation, entity: write.place.key,
        expected: write.item.action.expected?.version, invokedAt: time)
    }
    return Begun(attempt: attempt, node: node, stream: connection.flatMap { try? $0.start(write.item, in: write.place.space) })
  }

  /// Waits for the answer. True when it says what became of the write. Throws a failure that a lost node or database does not explain.
  private func finish(_ begun: Begun, _ write: Write) throws -> Bool {
    guard let stream = begun.stream, let connection = connections[begun.node]?.connection else {
      recorder.complete(begun.attempt, .unknown)
      connections[begun.node] = nil
      return false
    }
    do {
      let outcome = try connection.outcome(of: connection.reply(to: stream))
      recorder.complete(begun.attempt, outcome)
      if let version = outcome.version { known[write.place] = version.rawValue }
      return true
    } catch let status as RPCStatus {
      guard status.code == .unavailable else { throw status }
      let isNotExecuted = status.details.contains { String(decoding: $0.value, as: UTF8.self).contains("NOT_EXECUTED") }
      recorder.complete(begun.attempt, isNotExecuted ? .notExecuted : .unknown)
    } catch {
      recorder.complete(begun.attempt, .unknown)
      connections[begun.node] = nil
    }
    return false
  }

  private func connect(_ node: Int, _ port: Int) -> FramedConnection? {
    if let there = connections[node], there.port == port { return there.connection }
    connections[node] = (try? FramedConnection(port: port)).map { (port, $0) }
    return connections[node]?.connection
  }

  // MARK: Reads

  /// Reads the revision of a space, or an entity, through any node.
  private func look(_ space: SpaceName) throws {
    let (node, port) = cluster.port(preferring: Int.random(in: 0..<cluster.count, using: &maker.random))
    guard let connection = connect(node, port) else { return }
    let place = Place(space: space, key: try maker.key(try makeID()))
    let key = known[place] == nil ? nil : place.key
    do { try recorder.look(connection, node, space, key) } catch is RPCStatus {} catch { connections[node] = nil }
  }
}
