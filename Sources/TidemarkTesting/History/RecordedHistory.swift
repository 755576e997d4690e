public import TidemarkCore
public import TidemarkStore

/// What clients of one or several nodes asked and were answered, and what the store holds at the end.
///
/// A value without I/O: whoever calls brings the answers and the times, which are nanoseconds of one clock that never goes back.
/// `violations()` says which promises were not kept.
public struct RecordedHistory: Sendable {
  /// One call for one write: sending it, sending it again, or asking what became of it.
  public struct Attempt: Hashable, Sendable {
    /// The place of the node that was called.
    public var node: Int
    public var space: SpaceName
    public var operation: OperationID
    public var entity: EntityKey
    /// The version that the write was made against; `nil` for a create.
    public var expected: EntityVersion?
    /// Whether it only asks what became of the write.
    public var isAsking = false
    public var invokedAt: UInt64
    /// `nil` while nothing came back.
    public var completedAt: UInt64?
    public var answer = Answer.unknown
    /// Whether the answer is the receipt of an earlier attempt.
    public var isReplay = false

    /// - Parameter expected: `nil` for a create.
    public init(
      node: Int, space: SpaceName, operation: OperationID, entity: EntityKey, expected: EntityVersion?, isAsking: Bool = false,
      invokedAt: UInt64
    ) {
      (self.node, self.space, self.operation, self.entity) = (node, space, operation, entity)
      (self.expected, self.isAsking, self.invokedAt) = (expected, isAsking, invokedAt)
    }
  }

  /// What came back.
  public enum Answer: Hashable, Sendable {
    /// The write made this version, at this revision.
    case applied(EntityVersion, Revision)
    /// The write was judged and changed nothing. The version is the one that the answer told.
    case settled(OutcomeCode, EntityVersion?)
    /// The write was not judged, this time.
    case notExecuted
    /// Nothing, or that nobody knows.
    case unknown
    /// There is no receipt: the answer to asking about a write that was not judged yet.
    case noReceipt

    /// Whether it says what became of the write.
    public var isDefinite: Bool {
      switch self {
      case .applied, .settled: true
      case .notExecuted, .unknown, .noReceipt: false
      }
    }
  }

  /// A number that a read showed: the revision of a space, or the version of an entity.
  public struct Sighting: Hashable, Sendable {
    public var node: Int
    public var space: SpaceName
    /// `nil` for the revision of the space.
    public var entity: EntityKey?
    public var number: UInt64
    public var invokedAt: UInt64
    public var completedAt: UInt64

    public init(node: Int, space: SpaceName, entity: EntityKey?, number: UInt64, invokedAt: UInt64, completedAt: UInt64) {
      (self.node, self.space, self.entity, self.number) = (node, space, entity, number)
      (self.invokedAt, self.completedAt) = (invokedAt, completedAt)
    }
  }

  /// What the store holds of a space at the end.
  public struct Stored: Sendable {
    public var epoch: Epoch
    /// The log in the order in which it was read.
    public var log: [LogEntry]
    /// What verification found.
    public var faults: [String]

    public init(epoch: Epoch, log: [LogEntry], faults: [String] = []) {
      (self.epoch, self.log, self.faults) = (epoch, log, faults)
    }
  }

  public var attempts: [Attempt] = []
  public var sightings: [Sighting] = []
  public var stored: [SpaceName: Stored] = [:]

  public init() {}

  /// Notes that a call is about to be sent, and returns its place for `complete`.
  public mutating func invoke(_ attempt: Attempt) -> Int {
    attempts.append(attempt)
    return attempts.count - 1
  }

  /// Notes what came back.
  public mutating func complete(_ place: Int, _ answer: Answer, isReplay: Bool = false, at time: UInt64) {
    attempts[place].answer = answer
    attempts[place].isReplay = isReplay
    attempts[place].completedAt = time
  }

  /// Notes the outcome that came back.
  public mutating func complete(_ place: Int, _ outcome: Outcome, at time: UInt64) {
    complete(place, Answer(outcome), isReplay: outcome.isReplay, at: time)
  }

  /// Takes over what a state of the store holds of a space, and what verifying it finds.
  public mutating func takeStored(_ snapshot: any StoreSnapshot, _ name: SpaceName) throws {
    guard let record = try snapshot.space(named: name) else { return }
    var stored = Stored(epoch: record.epoch, log: [])
    for row in try snapshot.logRows(after: .zero, in: record.id, limit: .max) {
      switch row {
      case .intact(let entry): stored.log.append(entry)
      case .damaged(let revision): stored.faults.append("revision \(revision) is damaged")
      }
    }
    var verifier = ChainVerifier(space: name)
    while !verifier.isDone { guard try verifier.step(snapshot, limit: 1_000) else { break } }
    stored.faults += verifier.faults.map { "\($0.kind.rawValue) at revision \($0.revision)" }
    self.stored[name] = stored
  }
}

extension RecordedHistory.Answer {
  /// What an outcome says.
  public init(_ outcome: Outcome) {
    if outcome.code == .applied || outcome.code == .merged, let version = outcome.version, let revision = outcome.revision {
      self = .applied(version, revision)
    } else {
      self = .settled(outcome.code, outcome.version)
    }
  }
}
