public import TidemarkCore

/// A list of writes to one space by one principal. Everything that writes comes as one of these.
public struct WriteSubmission: Sendable {
  public var space: SpaceName
  public var principal: Principal
  /// At most `Limits.itemsPerRequestMax`.
  public let items: [WriteItem]
  /// For each item, the digest of what it asks for. Made by the submitter, so that the writer's thread need not.
  let contents: [Digest32]
  /// How the items depend on each other.
  public var mode: BulkMode
  /// Only tell what would become of the items: nothing is stored.
  public var validatesOnly: Bool
  /// Nothing is judged after this point of `StoreClock.uptimeNanoseconds`; `nil` for no deadline.
  public var deadlineNanoseconds: UInt64?
  /// Outcomes carry no entity whose fields take more bytes than this: the entity is to be read again for the answer.
  public var entityBytesMax: Int
  /// Who gets the answer, and under which number.
  public var sink: any WriteSink
  public var ticket: UInt64

  /// Whether it is one write and no group: a group of one that fails leaves no receipt.
  var isSingleWrite: Bool { items.count == 1 && mode == .partial && items[0].group == nil && !validatesOnly }

  public init(
    space: SpaceName, principal: Principal, items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false,
    deadlineNanoseconds: UInt64?, entityBytesMax: Int = .max, sink: any WriteSink, ticket: UInt64
  ) {
    self.space = space
    self.principal = principal
    self.items = items
    contents = items.map { Digest32.sha256(WriteContent.encode($0)) }
    self.mode = mode
    self.validatesOnly = validatesOnly
    self.deadlineNanoseconds = deadlineNanoseconds
    self.entityBytesMax = entityBytesMax
    self.sink = sink
    self.ticket = ticket
  }
}

/// Takes the answers of commits.
public protocol WriteSink: AnyObject, Sendable {
  /// Takes all answers of one commit that are for this sink. Called on the writer's thread, after the commit is durable.
  func deliver(_ answers: [WriteAnswer])
}

/// The answer to one request.
public struct WriteAnswer: Sendable {
  public var ticket: UInt64
  public var result: WriteResult

  public init(ticket: UInt64, result: WriteResult) {
    self.ticket = ticket
    self.result = result
  }
}

/// What became of a request.
public enum WriteResult: Sendable {
  /// One outcome an item, in order. All of them are durable.
  case outcomes([Outcome])
  /// There is no space of that name. Nothing was done.
  case unknownSpace
  /// The deadline had passed before the request was judged. Nothing was done.
  case expired
  /// There is no room left on disk. Nothing was done.
  case full
  /// The database cannot be reached, or has too much to do. Nothing was done.
  case unavailable
  /// The space has fewer revisions left (`Limits.revisionMax`) than the request needs. Nothing was done.
  case revisionsUsedUp
  /// What is stored about one of the entities is damaged. Nothing was done.
  case corrupt
  /// Storing failed, and whether it happened is unknown until the writes are asked for again with the same operation ids.
  case unknown
}
