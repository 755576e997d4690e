internal import Glibc
internal import Synchronization
public import TidemarkCore
public import TidemarkTesting
internal import TidemarkWire

/// Notes what clients on several threads ask and are answered, and tells another thread when so much has been asked.
public final class HistoryRecorder: Sendable {
  private let history = Mutex(RecordedHistory())
  /// Numbers of attempts to tell of, the lowest last.
  private let marks: Mutex<[Int]>
  private let reached = Waiting<Int>()

  /// - Parameter marks: the numbers of attempts at which `waitForMark` returns, one after the other.
  public init(marks: [Int] = []) { self.marks = Mutex(marks.sorted().reversed()) }

  /// What was noted so far.
  public var recorded: RecordedHistory { history.withLock { $0 } }

  /// Blocks until the next mark is reached.
  public func waitForMark() { _ = reached.take() }

  /// Lets whoever waits for marks go on, as nothing more is asked.
  public func end() { marks.withLock { while $0.popLast() != nil { reached.put(0) } } }

  /// Notes an attempt that begins now, and returns its place.
  func invoke(_ make: (UInt64) -> RecordedHistory.Attempt) -> Int {
    let place = history.withLock { $0.invoke(make(HistoryRecorder.now())) }
    marks.withLock { marks in
      while let next = marks.last, next <= place {
        marks.removeLast()
        reached.put(next)
      }
    }
    return place
  }

  /// Notes what came back now.
  func complete(_ place: Int, _ answer: RecordedHistory.Answer, isReplay: Bool = false) {
    history.withLock { $0.complete(place, answer, isReplay: isReplay, at: HistoryRecorder.now()) }
  }

  func complete(_ place: Int, _ outcome: Outcome) {
    history.withLock { $0.complete(place, outcome, at: HistoryRecorder.now()) }
  }

  /// Reads the revision of a space, or the version of an entity, and notes it.
  public func look(_ connection: FramedConnection, _ node: Int, _ space: SpaceName, _ entity: EntityKey?) throws {
    let begun = HistoryRecorder.now()
    let number =
      try entity.map { try connection.entity($0, in: space).version.rawValue } ?? connection.space(space).revision.rawValue
    let sighting = RecordedHistory.Sighting(
      node: node, space: space, entity: entity, number: number, invokedAt: begun, completedAt: HistoryRecorder.now())
    history.withLock { $0.sightings.append(sighting) }
  }

  /// Asks a node what became of every write that was sent to a space, and notes its answers.
  public func ask(_ connection: FramedConnection, _ node: Int, _ space: SpaceName) throws {
    var asked: [OperationID: RecordedHistory.Attempt] = [:]
    for attempt in recorded.attempts where attempt.space == space { asked[attempt.operation] = attempt }
    let operations = Array(asked.keys)
    for start in stride(from: 0, to: operations.count, by: Limits.itemsPerRequestMax) {
      let begun = HistoryRecorder.now()
      let part = Array(operations[start...].prefix(Limits.itemsPerRequestMax))
      let response: GetOutcomesResponse = try connection.get(
        .getOutcomes, GetOutcomesRequest(space: space, operations: part))
      let ended = HistoryRecorder.now()
      history.withLock { history in
        for known in response.results {
          guard var attempt = asked[known.operation] else { continue }
          (attempt.node, attempt.isAsking, attempt.invokedAt) = (node, true, begun)
          let answer = known.outcome.map { RecordedHistory.Answer($0) } ?? .noReceipt
          history.complete(history.invoke(attempt), answer, isReplay: true, at: ended)
        }
      }
    }
  }

  /// Nanoseconds of a clock that never goes back, the same for all threads.
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }
}
